"""Pools and members as resources."""

from metering.arguments.clock import at_microseconds, at_or_none
from metering.credits.resources import CreditAmount, monetary
from metering.pools.resources import CreditPool, CreditPoolMember
from projections.kernels.credits.pools import Pool, PoolMember


def pool_resource(pool: Pool, *, livemode: bool) -> CreditPool:
    """Return a pool as a resource."""
    return CreditPool(
        id=pool.pool_id,
        archived_at=at_or_none(pool.archived_at),
        cap=_cap(pool.cap, pool.currency),
        created=at_microseconds(pool.created),
        livemode=livemode,
        metadata=dict(pool.metadata),
        name=pool.name,
        status="active" if pool.archived_at is None else "archived",
        updated=at_microseconds(pool.updated),
    )


def member_resource(member: PoolMember, *, livemode: bool) -> CreditPoolMember:
    """Return a member as a resource."""
    return CreditPoolMember(
        cap=_cap(member.cap, member.currency),
        customer=member.customer,
        joined_at=at_microseconds(member.joined_at),
        left_at=at_or_none(member.left_at),
        livemode=livemode,
        pool=member.pool_id,
    )


def _cap(value: int | None, currency: str | None) -> CreditAmount | None:
    if value is None or currency is None:
        return None
    return monetary(currency, value)
