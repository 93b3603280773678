"""Credit pools and their members as they were at a position of the log."""

from dataclasses import replace

from ledger.database.rows import missing_row
from ledger.facts.credits.pools import (
    CreditPoolArchived,
    CreditPoolCreated,
    CreditPoolMemberAdded,
    CreditPoolMemberRemoved,
    CreditPoolUpdated,
)
from projections.kernels.credits.pools import (
    Pool,
    PoolMember,
    member_added,
    pool_archived,
    pool_created,
    pool_updated,
)
from projections.pools.queries import PoolQueries
from projections.pools.tables import credit_pool, credit_pool_member
from projections.webhooks.past import Past


def pool_at(past: Past, pool_id: str, at: int) -> Pool:
    """Return a pool as it was after the entry at a position."""
    found = PoolQueries(past.connection).pool(pool_id)
    if found is None:
        raise missing_row(credit_pool, pool_id)
    for position, recorded_at, fact in past.facts_about(pool_id, found.position, at):
        match fact:
            case CreditPoolCreated():
                found = pool_created(fact, position, recorded_at)
            case CreditPoolUpdated():
                found = pool_updated(found, fact, recorded_at)
            case CreditPoolArchived():
                found = pool_archived(found, recorded_at)
            case _:
                # Who joined and left changes nothing of the pool.
                pass
    return found


def member_at(
    past: Past,
    fact: CreditPoolMemberAdded | CreditPoolMemberRemoved,
    made: tuple[int, int],
    at: int,
) -> PoolMember:
    """Return who a fact is about, as it was after the entry at a position.

    Args:
        past: resources as they were.
        fact: who joined or left.
        made: the position of the fact, and its instant.
        at: that position, or the one before.
    """
    position, instant = made
    if isinstance(fact, CreditPoolMemberAdded):
        return member_added(fact, position, instant)
    found = PoolQueries(past.connection).member_before(
        fact.pool_id, fact.customer, position
    )
    if found is None:
        raise missing_row(credit_pool_member, fact.customer)
    return replace(found, left_at=instant if at == position else None)
