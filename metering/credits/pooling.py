"""Pools where credits are granted: which one is meant, and whether it takes them."""

from metering.arguments.clock import at_microseconds
from metering.arguments.ids import found_by_id
from metering.errors import InvalidRequestError
from projections.credits.queries import CreditQueries
from projections.kernels.credits.pools import Pool
from projections.pools.queries import PoolQueries


def pool_of(seen: CreditQueries, pool_id: object, param: str) -> Pool:
    """Return a pool by its id, or refuse the parameter that holds it."""
    pools = PoolQueries(seen.connection)
    return found_by_id(pools.pool, pool_id, "credit pool", param)


def open_pool(seen: CreditQueries, pool_id: object, param: str) -> Pool:
    """Return a pool that is not archived, or refuse the parameter that holds its id."""
    pool = pool_of(seen, pool_id, param)
    if pool.archived_at is not None:
        since = at_microseconds(pool.archived_at).isoformat()
        raise InvalidRequestError(
            f"Credit pool {pool.pool_id} is archived since {since}; make another one",
            code="credit_pool_archived",
            param=param,
        )
    return pool


def check_currency_of_caps(
    seen: CreditQueries, pool: Pool, currency: str, param: str
) -> None:
    """Check that a pool's caps, where it has any, are in the currency of a grant.

    Raises:
        InvalidRequestError: one is in another currency.
    """
    caps = PoolQueries(seen.connection).cap_currencies(pool.pool_id)
    if pool.currency is not None:
        caps.add(pool.currency)
    others = sorted(caps - {currency})
    if others:
        raise InvalidRequestError(
            f"Invalid {param}: {currency}; pool {pool.pool_id} caps its members in"
            f" {others[0]}, so that its grants are in {others[0]} too",
            code="credit_pool_currency",
            param=param,
        )
