"""Pools: what a group of customers shares, and what each member may take of it.

Instants are microseconds since 1970 UTC, amounts are minor units.
"""

from dataclasses import dataclass, replace

from ledger.facts.credits.pools import (
    CreditPoolCreated,
    CreditPoolMemberAdded,
    CreditPoolUpdated,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool as it is at the head of the log; see `CreditPoolCreated`."""

    position: int
    pool_id: str
    name: str | None
    cap: int | None
    currency: str | None
    metadata: dict[str, str]
    created: int
    updated: int
    archived_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMember:
    """A customer's time in a pool, as it is at the head of the log.

    Attributes:
        position: of the fact that it joined.
        cap: of its own; None is that of the pool.
        left_at: when it left; None while it is a member.
    """

    position: int
    pool_id: str
    customer: str
    cap: int | None
    currency: str | None
    joined_at: int
    left_at: int | None = None

    def after_leaving(self, instant: int) -> "PoolMember":
        """Return the member once it has left."""
        return replace(self, left_at=instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """What a customer has of a pool's grants, in minor units.

    Attributes:
        applied: what its invoices hold, without what they gave back.
        held: what its holds keep.
    """

    applied: int = 0
    held: int = 0

    @property
    def taken(self) -> int:
        """What counts against its cap."""
        return self.applied + self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolShare:
    """What a member may still take of a pool at an instant.

    Attributes:
        pool_id: of the pool.
        left: the rest of its cap; None is no bound.
    """

    pool_id: str
    left: int | None

    @classmethod
    def of(cls, pool_id: str, cap: int | None, use: PoolUse) -> "PoolShare":
        """Return what a cap leaves to a customer that has some already."""
        left = None if cap is None else max(cap - use.taken, 0)
        return cls(pool_id=pool_id, left=left)

    def after_return(self, amount: int) -> "PoolShare":
        """Return the share once an amount came back to the pool."""
        left = None if self.left is None else self.left + amount
        return PoolShare(pool_id=self.pool_id, left=left)


def pool_created(fact: CreditPoolCreated, position: int, recorded_at: int) -> Pool:
    """Return the pool that a fact made."""
    return Pool(
        position=position,
        pool_id=fact.pool_id,
        name=fact.name,
        cap=fact.cap,
        currency=fact.currency,
        metadata=fact.metadata,
        created=recorded_at,
        updated=recorded_at,
    )


def pool_updated(pool: Pool, fact: CreditPoolUpdated, recorded_at: int) -> Pool:
    """Return a pool as a fact changed it."""
    return replace(
        pool,
        name=fact.name,
        cap=fact.cap,
        currency=fact.currency,
        metadata=fact.metadata,
        updated=recorded_at,
    )


def pool_archived(pool: Pool, recorded_at: int) -> Pool:
    """Return a pool once it is closed."""
    return replace(pool, archived_at=recorded_at, updated=recorded_at)


def member_added(
    fact: CreditPoolMemberAdded, position: int, recorded_at: int
) -> PoolMember:
    """Return the member that a fact added."""
    return PoolMember(
        position=position,
        pool_id=fact.pool_id,
        customer=fact.customer,
        cap=fact.cap,
        currency=fact.currency,
        joined_at=recorded_at,
    )
