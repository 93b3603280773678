"""Facts about pools: groups of customers that draw from the same grants.

Amounts are whole minor units of the currency that is given with them.
"""

import msgspec


class CreditPoolCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_pool.created",
):
    """A pool was made, with no members.

    Attributes:
        cap: what each member may draw and hold of it at most; None is no bound.
        currency: of the cap; None where there is none.
    """

    pool_id: str
    name: str | None
    cap: int | None
    currency: str | None
    metadata: dict[str, str]


class CreditPoolUpdated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_pool.updated",
):
    """A pool was changed: everything that can change, as it is now."""

    pool_id: str
    name: str | None
    cap: int | None
    currency: str | None
    metadata: dict[str, str]


class CreditPoolArchived(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_pool.archived",
):
    """A pool was closed: its members left, and none can join."""

    pool_id: str


class CreditPoolMemberAdded(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_pool.member_added",
):
    """A customer joined a pool.

    Attributes:
        cap: in place of that of the pool; None is that of the pool.
        currency: of the cap; None where there is none.
    """

    pool_id: str
    customer: str
    cap: int | None
    currency: str | None


class CreditPoolMemberRemoved(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_pool.member_removed",
):
    """A customer left a pool. What it drew stays drawn, and what it holds held."""

    pool_id: str
    customer: str


PoolChange = CreditPoolUpdated | CreditPoolArchived | CreditPoolMemberRemoved
PoolFact = CreditPoolCreated | CreditPoolMemberAdded | PoolChange
