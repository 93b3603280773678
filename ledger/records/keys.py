"""API keys: which callers a server admits. Of a secret, only its SHA-256 is stored."""

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from ledger.database.rows import FLAG, WORDS, RowFormat
from ledger.records.tables import metadata

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
_key = api_key.c


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key without its secret. Times are microseconds since 1970 UTC.

    Attributes:
        scopes: what it may do.
        is_restricted: whether it may do no more than that.
        digest: SHA-256 of the secret.
        last_four: the secret's last characters, for people.
    """

    key_id: str
    name: str
    scopes: tuple[str, ...]
    is_restricted: bool
    livemode: bool
    digest: bytes
    last_four: str
    created: int
    revoked_at: int | None


KEYS = RowFormat(
    api_key, StoredKey, {"scopes": WORDS, "is_restricted": FLAG, "livemode": FLAG}
)


class StoredKeys:
    """API keys, as one database transaction sees them.

    All that writes is called under the write lock.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[StoredKey]:
        """Return all keys, the newest first."""
        newest_first = select(api_key).order_by(_key.created.desc(), _key.key_id)
        return [KEYS.read(row) for row in self._connection.execute(newest_first)]

    def add(self, key: StoredKey) -> None:
        """Add a key."""
        self._connection.execute(insert(api_key), KEYS.named(key))

    def revoke(self, key_id: str, revoked_at: int) -> None:
        """Revoke a key; one that is revoked already keeps its time."""
        is_active = (_key.key_id == key_id) & _key.revoked_at.is_(None)
        self._connection.execute(
            update(api_key).where(is_active).values(revoked_at=revoked_at)
        )
