"""Plans of statements: whose usage is rated, in which spans, by which prices."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from ledger.facts.statements import BilledLine
from metering.arguments.clock import at_microseconds
from metering.arguments.ids import found_by_id
from metering.arguments.refusals import exclusive, invalid, missing
from metering.arguments.strings import is_storable
from metering.arguments.times import instant, span_of, time_of
from metering.errors import InvalidRequestError, StatementConflictError
from metering.statements.requests import StatementFinalize, StatementPreview
from projections.kernels.prices import PriceDefinition
from projections.kernels.statements import StatementRecord, doubly_stated
from projections.prices.queries import PriceQueries


class PlannedLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line that is to be rated.

    Attributes:
        price: by which.
        currency: in which.
        item_id: the item of a subscription that has the price, where one has.
        quantity: what the buyer said; None is what a meter measured.
        start: microseconds since 1970 UTC, inclusive.
        end: exclusive.
        is_trial: whether nothing is due for it.
        param: the parameter that asked for it, for refusals.
    """

    price: PriceDefinition
    currency: str
    item_id: str | None
    quantity: Decimal | None
    start: int
    end: int
    is_trial: bool
    param: str


class StatementPlan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A statement that is to be made; see `StatementContent`."""

    customer: str
    subscription_id: str | None
    currency: str
    period_start: int
    period_end: int
    at: int | None
    lines: tuple[PlannedLine, ...]


def check_named(asked: StatementPreview) -> None:
    """Check that what is to be stated is named, and once.

    Raises:
        InvalidRequestError: something is missing, or is named in two ways.
    """
    if asked.prices is not None and asked.subscription is not None:
        raise exclusive("prices", "prices", "subscription")
    times = ("start_time", "end_time")
    given = [name for name in times if getattr(asked, name) is not None]
    if asked.subscription is not None:
        if len(given) == 1:
            raise missing(next(name for name in times if name not in given))
        return
    for name in ("customer", "prices", *times):
        if getattr(asked, name) is None:
            raise missing(name)


def check_repeats(known: StatementRecord, asked: StatementFinalize) -> None:
    """Check that what is to be finalised is the statement that has its id.

    Raises:
        StatementConflictError: it is not.
        InvalidRequestError: that statement is void.
    """
    content = known.content
    is_same: dict[str, bool] = {
        "subscription": asked.subscription == content.subscription_id
    }
    if asked.customer is not None:
        is_same["customer"] = asked.customer == content.customer
    if asked.prices is not None:
        stated = [line.price_id for line in content.lines]
        is_same["prices"] = list(asked.prices) == stated
    if asked.start_time is not None:
        start = instant(asked.start_time, "start_time")
        is_same["start_time"] = start == content.period_start
    if asked.end_time is not None:
        end = instant(asked.end_time, "end_time")
        is_same["end_time"] = end == content.period_end
    at = None if asked.at is None else instant(asked.at, "at")
    if at is not None and at >= content.period_end:
        at = None
    is_same["at"] = at == content.at
    if differing := [name for name, is_equal in is_same.items() if not is_equal]:
        raise StatementConflictError(known.statement_id, sorted(differing))
    if known.voided_at is not None:
        raise InvalidRequestError(
            f"Statement {known.statement_id} is void; finalize another one in its place",
            code="statement_void",
            param="id",
        )


def plan_by_prices(
    asked: StatementPreview, seen: PriceQueries, now: int
) -> StatementPlan:
    """Return the plan of a statement by prices that are named.

    Args:
        asked: what the statement is made of.
        seen: the prices.
        now: the present instant.

    Raises:
        ResourceMissingError: a price is not there.
        InvalidRequestError: a price is not metered, comes twice, or is in another
            currency than those before it; or the times do not fit.
    """
    assert asked.customer is not None, "it is named"
    assert asked.prices is not None, "they are named"
    start, end = span_given(asked)
    at = counted_until(asked.at, start, end, now)
    prices = _prices(asked.prices, seen)
    return StatementPlan(
        customer=asked.customer,
        subscription_id=None,
        currency=prices[0].currency,
        period_start=start,
        period_end=end,
        at=at,
        lines=tuple(
            PlannedLine(
                price=price,
                currency=price.currency,
                item_id=None,
                quantity=None,
                start=start,
                end=end,
                is_trial=False,
                param=f"prices[{number}]",
            )
            for number, price in enumerate(prices)
        ),
    )


def span_given(asked: StatementPreview) -> tuple[int, int]:
    """Return the period that is asked for.

    Raises:
        InvalidRequestError: a time is malformed, or the end is not after the start.
    """
    assert asked.start_time is not None, "it is named"
    assert asked.end_time is not None, "it is named"
    return span_of(asked.start_time, asked.end_time)


def counted_until(at: object, start: int, end: int, now: int) -> int | None:
    """Return where usage of a period stops to count; None is its end.

    Raises:
        InvalidRequestError: the period has not ended and no instant is given; or it is
            malformed, in the future, or not within what the period counts.
    """
    if at is None:
        if end > now:
            raise InvalidRequestError(
                f"Missing required param: at; the period ends at {_shown(end)}, after"
                f" now, {_shown(now)}: give the instant up to which usage counts",
                code="period_not_ended",
                param="at",
            )
        return None
    until = instant(at, "at")
    if until > now:
        raise invalid("at", _shown(until), f"now, {_shown(now)}, or before")
    if until <= start:
        raise invalid("at", _shown(until), f"after start_time, {_shown(start)}")
    return until if until < end else None


def _prices(ids: Sequence[str], seen: PriceQueries) -> list[PriceDefinition]:
    found = seen.prices_named(filter(is_storable, ids))
    known: dict[str, PriceDefinition] = {}
    for number, price_id in enumerate(ids):
        param = f"prices[{number}]"
        price = found_by_id(found.get, price_id, "price", param)
        if price_id in known:
            raise invalid(param, price_id, "another price than those before it")
        if price.meter_id is None:
            raise invalid(param, price_id, "a metered price")
        currency = next(iter(known.values()), price).currency
        if price.currency != currency:
            allowed = f"a price in {currency}, as those before it, not {price.currency}"
            raise invalid(param, price_id, allowed)
        known[price_id] = price
    return list(known.values())


def _shown(at: int) -> str:
    return time_of(at_microseconds(at))


def doubly_refused(
    plan: StatementPlan, lines: Sequence[BilledLine], others: Iterable[StatementRecord]
) -> InvalidRequestError | None:
    """Return the refusal of a statement with usage that another one counts.

    Args:
        plan: of the statement.
        lines: its lines.
        others: of the same customer, which stand.
    """
    found = doubly_stated(lines, plan.at, others)
    if found is None:
        return None
    other, line = found
    return InvalidRequestError(
        f"Statement {other.statement_id} counts usage of price {line.price_id} in this"
        " period already; void it, or state another period",
        code="period_already_finalized",
        param="start_time",
    )
