"""Secrets of webhook endpoints. They cannot be hashed: deliveries are signed with them.

Where the deployment has a secret key they are encrypted under it, each bound to its
endpoint. A process without the key can neither read them nor add one in the clear.
"""

import hashlib

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

from ledger.errors import SecretKeyMissingError
from ledger.records.secret_keys import SecretKeys, key_name_of
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
    """The secrets of one endpoint, as one database transaction sees them.

    Args:
        connection: of the database transaction.
        endpoint_id: of the endpoint.
        keys: under which they are encrypted.
    """

    def __init__(
        self, connection: Connection, endpoint_id: str, keys: SecretKeys
    ) -> None:
        self._connection = connection
        self._endpoint_id = endpoint_id
        self._keys = keys
        self._is_its = _secret.endpoint_id == endpoint_id

    def add(self, secret: str, created: int) -> None:
        """Give the endpoint a secret, which has no end yet.

        Raises:
            SecretKeyMissingError: others are encrypted, and there is no key.
        """
        what = _named(self._endpoint_id)
        if not self._keys:
            for stored in self._connection.execute(select(_secret.secret)).scalars():
                if (name := key_name_of(stored)) is not None:
                    raise SecretKeyMissingError(what, name)
        row = {
            "endpoint_id": self._endpoint_id,
            "secret": self._keys.encrypt(secret, _place(self._endpoint_id, created)),
            "created": created,
        }
        self._connection.execute(insert(webhook_secret), row)

    def end(self, ends: int) -> None:
        """Let no secret of now sign beyond an instant."""
        goes_on = or_(_secret.ends.is_(None), _secret.ends > ends)
        self._connection.execute(
            update(webhook_secret).where(self._is_its, goes_on).values(ends=ends)
        )

    def current(self, now: int) -> list[str]:
        """Return the secrets that sign now, the newest first.

        Raises:
            SecretError: one of them cannot be read.
        """
        rows = self._connection.execute(
            select(_secret.secret, _secret.created)
            .where(self._is_its, or_(_secret.ends.is_(None), _secret.ends > now))
            .order_by(_secret.ends.is_(None).desc(), _secret.created.desc())
        )
        return [self._read(*row) for row in rows]

    def with_digest(self, digest: bytes) -> str | None:
        """Return the secret that has a SHA-256, also one that has ended; None for none.

        Raises:
            SecretError: one of them cannot be read.
        """
        rows = self._connection.execute(
            select(_secret.secret, _secret.created)
            .where(self._is_its)
            .order_by(_secret.created)
        )
        secrets = [self._read(*row) for row in rows]
        return next((each for each in secrets if _digest_of(each) == digest), None)

    def delete(self) -> None:
        """Delete all of them."""
        self._connection.execute(delete(webhook_secret).where(self._is_its))

    def _read(self, stored: str, created: int) -> str:
        place = _place(self._endpoint_id, created)
        return self._keys.decrypt(stored, place, _named(self._endpoint_id))


def encrypt_secrets(connection: Connection, keys: SecretKeys) -> int:
    """Encrypt under the key in use the secrets of all endpoints that are not.

    Args:
        connection: holds the write lock.
        keys: the one in use, and those under which secrets are so far.

    Returns:
        How many were not.

    Raises:
        SecretError: there is no key, or one of them cannot be read; nothing may be
            committed.
    """
    if not keys:
        raise SecretKeyMissingError("the secrets of webhook endpoints", None)
    if connection.dialect.name == "sqlite":
        # What is written over must not stay in the file.
        connection.exec_driver_sql("PRAGMA secure_delete=1")
    rows = connection.execute(
        select(webhook_secret).order_by(_secret.endpoint_id, _secret.created)
    ).all()
    encrypted = 0
    for row in rows:
        place = _place(row.endpoint_id, row.created)
        secret = keys.decrypt(row.secret, place, _named(row.endpoint_id))
        if not keys.is_current(row.secret):
            connection.execute(
                update(webhook_secret)
                .where(
                    _secret.endpoint_id == row.endpoint_id, _secret.secret == row.secret
                )
                .values(secret=keys.encrypt(secret, place))
            )
            encrypted += 1
    return encrypted


def _digest_of(secret: str) -> bytes:
    """Return what tells a secret from others and reveals none: it has 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()


def _place(endpoint_id: str, created: int) -> tuple[str, ...]:
    return (webhook_secret.name, endpoint_id, str(created))


def _named(endpoint_id: str) -> str:
    return f"the secret of webhook endpoint {endpoint_id}"
