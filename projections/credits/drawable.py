"""The grants that a customer can draw from now: its own, and those of its pools.

A store without pools pays one look into an empty index. What a member may still take of
a pool follows from its cap, from what its invoices hold and from its open holds, so that
holds that time ended count no more.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, select, union_all

from ledger.database.bulk import is_among
from ledger.database.connections import DriverStatement
from projections.credits.hold_queries import HoldQueries
from projections.credits.tables import (
    GRANTS,
    GRANTS_AND_USE,
    HAS_CREDIT,
    IS_LIVE,
    SELECT_GRANTS,
    credit_grant,
)
from projections.kernels.credits.grants import Grant
from projections.kernels.credits.pools import PoolShare, PoolUse
from projections.pools.queries import PoolQueries
from projections.pools.tables import IS_MEMBER, credit_pool_member

_grant, _member = credit_grant.c, credit_pool_member.c
_SPENDABLE = SELECT_GRANTS.where(IS_LIVE, HAS_CREDIT)
_OF_POOLS = _SPENDABLE.select_from(
    GRANTS_AND_USE.join(credit_pool_member, _member.pool_id == _grant.pool)
).where(_member.customer == bindparam("customer"), IS_MEMBER)
# Two searches of an index: an OR of both would go through all grants.
_DRAWABLE = DriverStatement(
    union_all(_SPENDABLE.where(_grant.customer == bindparam("customer")), _OF_POOLS)
)


def drawable_grants(
    connection: Connection,
    customer: str,
    instant: int,
    held: Mapping[int, int] | None = None,
) -> list[Grant]:
    """Return the live grants with credit left that a customer can draw from.

    Args:
        connection: to the tables.
        customer: whose.
        instant: not past.
        held: what the customer's open holds keep of each grant, where that is known.
    """
    given = {"customer": customer, "instant": instant}
    grants = [*map(GRANTS.read, _DRAWABLE.run(connection, given))]
    if not any(grant.held or grant.pool for grant in grants):
        return grants
    holds = HoldQueries(connection)
    own = holds.open_of(customer, instant).amounts if held is None else held
    pooled = [grant for grant in grants if grant.pool]
    if not pooled:
        return [replace(each, held=own.get(each.position, 0)) for each in grants]
    shares = pool_shares(connection, customer, own)
    return [
        *(
            replace(each, held=own.get(each.position, 0))
            for each in grants
            if not each.pool
        ),
        *shared(holds.with_held(pooled, instant), shares),
    ]


def shared(grants: Iterable[Grant], shares: Mapping[str, PoolShare]) -> list[Grant]:
    """Return grants with what a member may take of their pools, by id of the pool."""
    return [
        replace(each, share=shares.get(each.pool)) if each.pool else each
        for each in grants
    ]


def pool_shares(
    connection: Connection, customer: str, held: Mapping[int, int]
) -> dict[str, PoolShare]:
    """Return what a customer may still take of each pool that it is a member of.

    Args:
        connection: to the tables.
        customer: whose.
        held: what the customer's open holds keep of each grant.
    """
    found = PoolQueries(connection).caps_of(customer)
    kept = held_of_pools(connection, held) if found else Counter()
    return {
        pool_id: PoolShare.of(
            pool_id, cap, PoolUse(applied=applied, held=kept[pool_id])
        )
        for pool_id, cap, applied in found
    }


def held_of_pools(connection: Connection, held: Mapping[int, int]) -> Counter[str]:
    """Return what holds keep of each pool, given what they keep of each grant."""
    kept: Counter[str] = Counter()
    for position, pool_id in pools_of_grants(connection, held).items():
        kept[pool_id] += held[position]
    return kept


def pools_of_grants(connection: Connection, positions: Iterable[int]) -> dict[int, str]:
    """Return the ids of pools of grants, by position; others have none."""
    wanted = sorted(positions)
    if not wanted:
        return {}
    is_wanted = is_among(connection, _grant.position, wanted)
    pooled = select(_grant.position, _grant.pool).where(
        is_wanted, _grant.pool.is_not(None)
    )
    return {row.position: row.pool for row in connection.execute(pooled)}
