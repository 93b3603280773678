"""Credit schedules as resources."""

from ledger.facts.credits.schedules import Rollover, RolloverKind
from metering.arguments.clock import at_microseconds, at_or_none
from metering.credits.resources import monetary
from metering.credits.scopes import applicability_of
from metering.schedules.resources import CreditSchedule, ScheduleRollover
from projections.kernels.credits.schedules import Schedule


def schedule_resource(schedule: Schedule, *, livemode: bool) -> CreditSchedule:
    """Return a schedule as a resource."""
    terms = schedule.terms
    return CreditSchedule(
        id=schedule.schedule_id,
        amount=monetary(terms.currency, terms.amount),
        anchor=at_microseconds(schedule.anchor),
        applicability_config=applicability_of(terms.prices),
        canceled_at=at_or_none(schedule.canceled_at),
        category=terms.category.value,
        created=at_microseconds(schedule.created),
        customer=schedule.customer,
        expires_after=terms.expires_after,
        interval=schedule.interval.value,
        interval_count=schedule.interval_count,
        livemode=livemode,
        metadata=dict(terms.metadata),
        name=terms.name,
        next_grant_at=at_or_none(schedule.due_at),
        paused_at=at_or_none(schedule.paused_at),
        priority=terms.priority,
        rollover=None if terms.rollover is None else _rollover(terms.rollover),
        status=schedule.status.value,
        updated=at_microseconds(schedule.updated),
    )


def _rollover(rollover: Rollover) -> ScheduleRollover:
    kind, value = rollover.kind, rollover.value
    return ScheduleRollover(
        type=kind.value,
        max_amount=value if kind is RolloverKind.MAX_AMOUNT else None,
        percent=value if kind is RolloverKind.PERCENT else None,
    )
