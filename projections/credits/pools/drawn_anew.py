"""The grants of an invoice that is settled anew: as if it had given back what it drew."""

from collections import Counter

from msgspec.structs import replace

from projections.credits.drawable import pool_shares, shared
from projections.credits.queries import CreditQueries
from projections.kernels.credits.grants import Application, Grant, drawn


def drawable_anew(
    seen: CreditQueries, application: Application, instant: int
) -> list[Grant]:
    """Return what the customer of an invoice could draw from, had it given back.

    Args:
        seen: the credits.
        application: of the invoice.
        instant: not past.
    """
    customer, given_back = application.customer, drawn(application.draws)
    held = seen.holds.open_of(customer, instant).amounts
    of_invoice = [*seen.grants_drawn(application).values()]
    found = {
        each.position: each
        for each in (
            *seen.holds.with_held(of_invoice, instant),
            *seen.spendable_of(customer, instant, held),
        )
    }
    grants = [
        replace(each, applied=each.applied - given_back.get(at, 0))
        for at, each in found.items()
    ]
    to_pools: Counter[str] = Counter()
    for at, amount in given_back.items():
        if pool_id := found[at].pool:
            to_pools[pool_id] += amount
    if not to_pools:
        return grants
    # A grant of a pool that it left meanwhile has no share, and is not drawn again.
    shares = pool_shares(seen.connection, customer, held)
    return shared(
        grants,
        {each: share.after_return(to_pools[each]) for each, share in shares.items()},
    )
