"""Secrets of webhook endpoints. They cannot be hashed: deliveries are signed with them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    String,
    Table,
    delete,
    insert,
    or_,
    select,
    update,
)

from ledger.records.tables import metadata

webhook_secret = Table(
    "webhook_secret",
    metadata,
    Column("endpoint_id", String(255), primary_key=True),
    Column("secret", String(128), primary_key=True),
    Column("created", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=True),
)
_secret = webhook_secret.c


class SigningSecrets:
    """The secrets of one endpoint, as one database transaction sees them."""

    def __init__(self, connection: Connection, endpoint_id: str) -> None:
        self._connection = connection
        self._endpoint_id = endpoint_id
        self._is_its = _secret.endpoint_id == endpoint_id

    def add(self, secret: str, created: int) -> None:
        """Give the endpoint a secret, which has no end yet."""
        row = {"endpoint_id": self._endpoint_id, "secret": secret, "created": created}
        self._connection.execute(insert(webhook_secret), row)

    def end(self, ends: int) -> None:
        """Let no secret of now sign beyond an instant."""
        goes_on = or_(_secret.ends.is_(None), _secret.ends > ends)
        self._connection.execute(
            update(webhook_secret).where(self._is_its, goes_on).values(ends=ends)
        )

    def current(self, now: int) -> list[str]:
        """Return the secrets that sign now, the newest first."""
        rows = self._connection.execute(
            select(_secret.secret)
            .where(self._is_its, or_(_secret.ends.is_(None), _secret.ends > now))
            .order_by(_secret.ends.is_(None).desc(), _secret.created.desc())
        )
        return list(rows.scalars())

    def delete(self) -> None:
        """Delete all of them."""
        self._connection.execute(delete(webhook_secret).where(self._is_its))
