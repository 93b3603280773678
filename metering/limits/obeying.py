"""Obeying spend limits: what may be spent, decided in the transaction that records it."""

from collections.abc import Sequence
from typing import NamedTuple

from ledger.appending.writing import Writing
from metering.errors import InvalidRequestError
from metering.limits.standing import LimitStanding, LimitStandings
from metering.store.engine import Engine
from projections.limits.queries import LimitQueries


def check_limits(  # noqa: PLR0913  # who spends how much of what, when
    engine: Engine,
    writing: Writing,
    *,
    customer: str,
    price: str | None,
    currency: str,
    amount: int,
    instant: int,
) -> None:
    """Check that a customer may spend an amount more, which a hold keeps or draws.

    Args:
        engine: of the store.
        writing: in which it is decided.
        customer: who spends it.
        price: for which; None is for every one.
        currency: of the amount.
        amount: in minor units.
        instant: in whose windows it counts.

    Raises:
        InvalidRequestError: it would pass a limit.
    """
    seen = LimitQueries(writing.connection)
    limits = [
        each
        for each in seen.of_customer(customer)
        if each.currency == currency
        and each.counts(price)
        and each.has_window_at(instant)
    ]
    if not limits:
        return
    if any(each.spend.prices for each in limits):
        writing.take_in_events()
    read = LimitStandings(engine, seen)
    for limit in limits:
        standing = read.of(limit, instant, writing.now)
        if amount > standing.left:
            raise limit_reached(standing, amount)


class WeighedLimit(NamedTuple):
    """A limit that usage counts for which is not recorded.

    Attributes:
        standing: without it, in the window that it would lie in.
        amount: what it comes to, by the prices of the limit.
    """

    standing: LimitStanding
    amount: int

    @property
    def is_passed(self) -> bool:
        """Whether the usage would pass the limit."""
        return self.amount > self.standing.left


def weighed_limits(  # noqa: PLR0913  # usage has a customer, a meter, units and a time
    engine: Engine,
    seen: LimitQueries,
    *,
    customer: str,
    meter_id: str,
    units: int,
    timestamp: int,
    now: int,
) -> Sequence[WeighedLimit]:
    """Weigh usage that is not recorded against the limits of its customer.

    Args:
        engine: of the store, that has taken in the events that `seen` sees.
        seen: in a database transaction.
        customer: whose usage.
        meter_id: of a meter that adds up.
        units: of 10**-12.
        timestamp: when the usage happens.
        now: the present instant.
    """
    read = LimitStandings(engine, seen)
    weighed = []
    for limit in seen.of_customer(customer):
        if meter_id in limit.spend.meter_ids and limit.has_window_at(timestamp):
            found = read.with_added(limit, timestamp, now, meter_id, units)
            weighed.append(WeighedLimit(*found))
    return weighed


def limit_reached(standing: LimitStanding, amount: int) -> InvalidRequestError:
    """Return the refusal of an amount that would pass a limit."""
    message = reached(standing, amount)
    return InvalidRequestError(message, code="spend_limit_reached", param="amount")


def reached(standing: LimitStanding, amount: int) -> str:
    """Return why an amount may not be spent."""
    limit = standing.limit
    return (
        f"Customer {limit.customer} may spend {standing.left} {limit.currency} more by"
        f" spend limit {limit.limit_id}, of {limit.amount}, and {amount} were asked for;"
        " spend less, or raise the limit"
    )
