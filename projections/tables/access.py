"""The tables of the server: keys that open it, and requests it must not do twice.

They follow from nothing in the log, so they stay when other tables are made anew.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from ledger.records.requests import Request
from projections.schema import metadata, operational

# A secret is kept as its SHA-256: whoever reads the table cannot use it.
api_key = Table(
    "api_key",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("scopes", String(64), nullable=False),
    Column("is_restricted", Integer, nullable=False),
    Column("livemode", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("last_four", String(4), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("revoked_at", BigInteger, nullable=True),
)

# One row a request that had an effect. It is added in the database transaction of the
# effect, and the answer when there is one.
idempotent_request = Table(
    "idempotent_request",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("resource_id", String(255), nullable=True),
    Column("status", Integer, nullable=True),
    Column("body", LargeBinary, nullable=True),
    Column("created", BigInteger, nullable=False),
    Index("idempotent_request_created", "created"),
    # Its key is most of a row: kept once, not also in an index.
    sqlite_with_rowid=False,
)

REQUEST_LIFE = timedelta(hours=24) // timedelta(microseconds=1)
"""How long requests are known, in microseconds."""
_FORGOTTEN_AT_A_TIME = timedelta(minutes=1) // timedelta(microseconds=1)


def add_requests(
    connection: Connection, requests: Sequence[Request], recorded_at: int
) -> None:
    """Add requests without an answer; those that are there stay as they are."""
    if not requests:
        return
    dialect = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name]
    rows = [
        {
            "key_id": each.key_id,
            "idempotency_key": each.idempotency_key,
            "fingerprint": each.fingerprint,
            "request_id": each.request_id,
            "created": recorded_at,
        }
        for each in requests
    ]
    added = dialect.insert(idempotent_request).on_conflict_do_nothing()
    connection.execute(added, rows)
    forget_requests(connection, recorded_at)


def forget_requests(connection: Connection, now: int) -> None:
    """Forget requests that are no longer known, a minute's worth of them at a time.

    Whatever has gathered, an append is not held up by it for long; and each append
    forgets more than it adds, until all is forgotten.
    """
    created = idempotent_request.c.created
    oldest = select(func.min(created)).scalar_subquery()
    connection.execute(
        delete(idempotent_request).where(
            created <= now - REQUEST_LIFE, created < oldest + _FORGOTTEN_AT_A_TIME
        )
    )


ACCESS = operational("access", version=1)
