"""The log's own tables, and their format; `ledger.migrations` changes them."""

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
    inspect,
    select,
)

FORMAT_VERSION = 31
"""The format that this release writes."""

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
    Column("sealed_position", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    CheckConstraint("log_id = 1", name="log_head_one_row"),
)

# One row a format that the store was brought up to, and where the log ended then; none
# of formats that came before this table.
log_upgrade = Table(
    "log_upgrade",
    metadata,
    Column("format_version", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

# One row a fact that corrected the log's time, so that nobody looks for it in the log.
log_correction = Table(
    "log_correction",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("corrected_to", BigInteger, nullable=False),
    Column("after", BigInteger, nullable=False),
)

# One row a log whose entries this one begins with, the first of them first; none as a rule.
log_ancestor = Table(
    "log_ancestor",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("epoch", String(36), nullable=False),
    Column("up_to", BigInteger, nullable=False),
    Column("store", Text, nullable=False),
    Column("segments", LargeBinary, nullable=False),
    Column("runs", Text, nullable=True),
    Column("is_rehearsed", Integer, nullable=False),
)

# One row a segment. Nothing here is ever updated.
log_segment = Table(
    "log_segment",
    metadata,
    Column("after", BigInteger, primary_key=True, autoincrement=False),
    Column("up_to", BigInteger, nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("row_count", BigInteger, nullable=False),
    Column("byte_count", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("checksums", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("facts_position", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("earliest", BigInteger, nullable=False),
    Column("latest", BigInteger, nullable=False),
    CheckConstraint("up_to > after", name="log_segment_not_empty"),
)

# One row a file that is being put into the segment store, or was when its sealer died.
log_sealing = Table(
    "log_sealing",
    metadata,
    Column("name", String(128), primary_key=True),
)

# SQLite keeps a table by a key of this type, and one of any other type in an index beside
# the table, which each commit would write and sync as well.
_POSITION = BigInteger().with_variant(Integer(), "sqlite")

# One row a commit. Nothing here is ever updated; commits of usage that lie in a segment
# are deleted in the database transaction that adds the segment.
log_commit = Table(
    "log_commit",
    metadata,
    Column("first_position", _POSITION, primary_key=True, autoincrement=False),
    Column("entry_count", BigInteger, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("content_digest", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    CheckConstraint("entry_count > 0", name="log_commit_not_empty"),
)

# Some rows a file of a log on PostgreSQL that was given no segment store. A file is
# inserted and deleted as a whole, and never updated.
log_segment_chunk = Table(
    "log_segment_chunk",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

# Both are compressed already; trying again would cost more than writing them, and a part
# of a chunk could not be read without the rest.
for _table, _column in ((log_commit, "body"), (log_segment_chunk, "content")):
    event.listen(
        _table,
        "after_create",
        DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
            f"ALTER TABLE {_table.name} ALTER COLUMN {_column} SET STORAGE EXTERNAL"
        ).execute_if(dialect="postgresql"),
    )


def format_version(connection: Connection) -> int | None:
    """Return the format of the store, None where there is no store yet."""
    if not inspect(connection).has_table(log_head.name):
        return None
    return connection.execute(select(log_head.c.format_version)).scalar()
