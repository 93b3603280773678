"""Holds as resources."""

from collections.abc import Mapping

from metering.arguments.clock import at_microseconds
from metering.credits.resources import monetary
from metering.holds.resources import CreditHold, HoldAllocation
from projections.kernels.credits.holds import Hold, HoldStatus


def hold_resource(
    hold: Hold, grant_ids: Mapping[int, str], instant: int, *, livemode: bool
) -> CreditHold:
    """Return a hold as a resource.

    Args:
        hold: as it was at a position.
        grant_ids: of the grants that it took from, by position.
        instant: when it was so.
        livemode: what the resource says of itself.
    """
    status = hold.status(instant)
    left = hold.taken - hold.drawn
    is_open = status is HoldStatus.OPEN

    return CreditHold(
        id=hold.hold_id,
        allocations=tuple(
            HoldAllocation(
                credit_grant=grant_ids[part.grant_position], amount=part.amount
            )
            for part in hold.parts
        ),
        amount=monetary(hold.currency, hold.amount),
        amount_drawn=monetary(hold.currency, hold.drawn),
        amount_held=monetary(hold.currency, left if is_open else 0),
        amount_overdrawn=monetary(hold.currency, hold.overdrawn),
        amount_released=monetary(hold.currency, 0 if is_open else left),
        amount_uncovered=monetary(hold.currency, hold.uncovered),
        created=at_microseconds(hold.created),
        customer=hold.customer,
        expires_at=at_microseconds(hold.expires_at),
        livemode=livemode,
        metadata=dict(hold.metadata),
        meter=None if hold.usage is None else hold.usage.meter_id,
        partial=hold.is_partial,
        price=hold.price,
        quantity=None if hold.usage is None else hold.usage.quantity,
        status=status.value,
    )
