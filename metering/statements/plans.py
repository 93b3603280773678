"""Plans of statements: whose usage is rated, in which spans, by which prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from metering.arguments.clock import at_microseconds
from metering.arguments.ids import found_by_id
from metering.arguments.refusals import invalid
from metering.arguments.strings import is_storable
from metering.arguments.times import instant, span_of, time_of
from metering.errors import InvalidRequestError
from metering.statements.requests import StatementPreview
from projections.kernels.prices import PriceDefinition
from projections.kernels.statements import StatementRecord
from projections.prices.queries import PriceQueries


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLine:
    """A line that is to be rated.

    Attributes:
        price: by which.
        item_id: the item of a subscription that has the price, where one has.
        quantity: what the buyer said; None is what a meter measured.
        start: microseconds since 1970 UTC, inclusive.
        end: exclusive.
        param: the parameter that asked for it, for refusals.
    """

    price: PriceDefinition
    item_id: str | None
    quantity: Decimal | None
    start: int
    end: int
    param: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPlan:
    """A statement that is to be made; see `StatementContent`."""

    customer: str
    subscription_id: str | None
    currency: str
    period_start: int
    period_end: int
    at: int | None
    lines: tuple[PlannedLine, ...]

    def differing(self, known: StatementRecord) -> list[str]:
        """Return the parameters in which this is no repetition of a statement."""
        content = known.content
        found = {
            "customer": self.customer == content.customer,
            "subscription": self.subscription_id == content.subscription_id,
            "prices": [line.price.price_id for line in self.lines]
            == [line.price_id for line in content.lines],
            "start_time": self.period_start == content.period_start,
            "end_time": self.period_end == content.period_end,
            "at": self.at == content.at,
        }
        return [name for name, is_same in found.items() if not is_same]


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
    start, end = span_of(asked.start_time, asked.end_time)
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
                item_id=None,
                quantity=None,
                start=start,
                end=end,
                param=f"prices[{number}]",
            )
            for number, price in enumerate(prices)
        ),
    )


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
