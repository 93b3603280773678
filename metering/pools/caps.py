"""Caps: what a member may draw and hold of a pool at most, and when one is refused."""

from typing import NamedTuple

from metering.credits.amounts import money_of
from metering.credits.requests import CreditAmountParams
from metering.pools import refusals
from projections.credits.pools.grants import PoolGrants
from projections.credits.queries import CreditQueries
from projections.kernels.credits.pools import Pool
from projections.pools.queries import PoolQueries


class Cap(NamedTuple):
    """A cap in minor units and its currency; both are None where there is none."""

    value: int | None = None
    currency: str | None = None

    @classmethod
    def of(cls, given: CreditAmountParams | None) -> "Cap":
        """Return the cap that a caller gave.

        Raises:
            InvalidRequestError: it is no amount of its currency.
        """
        if given is None:
            return cls()
        return cls(*money_of(given, "cap"))


def check_currency(seen: CreditQueries, pool: Pool, cap: Cap, *, is_own: bool) -> None:
    """Check that a cap is in the one currency of what it caps.

    Args:
        seen: under the write lock.
        pool: of the cap.
        cap: perhaps none.
        is_own: whether it is that of a member, beside that of the pool.

    Raises:
        InvalidRequestError: a grant or another cap is in another one.
    """
    if cap.currency is None:
        return
    known = PoolGrants(seen, pool.pool_id).currencies()
    known |= PoolQueries(seen.connection).cap_currencies(pool.pool_id)
    if is_own and pool.currency is not None:
        known.add(pool.currency)
    others = sorted(known - {cap.currency})
    if others:
        raise refusals.other_currency(pool.pool_id, cap.currency, others)


def check_cap_of_pool(seen: CreditQueries, pool: Pool, cap: Cap, now: int) -> None:
    """Check that no member without a cap of its own has more than a pool's new cap.

    Raises:
        InvalidRequestError: one has.
    """
    if cap.value is None:
        return
    above = PoolQueries(seen.connection).above(pool.pool_id, cap.value)
    found = PoolGrants(seen, pool.pool_id).above(cap.value, now, above)
    if found is not None:
        raise refusals.below_taken(pool.pool_id, found[0], cap.value, found[1])


def check_cap_of_member(
    seen: CreditQueries, pool: Pool, customer: str, cap: Cap, now: int
) -> None:
    """Check that a customer, which was a member before perhaps, has no more than its cap.

    Raises:
        InvalidRequestError: it has.
    """
    value = pool.cap if cap.value is None else cap.value
    if value is None:
        return
    found = PoolGrants(seen, pool.pool_id).above(value, now, [customer])
    if found is not None:
        raise refusals.below_taken(pool.pool_id, customer, value, found[1])
