"""What is left of a pool now, and what of it a member could draw."""

from metering.arguments.clock import at_microseconds
from metering.credits.grants import grant_of
from metering.credits.resources import CreditBalance, monetary
from metering.errors import ResourceMissingError
from metering.pools.requests import PoolBalanceQuery
from metering.pools.resources import CreditPoolBalance
from projections.credits.pools.grants import PoolGrants
from projections.credits.queries import CreditQueries
from projections.kernels.credits.balances import balances
from projections.kernels.credits.burn_down import free_together, is_usable
from projections.kernels.credits.grants import Grant
from projections.kernels.credits.pools import Pool


def pool_balance(
    seen: CreditQueries,
    pool: Pool,
    asked: PoolBalanceQuery,
    now: int,
    *,
    livemode: bool,
) -> CreditPoolBalance:
    """Return what is left of a pool; see `CreditPools.balance`."""
    grants = _chosen(seen, pool.pool_id, asked.credit_grant, now)
    drawable: dict[str, int] = {}
    if asked.customer is not None:
        drawable = _drawable_by(seen, asked.customer, grants, now)
    held = {each.position: each.held for each in grants}
    return CreditPoolBalance(
        at=at_microseconds(now),
        balances=tuple(
            CreditBalance(
                available_balance=monetary(currency, balance.available),
                held_balance=monetary(currency, balance.held),
                ledger_balance=monetary(currency, balance.ledger),
            )
            for currency, balance in balances(grants, {}, held, now).items()
        ),
        customer=asked.customer,
        drawable=tuple(monetary(*each) for each in drawable.items()),
        livemode=livemode,
        pool=pool.pool_id,
    )


def _chosen(
    seen: CreditQueries, pool_id: str, grant_id: str | None, now: int
) -> list[Grant]:
    """Return all grants of a pool, or one of them, as of an instant that is not past."""
    if grant_id is None:
        grants = PoolGrants(seen, pool_id).all()
    else:
        grants = [grant_of(seen, grant_id, "credit_grant")]
        if grants[0].pool != pool_id:
            raise ResourceMissingError("credit grant", grant_id, param="credit_grant")
    return seen.holds.with_held(grants, now)


def _drawable_by(
    seen: CreditQueries, customer: str, grants: list[Grant], now: int
) -> dict[str, int]:
    """Return what a customer could draw of grants of a pool now, by currency."""
    wanted = {each.position for each in grants}
    usable = [
        each
        for each in seen.spendable_of(customer, now)
        if each.position in wanted and is_usable(each, period_end=now, now=now)
    ]
    return {
        currency: free_together(each for each in usable if each.currency == currency)
        for currency in sorted({each.currency for each in grants})
    }
