"""Credit balances of everybody at once: what `CreditBalanceSummaries` says of each."""

from collections.abc import Iterator

from metering.credits.ahead import grants_ahead
from metering.store.customer_time import present_of
from metering.store.engine import Engine
from projections.kernels.credits.balances import Balance, balances

_CUSTOMERS_AT_A_TIME = 500


def balances_of_everybody(engine: Engine) -> Iterator[tuple[str, str, Balance]]:
    """Yield customers with a currency and their balance of it now, in order.

    Customers of a test clock have theirs as it shows; those that are gone with one have
    none.
    """
    with engine.credits() as (seen, now):
        everybody = seen.customers()
        for start in range(0, len(everybody), _CUSTOMERS_AT_A_TIME):
            customers = everybody[start : start + _CUSTOMERS_AT_A_TIME]
            grants = seen.grants_of_many(customers)
            held = seen.holds.held_by_customer(customers, now)
            for customer in customers:
                then = now
                if (time := seen.clocked.times.get(customer)) is not None:
                    if time.is_deleted:
                        continue
                    then = present_of(seen.clocked, [customer], now)
                    held[customer] = seen.holds.held_of([customer], then)
                # What a pool has is nobody's alone.
                own = [each for each in grants[customer] if each.pool is None]
                own += grants_ahead(seen, customer, then)
                found = balances(own, {}, held.get(customer, {}), then)
                for currency, balance in found.items():
                    yield customer, currency, balance
