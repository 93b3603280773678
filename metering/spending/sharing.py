"""Sharing: what other members' unbilled usage leaves of the pools of a customer.

Were it not counted, two members could each be told that the same cent of their pool covers
them. What a member draws of it follows from what its other pools have left, so their
members count as well, and those of theirs. They draw in the order of their names.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from metering.spending.burn_down import BurnDown, Burned, Present
from projections.credits.queries import CreditQueries
from projections.kernels.credits.burn_down import with_drawn
from projections.kernels.credits.grants import Grant
from projections.pools.queries import PoolQueries


def left_by_others(
    burn_down: BurnDown, present: Present, customer: str, grants: Sequence[Grant]
) -> list[Grant]:
    """Return the grants that a customer can draw from, after other members drew.

    It takes a look at each of the others, and none where no grant is of a pool.

    Args:
        burn_down: of the store.
        present: when.
        customer: whose the grants are to draw from.
        grants: its own, and those of its pools.
    """
    pool_ids = sorted({each.pool for each in grants if each.pool is not None})
    if not pool_ids:
        return list(grants)
    pools = PoolQueries(present.seen.connection)
    drawn = Counter[int]()
    for member in pools.sharing(pool_ids):
        if member == customer:
            continue
        theirs = with_drawn(present.seen.spendable_of(member, present.now), drawn)
        statements = burn_down.unbilled(present, member).statements
        drawn.update(Burned.of(theirs, statements, present.now).drawn)
    return with_drawn(grants, drawn)


def drawing_together(seen: CreditQueries, customers: Collection[str]) -> list[str]:
    """Return customers, and all who draw of what they draw of.

    What is due to any of them must be recorded before one is weighed: a grant that is not
    would leave more of its usage to the pool.
    """
    pools = PoolQueries(seen.connection)
    pool_ids = {pool_id for _, pool_id, *_ in pools.caps_of_many([*customers])}
    fellows = pools.sharing(pool_ids) if pool_ids else []
    return sorted({*customers, *fellows})
