"""Obeying spend limits: what may be spent, decided in the transaction that records it."""

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
    instant: int | None = None,
) -> None:
    """Check that a customer may spend an amount more, which a hold keeps or draws.

    Args:
        engine: of the store.
        writing: in which it is decided.
        customer: who spends it.
        price: for which; None is for every one.
        currency: of the amount.
        amount: in minor units.
        instant: in whose windows it counts; None is now.

    Raises:
        InvalidRequestError: it would pass a limit.
    """
    seen = LimitQueries(writing.connection)
    limits = [
        each
        for each in seen.of_customer(customer)
        if each.currency == currency and each.counts(price)
    ]
    if not limits:
        return
    if any(each.spend.prices for each in limits):
        writing.take_in_events()
    read = LimitStandings(engine, seen, engine.usage.view())
    at = writing.now if instant is None else instant
    for limit in limits:
        standing = read.of(limit, at, writing.now)
        if amount > standing.left:
            raise limit_reached(standing, amount)


def limit_reached(standing: LimitStanding, amount: int) -> InvalidRequestError:
    """Return the refusal of an amount that would pass a limit."""
    limit = standing.limit
    return InvalidRequestError(
        f"Customer {limit.customer} may spend {standing.left} {limit.currency} more by"
        f" spend limit {limit.limit_id}, of {limit.amount}, and {amount} were asked for;"
        " spend less, or raise the limit",
        code="spend_limit_reached",
        param="amount",
    )
