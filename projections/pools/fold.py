"""The fold of facts about pools and their members."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, update

from ledger.facts.credits.pools import (
    CreditPoolArchived,
    CreditPoolCreated,
    CreditPoolMemberAdded,
    CreditPoolMemberRemoved,
    CreditPoolUpdated,
)
from projections.kernels.credits.pools import member_added, pool_created
from projections.pools.tables import (
    IS_MEMBER,
    MEMBERS,
    METADATA,
    POOLS,
    credit_pool,
    credit_pool_member,
)
from projections.schema import RecordedFact, TableFold

_pool, _member = credit_pool.c, credit_pool_member.c
_IS_IT = _pool.pool_id == bindparam("of_pool")
_UPDATE = update(credit_pool).where(_IS_IT)
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
                values = {
                    "name": fact.name,
                    "cap": fact.cap,
                    "currency": fact.currency,
                    "metadata": METADATA.encode(fact.metadata),
                    "updated": recorded_at,
                }
                connection.execute(_UPDATE.values(values), {"of_pool": fact.pool_id})
            case CreditPoolArchived():
                values = {"archived_at": recorded_at, "updated": recorded_at}
                given = {"of_pool": fact.pool_id}
                connection.execute(_UPDATE.values(values), given)
                connection.execute(_ALL_LEAVE, {**given, "instant": recorded_at})
            case CreditPoolMemberAdded():
                joined = MEMBERS.named(member_added(fact, position, recorded_at))
                connection.execute(insert(credit_pool_member), joined)
            case CreditPoolMemberRemoved():
                who = {"of_pool": fact.pool_id, "of_customer": fact.customer}
                connection.execute(_ONE_LEAVES, {**who, "instant": recorded_at})
            case _:
                pass


POOL_FOLD = TableFold(tables=(credit_pool, credit_pool_member), fold=fold_pools)
