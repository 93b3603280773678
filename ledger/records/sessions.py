"""Sessions of the stream. Of a token, only its SHA-256 is stored."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    delete,
    insert,
    select,
)

from ledger.database.rows import FLAG, RowFormat
from ledger.records.tables import metadata

meter_event_session = Table(
    "meter_event_session",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("livemode", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
_session = meter_event_session.c

_KEPT = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session without its token. Times are microseconds since 1970 UTC.

    Attributes:
        key_id: of the API key that made it.
        digest: SHA-256 of the token.
    """

    session_id: str
    key_id: str
    livemode: bool
    digest: bytes
    created: int
    expires_at: int


SESSIONS = RowFormat(meter_event_session, StoredSession, {"livemode": FLAG})


class StoredSessions:
    """Sessions, as one database transaction sees them.

    All that writes is called under the write lock.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, session: StoredSession) -> None:
        """Add a session, and delete those that expired a day ago."""
        self._connection.execute(
            delete(meter_event_session).where(
                _session.expires_at < session.created - _KEPT
            )
        )
        row = SESSIONS.named(session)
        self._connection.execute(insert(meter_event_session), row)

    def with_digests(self, digests: Sequence[bytes]) -> list[StoredSession]:
        """Return the sessions of some tokens, by their SHA-256."""
        rows = self._connection.execute(
            select(meter_event_session)
            .where(_session.digest.in_(digests))
            .order_by(_session.session_id)
        )
        return [SESSIONS.read(row) for row in rows]
