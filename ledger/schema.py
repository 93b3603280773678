"""The log's own tables."""

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    event,
)

FORMAT_VERSION = 1

metadata = MetaData()

# One row. Readers compare it with what they hold; an append moves it.
log_head = Table(
    "log_head",
    metadata,
    Column("log_id", Integer, primary_key=True, autoincrement=False),
    Column("format_version", Integer, nullable=False),
    Column("epoch", String(36), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("facts_position", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    CheckConstraint("log_id = 1", name="log_head_one_row"),
)

# One row a commit. Nothing here is ever updated.
log_commit = Table(
    "log_commit",
    metadata,
    Column("first_position", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_count", BigInteger, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("content_digest", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    CheckConstraint("entry_count > 0", name="log_commit_not_empty"),
)

# Bodies are compressed already; trying again would cost more than writing them.
event.listen(
    log_commit,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
        "ALTER TABLE log_commit ALTER COLUMN body SET STORAGE EXTERNAL"
    ).execute_if(dialect="postgresql"),
)
