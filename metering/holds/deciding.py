"""What is decided about holds, in the database transaction that records it."""

from collections.abc import Sequence

from msgspec import structs

from ledger.facts.credits.grants import CreditsApplied, Draw, InvoiceLine
from ledger.facts.credits.holds import (
    CreditHoldCreated,
    CreditHoldReleased,
    CreditHoldSettled,
    HeldPart,
)
from metering.arguments.clock import at_microseconds
from metering.arguments.currencies import check_amount
from metering.arguments.refusals import invalid
from metering.holds import refusals
from metering.holds.requests import CreditHoldSettle
from metering.spending.weighing import Weighed
from projections.credits.queries import CreditQueries
from projections.kernels.credits.burn_down import burn_down
from projections.kernels.credits.grants import Grant
from projections.kernels.credits.holds import (
    Hold,
    HoldStatus,
    Settlement,
    after_drawing,
    parts_of,
)

DAY = 24 * 60 * 60 * 1_000_000
EXPIRES_AFTER = 7 * DAY
"""How long a hold lasts where the caller does not say."""
EXPIRES_AFTER_MAX = 30 * DAY
"""A lost process must not keep money for ever."""
OPEN_MAX = 100
"""Of a customer."""


def created(
    wanted: CreditHoldCreated,
    expires_at: int | None,
    seen: CreditQueries,
    now: int,
    usage: Weighed | None = None,
) -> CreditHoldCreated:
    """Return the fact that makes a hold, with what it takes of grants.

    Args:
        wanted: without expiry and parts.
        expires_at: as the caller gave it.
        seen: under the write lock.
        now: the instant of the commit.
        usage: what it was given as. Of the grants, it takes what unbilled usage leaves.

    Raises:
        InvalidRequestError: it is refused.
    """
    if seen.holds.is_applied_to(wanted.hold_id):
        raise refusals.named_as_invoice(wanted.hold_id)
    end = _expiry(expires_at, now)
    count, amounts, _ = seen.holds.open_of(wanted.customer, now)
    if count >= OPEN_MAX:
        raise refusals.too_many(wanted.customer, OPEN_MAX)
    param, is_covered, period_end = "amount", True, now
    grants: Sequence[Grant]
    if usage is None:
        grants = seen.spendable_of(wanted.customer, now, amounts)
    else:
        param, is_covered, grants = "quantity", usage.uncovered <= 0, usage.grants
        period_end = max(end for _, end in usage.lines)
    draws = _draws(grants, wanted, wanted.amount, now, period_end)
    found = sum(draw.amount for draw in draws)
    if not (is_covered and found == wanted.amount) and not wanted.partial:
        raise refusals.insufficient(
            wanted.customer, wanted.amount, found, wanted.currency, param
        )
    return structs.replace(wanted, expires_at=end, parts=parts_of(draws))


def check_same(known: Hold, wanted: CreditHoldCreated, expires_at: int | None) -> None:
    """Check that a hold is what was made under its id.

    Raises:
        InvalidRequestError: it differs.
    """
    end = known.created + EXPIRES_AFTER if expires_at is None else expires_at
    is_usage = known.usage is not None
    money = (known.amount, known.currency) == (wanted.amount, wanted.currency)
    same = {
        "customer": known.customer == wanted.customer,
        # What usage came to, and by which price, was decided then: the one that was
        # given only if nothing else billed it.
        "amount": is_usage or money,
        "usage": known.usage == wanted.usage,
        "price": is_usage or known.price == wanted.price,
        "expires_at": known.expires_at == end,
        "partial": known.is_partial == wanted.partial,
        "metadata": known.metadata == wanted.metadata,
    }
    differing = [field for field, is_same in same.items() if not is_same]
    if differing:
        raise refusals.conflicting(known.hold_id, differing)


def check_settled_so(hold: Hold, known: Settlement, asked: CreditHoldSettle) -> None:
    """Check that a settlement is what was made under its id.

    Raises:
        InvalidRequestError: it differs.
    """
    if asked.quantity is not None and asked.quantity != known.quantity:
        raise refusals.settled_otherwise(hold, known, "quantity")
    if asked.amount is not None and asked.amount != known.amount:
        raise refusals.settled_otherwise(hold, known, "amount")
    if asked.final != known.is_final:
        raise refusals.settled_otherwise(hold, known, "final")


def settled(
    hold: Hold, asked: CreditHoldSettle, seen: CreditQueries, now: int
) -> CreditHoldSettled:
    """Return the fact that settles a hold.

    Args:
        hold: any.
        asked: how it is settled.
        seen: under the write lock.
        now: the instant of the commit.

    Raises:
        InvalidRequestError: it is refused.
    """
    check_open(hold, now)
    left = hold.taken - hold.drawn
    amount = left if asked.amount is None else asked.amount
    check_amount(amount, hold.currency, "amount")
    excess = max(amount - left, 0)
    if excess and asked.overage == "refuse":
        raise refusals.exceeding(hold, amount, left)
    invoice = hold.hold_id
    if asked.settlement is not None:
        invoice = f"{hold.hold_id}/{asked.settlement}"
        is_hold = invoice in seen.holds.known([invoice])
        if is_hold or seen.holds.is_applied_to(invoice):
            raise refusals.settlement_taken(hold, invoice)
    drawn, rest = after_drawing(hold.left(), amount - excess)
    beyond: tuple[HeldPart, ...] = ()
    if excess:
        grants = seen.spendable_of(hold.customer, now)
        beyond = parts_of(_draws(grants, hold, excess, now, now))
    # What is drawn of a grant is one draw, whether it was held or free.
    draws = parts_of(
        Draw(0, part.grant_position, part.amount) for part in (*drawn, *beyond)
    )
    line = InvoiceLine(asked.settlement or hold.hold_id, amount, hold.price)
    return CreditHoldSettled(
        hold_id=hold.hold_id,
        hold_position=hold.position,
        settlement=asked.settlement or "",
        final=asked.final,
        drawn=drawn,
        returned=rest if asked.final else (),
        quantity=asked.quantity,
        application=CreditsApplied(
            invoice=invoice,
            customer=hold.customer,
            currency=hold.currency,
            period_end=now,
            lines=(line,),
            draws=tuple(Draw(0, part.grant_position, part.amount) for part in draws),
        ),
    )


def released(hold: Hold) -> CreditHoldReleased:
    """Return the fact that releases an open hold."""
    return CreditHoldReleased(
        hold_id=hold.hold_id,
        hold_position=hold.position,
        customer=hold.customer,
        returned=hold.left(),
    )


def check_open(hold: Hold, now: int) -> None:
    """Check that a hold has not ended.

    Raises:
        InvalidRequestError: it has.
    """
    status = hold.status(now)
    if status is not HoldStatus.OPEN:
        raise refusals.ended(hold, status)


def _draws(
    grants: Sequence[Grant],
    wanted: CreditHoldCreated | Hold,
    amount: int,
    now: int,
    period_end: int,
) -> tuple[Draw, ...]:
    """Return what an invoice of an amount would draw now of what is free of grants."""
    return burn_down(
        grants,
        wanted.currency,
        (InvoiceLine(wanted.hold_id, amount, wanted.price),),
        period_end=period_end,
        now=now,
    )


def _expiry(expires_at: int | None, now: int) -> int:
    if expires_at is None:
        return now + EXPIRES_AFTER
    latest = now + EXPIRES_AFTER_MAX
    if not now < expires_at <= latest:
        span = f"after {at_microseconds(now).isoformat()}, and at most 30 days later"
        raise invalid("expires_at", at_microseconds(expires_at).isoformat(), span)
    return expires_at
