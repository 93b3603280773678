"""The fold of facts about pools and their members."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, update

from ledger.database.rows import change_row, row_of
from ledger.facts.credits.pools import (
    CreditPoolArchived,
    CreditPoolCreated,
    CreditPoolMemberAdded,
    CreditPoolMemberRemoved,
    CreditPoolUpdated,
)
from projections.kernels.credits.pools import (
    Pool,
    member_added,
    pool_archived,
    pool_created,
    pool_updated,
)
from projections.pools.tables import (
    IS_MEMBER,
    MEMBERS,
    POOLS,
    credit_pool,
    credit_pool_member,
)
from projections.schema import RecordedFact, TableFold

_member = credit_pool_member.c
_LEAVE = update(credit_pool_member).values(left_at=bindparam("instant"))
_IS_OF_IT = _member.pool_id == bindparam("of_pool")
_ALL_LEAVE = _LEAVE.where(_IS_OF_IT, IS_MEMBER)
_ONE_LEAVES = _ALL_LEAVE.where(_member.customer == bindparam("of_customer"))


def fold_pools(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about pools."""
    for position, recorded_at, fact in facts:
        match fact:
            case CreditPoolCreated():
                made = POOLS.named(pool_created(fact, position, recorded_at))
                connection.execute(insert(credit_pool), made)
            case CreditPoolUpdated():
                known = _pool(connection, fact.pool_id)
                _keep(connection, pool_updated(known, fact, recorded_at))
            case CreditPoolArchived():
                known = _pool(connection, fact.pool_id)
                _keep(connection, pool_archived(known, recorded_at))
                given = {"of_pool": fact.pool_id, "instant": recorded_at}
                connection.execute(_ALL_LEAVE, given)
            case CreditPoolMemberAdded():
                joined = MEMBERS.named(member_added(fact, position, recorded_at))
                connection.execute(insert(credit_pool_member), joined)
            case CreditPoolMemberRemoved():
                who = {"of_pool": fact.pool_id, "of_customer": fact.customer}
                connection.execute(_ONE_LEAVES, {**who, "instant": recorded_at})
            case _:
                pass


POOL_FOLD = TableFold(tables=(credit_pool, credit_pool_member), fold=fold_pools)


def _pool(connection: Connection, pool_id: str) -> Pool:
    return POOLS.read(row_of(connection, credit_pool.c.pool_id, pool_id))


def _keep(connection: Connection, changed: Pool) -> None:
    row = POOLS.named(changed)
    change_row(connection, credit_pool.c.pool_id, changed.pool_id, row)
