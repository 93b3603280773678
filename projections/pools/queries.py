"""Queries of pools and of their members, as one database transaction sees them."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection, and_, bindparam, func, select

from ledger.database.bulk import is_among
from projections.kernels.credits.pools import Pool, PoolMember
from projections.pools.tables import (
    IS_HOLDING,
    IS_MEMBER,
    MEMBERS,
    POOLS,
    credit_pool,
    credit_pool_member,
    credit_pool_use,
)
from projections.rows import Page

_pool, _member, _use = credit_pool.c, credit_pool_member.c, credit_pool_use.c
_POOLS = select(credit_pool)
_POOL = _POOLS.where(_pool.pool_id == bindparam("pool_id"))
_MEMBERS = select(credit_pool_member).where(
    _member.pool_id == bindparam("pool_id"), IS_MEMBER
)
_EVER = (
    select(credit_pool_member)
    .where(
        _member.pool_id == bindparam("pool_id"),
        _member.customer == bindparam("customer"),
    )
    .order_by(_member.position.desc())
    .limit(1)
)
_MEMBERS_OF = (
    select(_member.customer)
    .where(_member.pool_id.in_(bindparam("pool_ids", expanding=True)), IS_MEMBER)
    .distinct()
)
_MEMBER = _MEMBERS.where(_member.customer == bindparam("customer"))
_CAP = func.coalesce(_member.cap, _pool.cap).label("cap")
_WITH_USE = credit_pool_member.join(
    credit_pool, _pool.pool_id == _member.pool_id
).outerjoin(
    credit_pool_use,
    and_(_use.pool_id == _member.pool_id, _use.customer == _member.customer),
)
_CAPS = (
    select(
        _member.customer,
        _member.pool_id,
        _CAP,
        func.coalesce(_use.applied, 0).label("applied"),
    )
    .select_from(_WITH_USE)
    .where(IS_MEMBER)
    .order_by(_member.pool_id)
)
_ANY_MEMBER = select(_member.position).where(IS_MEMBER).limit(1)
_CAPS_OF = _CAPS.where(_member.customer == bindparam("customer"))
_APPLIED = select(_use.applied).where(
    _use.pool_id == bindparam("pool_id"), _use.customer == bindparam("customer")
)
_ABOVE = (
    select(_member.customer)
    .select_from(_WITH_USE)
    .where(
        _member.pool_id == bindparam("pool_id"),
        IS_MEMBER,
        _member.cap.is_(None),
        _use.applied + _use.held > bindparam("cap"),
    )
    .order_by(_member.position)
)
_CAP_CURRENCIES = (
    select(_member.currency)
    .where(
        _member.pool_id == bindparam("pool_id"),
        IS_MEMBER,
        _member.currency.is_not(None),
    )
    .distinct()
)


class PoolQueries:
    """Queries of pools in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def pool(self, pool_id: str) -> Pool | None:
        """Return a pool by its id, archived or not."""
        row = self.connection.execute(_POOL, {"pool_id": pool_id}).first()
        return None if row is None else POOLS.read(row)

    def page(self, page: Page) -> list[Pool]:
        """Return a page of pools."""
        rows = page.read(self.connection, credit_pool, _POOLS)
        return [POOLS.read(row) for row in rows]

    def member(self, pool_id: str, customer: str) -> PoolMember | None:
        """Return a customer as a member; None of one that is none now."""
        given = {"pool_id": pool_id, "customer": customer}
        row = self.connection.execute(_MEMBER, given).first()
        return None if row is None else MEMBERS.read(row)

    def last_member(self, pool_id: str, customer: str) -> PoolMember | None:
        """Return a customer as the member that it is, or was last."""
        given = {"pool_id": pool_id, "customer": customer}
        row = self.connection.execute(_EVER, given).first()
        return None if row is None else MEMBERS.read(row)

    def member_before(
        self, pool_id: str, customer: str, position: int
    ) -> PoolMember | None:
        """Return a customer as the member that it was last, before a position."""
        given = {"pool_id": pool_id, "customer": customer}
        wanted = _EVER.where(_member.position < position)
        row = self.connection.execute(wanted, given).first()
        return None if row is None else MEMBERS.read(row)

    def page_of_members(self, pool_id: str, page: Page) -> list[PoolMember]:
        """Return a page of the members that a pool has now, the last ones first."""
        wanted = _MEMBERS.params(pool_id=pool_id)
        rows = page.read(self.connection, credit_pool_member, wanted)
        return [MEMBERS.read(row) for row in rows]

    def members_of(self, pool_ids: Sequence[str]) -> list[str]:
        """Return the members that any of some pools has now, sorted by name."""
        given = {"pool_ids": pool_ids}
        return sorted(self.connection.execute(_MEMBERS_OF, given).scalars())

    def sharing(self, pool_ids: Iterable[str]) -> list[str]:
        """Return all who draw of some pools, and of others that these are members of.

        Whoever is among them has all of its pools among theirs.
        """
        known, wanted, found = set[str](), set(pool_ids), list[str]()
        while not wanted <= known:
            known |= wanted
            found = self.members_of(sorted(known))
            wanted = {pool_id for _, pool_id, *_ in self.caps_of_many(found)}
        return found

    def members_among(self, customers: Collection[str]) -> set[str]:
        """Return which customers are members of a pool now."""
        of_them = is_among(self.connection, _member.customer, sorted(customers))
        found = select(_member.customer).where(of_them, IS_MEMBER)
        return set(self.connection.execute(found).scalars())

    def caps_of(self, customer: str) -> list[tuple[str, int | None, int]]:
        """Return the pools that a customer is a member of.

        Returns:
            The id of each, the cap of this member there, and what its invoices hold.
        """
        rows = self.connection.execute(_CAPS_OF, {"customer": customer})
        return [(row.pool_id, row.cap, int(row.applied)) for row in rows]

    def caps_of_many(
        self, customers: Sequence[str]
    ) -> list[tuple[str, str, int | None, int]]:
        """Return `caps_of` of any number of customers, each behind its customer."""
        # Most stores have none: not to look for thousands there.
        if self.connection.execute(_ANY_MEMBER).first() is None:
            return []
        is_wanted = is_among(self.connection, _member.customer, customers)
        rows = self.connection.execute(_CAPS.where(is_wanted))
        return [(row.customer, row.pool_id, row.cap, int(row.applied)) for row in rows]

    def applied(self, pool_id: str, customer: str) -> int:
        """Return what invoices of a customer hold of a pool."""
        given = {"pool_id": pool_id, "customer": customer}
        return int(self.connection.execute(_APPLIED, given).scalar() or 0)

    def above(self, pool_id: str, cap: int) -> list[str]:
        """Return the members without a cap of their own that may have more than a cap.

        Holds that time ended count.
        """
        rows = self.connection.execute(_ABOVE, {"pool_id": pool_id, "cap": cap})
        return list(rows.scalars())

    def cap_currencies(self, pool_id: str) -> set[str]:
        """Return the currencies of the caps that members have of their own."""
        rows = self.connection.execute(_CAP_CURRENCIES, {"pool_id": pool_id})
        return set(rows.scalars())

    def holders(self, pool_ids: Sequence[str]) -> set[str]:
        """Return the customers whose holds, which no fact ended, keep parts of pools."""
        is_wanted = is_among(self.connection, _use.pool_id, pool_ids)
        wanted = select(_use.customer).where(is_wanted, IS_HOLDING)
        return set(self.connection.execute(wanted).scalars())
