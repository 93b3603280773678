"""The tables of pools: a row a pool, a row each time a customer joined, and their use.

A pool's grants are rows of `credit_grant`, and what its members draw of them is recorded
as any draw is.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from ledger.database.rows import RowFormat, packed_codec
from ledger.records.partial_indexes import partial_index
from projections.kernels.credits.pools import Pool, PoolMember
from projections.schema import POSITION, metadata

# Written out in statements as well: a database must see that an index is of use.
IS_MEMBER = text("left_at IS NULL")
"""Whether a customer has not left."""
IS_HOLDING = text("credit_pool_use.held > 0")
"""Whether holds of a customer, which no fact ended, keep something of a pool."""

credit_pool = Table(
    "credit_pool",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("pool_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=True),
    Column("cap", BigInteger, nullable=True),
    Column("currency", String(3), nullable=True),
    Column("metadata", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("archived_at", BigInteger, nullable=True),
)

credit_pool_member = Table(
    "credit_pool_member",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("pool_id", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("cap", BigInteger, nullable=True),
    Column("currency", String(3), nullable=True),
    Column("joined_at", BigInteger, nullable=False),
    Column("left_at", BigInteger, nullable=True),
    Index("credit_pool_member_pool", "pool_id", "position"),
    Index("credit_pool_member_ever", "customer", "pool_id", "position"),
    partial_index(
        "credit_pool_member_now",
        "customer",
        "pool_id",
        unique=True,
        where=IS_MEMBER,
    ),
)

# A row for each customer that ever drew or held something of a pool. It is folded with
# the credits that it counts.
credit_pool_use = Table(
    "credit_pool_use",
    metadata,
    Column("pool_id", Text, primary_key=True),
    Column("customer", Text, primary_key=True),
    # Without what was given back.
    Column("applied", BigInteger, nullable=False),
    # By holds that no fact ended, those that time ended among them.
    Column("held", BigInteger, nullable=False),
    CheckConstraint("applied >= 0", name="credit_pool_not_overreturned"),
    CheckConstraint("held >= 0", name="credit_pool_not_underheld"),
    partial_index(
        "credit_pool_use_held", "pool_id", "customer", where=text("held > 0")
    ),
    sqlite_with_rowid=False,
)

POOLS = RowFormat(credit_pool, Pool, {"metadata": packed_codec(dict[str, str])})
MEMBERS = RowFormat(credit_pool_member, PoolMember)
