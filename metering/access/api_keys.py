"""API keys: what a client may ask of a server.

A secret has 256 random bits. Only its SHA-256 is stored, and it is returned once, where
the key is created.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from ledger.records.keys import StoredKey, StoredKeys
from metering.access.requests import ApiKeyCreate, ScopeName
from metering.arguments.clock import at_microseconds, at_or_none
from metering.arguments.ids import found_by_id
from metering.arguments.pages import (
    ListObject,
    WholeListRequest,
    listed,
    within_page,
)
from metering.arguments.schema import checked
from metering.bodies import ResourceObject
from metering.store.engine import Engine

SCOPES: tuple[ScopeName, ...] = ("ingest", "read", "admin")
_SECRET_BYTES = 32


class ApiKey(ResourceObject, frozen=True, kw_only=True):
    """A key that opens a server.

    Attributes:
        kind: a secret key may do everything, a restricted one what its scopes allow.
        secret: None but where the key is created.
        last_four: the secret's last characters, to recognise it by.
        revoked_at: when it was revoked, None where it was not.
    """

    hidden: ClassVar = frozenset({"secret"})

    id: str
    name: str
    kind: Literal["secret", "restricted"]
    scopes: tuple[ScopeName, ...]
    livemode: bool
    created: datetime
    last_four: str
    secret: str | None = None
    revoked_at: datetime | None


class ApiKeys:
    """The API keys of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, *, name: str, scopes: Sequence[str] | None = None) -> ApiKey:
        """Create a key.

        Args:
            name: 1 to 100 characters, for people.
            scopes: what a restricted key may do, of ingest, read and admin; None makes
                a secret key, which may do everything.

        Returns:
            The key with its secret, which no other call returns.

        Raises:
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(ApiKeyCreate, name=name, scopes=scopes)
        is_restricted = asked.scopes is not None
        allowed = SCOPES if asked.scopes is None else asked.scopes
        livemode = self._engine.settings.livemode
        kind = "rk" if is_restricted else "sk"
        chance = secrets.token_hex(_SECRET_BYTES)
        secret = f"{kind}_{'live' if livemode else 'test'}_{chance}"
        with self._engine.writing() as writing:
            stored = StoredKey(
                key_id=self._engine.ids.resource("key"),
                name=asked.name,
                scopes=tuple(each for each in SCOPES if each in allowed),
                is_restricted=is_restricted,
                livemode=livemode,
                digest=digest_of(secret),
                last_four=secret[-4:],
                created=writing.real_now,
                revoked_at=None,
            )
            StoredKeys(writing.connection).add(stored)
        return msgspec.structs.replace(_resource(stored), secret=secret)

    def list(
        self,
        *,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[ApiKey]:
        """Return the keys, newest first, revoked ones among them.

        Args:
            limit: 1 to 100; None is all of them.
            starting_after: id of the key before the first one to list.
            ending_before: id of the key behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no key.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                WholeListRequest,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: WholeListRequest) -> ListObject[ApiKey]:
        keys = [_resource(each) for each in _stored(self._engine)]
        page = within_page(asked, keys, [each.id for each in keys], "API key")
        return listed(asked, page, self._page)

    def revoke(self, key_id: str) -> ApiKey:
        """Revoke a key, from this answer on; repeating it is success.

        Raises:
            ResourceMissingError: there is no such key.
        """
        found_by_id(self._stored, key_id, "API key")
        with self._engine.writing() as writing:
            StoredKeys(writing.connection).revoke(key_id, writing.real_now)
        return _resource(found_by_id(self._stored, key_id, "API key"))

    def _stored(self, key_id: str) -> StoredKey | None:
        keys = {each.key_id: each for each in _stored(self._engine)}
        return keys.get(key_id)


def keys_by_digest(engine: Engine) -> Mapping[bytes, ApiKey]:
    """Return every key of a connection's mode by the SHA-256 of its secret."""
    livemode = engine.settings.livemode
    return {
        each.digest: _resource(each)
        for each in _stored(engine)
        if each.livemode is livemode
    }


def digest_of(secret: str) -> bytes:
    """Return the SHA-256 of a secret, whose 256 random bits need nothing slower."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


def _stored(engine: Engine) -> Sequence[StoredKey]:
    with engine.log.read() as connection:
        return StoredKeys(connection).all()


def _resource(stored: StoredKey) -> ApiKey:
    return ApiKey(
        id=stored.key_id,
        name=stored.name,
        kind="restricted" if stored.is_restricted else "secret",
        scopes=tuple(each for each in SCOPES if each in stored.scopes),
        livemode=stored.livemode,
        created=at_microseconds(stored.created),
        last_four=stored.last_four,
        revoked_at=at_or_none(stored.revoked_at),
    )
