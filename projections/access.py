"""Keys and requests of the server, as one database transaction sees them.

All that writes is called in a database transaction that holds the write lock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ledger.facts.alerts import UsageAlertCreated
from ledger.facts.credits import CreditGrantCreated
from ledger.facts.meters import MeterCreated
from ledger.facts.union import Fact
from ledger.facts.webhooks import WebhookEndpointCreated
from ledger.records.requests import Request
from projections.errors import RequestRepeatedError
from projections.tables.access import (
    REQUEST_LIFE,
    api_key,
    forget_requests,
    idempotent_request,
)

Decide = Callable[[Connection, int], Sequence[Fact]]

_key, _request = api_key.c, idempotent_request.c


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """A request that had an effect, under the idempotency key of an API key.

    Attributes:
        fingerprint: of what was asked.
        request_id: of the one that had the effect.
        resource_id: of what it made, where it made something that has an id.
        status: of the answer; None where its process died before it had one.
        body: of the answer.
    """

    key_id: str
    idempotency_key: str
    fingerprint: bytes
    request_id: str
    resource_id: str | None
    status: int | None
    body: bytes | None
    created: int

    @classmethod
    def unanswered(
        cls, request: Request, now: int, *, resource_id: str | None
    ) -> "StoredRequest":
        """Write down a request that has had its effect at an instant."""
        return cls(
            key_id=request.key_id,
            idempotency_key=request.idempotency_key,
            fingerprint=request.fingerprint,
            request_id=request.request_id,
            resource_id=resource_id,
            status=None,
            body=None,
            created=now,
        )


class Access:
    """Keys and requests, as a database transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    # Keys.

    def keys(self) -> list[StoredKey]:
        """Read all keys, the newest first."""
        newest_first = select(api_key).order_by(_key.created.desc(), _key.key_id)
        return [_stored_key(row) for row in self.connection.execute(newest_first)]

    def add_key(self, key: StoredKey) -> None:
        """Add a key."""
        row = {
            "key_id": key.key_id,
            "name": key.name,
            "scopes": " ".join(key.scopes),
            "is_restricted": int(key.is_restricted),
            "livemode": int(key.livemode),
            "digest": key.digest,
            "last_four": key.last_four,
            "created": key.created,
        }
        self.connection.execute(insert(api_key), row)

    def revoke_key(self, key_id: str, revoked_at: int) -> None:
        """Let a key open nothing any more."""
        is_it = _key.key_id == key_id
        goes_on = is_it & _key.revoked_at.is_(None)
        self.connection.execute(
            update(api_key).where(goes_on).values(revoked_at=revoked_at)
        )

    # Requests.

    def request(
        self, key_id: str, idempotency_key: str, now: int
    ) -> StoredRequest | None:
        """Find a request that is still known."""
        row = (
            self.connection.execute(
                select(idempotent_request).where(
                    _request.key_id == key_id,
                    _request.idempotency_key == idempotency_key,
                    _request.created > now - REQUEST_LIFE,
                )
            )
            .mappings()
            .one_or_none()
        )
        return None if row is None else StoredRequest(**row)

    def put_request(self, request: StoredRequest) -> None:
        """Add a request, or put it in the place of an earlier one."""
        self.connection.execute(
            delete(idempotent_request).where(
                _request.key_id == request.key_id,
                _request.idempotency_key == request.idempotency_key,
            )
        )
        row = {name: getattr(request, name) for name in _REQUEST_COLUMNS}
        self.connection.execute(insert(idempotent_request), row)

    def forget_requests(self, now: int) -> None:
        """Forget some of the requests that are no longer known."""
        forget_requests(self.connection, now)


_REQUEST_COLUMNS: Sequence[str] = [each.name for each in idempotent_request.columns]


def changing(change: Callable[[Access, int], None]) -> Decide:
    """Make a decision that changes keys and requests, and records no fact."""

    def decide(connection: Connection, instant: int) -> Sequence[Fact]:
        change(Access(connection), instant)
        return ()

    return decide


def claiming(request: Request, decide: Decide) -> Decide:
    """Make a decision that writes down on whose behalf its facts are recorded.

    Raises:
        RequestRepeatedError: when it is made, and the request has had its effect.
    """

    def claimed(connection: Connection, instant: int) -> Sequence[Fact]:
        facts = decide(connection, instant)
        if facts:
            _claim(Access(connection), request, facts[0], instant)
        return facts

    return claimed


def _claim(access: Access, request: Request, fact: Fact, now: int) -> None:
    if access.request(request.key_id, request.idempotency_key, now) is not None:
        raise RequestRepeatedError(request.idempotency_key)
    made = StoredRequest.unanswered(request, now, resource_id=_created_id(fact))
    access.put_request(made)


def _created_id(fact: Fact) -> str | None:
    match fact:
        case MeterCreated():
            return fact.meter_id
        case UsageAlertCreated():
            return fact.alert_id
        case CreditGrantCreated():
            return fact.grant_id
        case WebhookEndpointCreated():
            return fact.endpoint_id
        case _:
            return None


def _stored_key(row: Row[Any]) -> StoredKey:
    return StoredKey(
        key_id=row.key_id,
        name=row.name,
        scopes=tuple(row.scopes.split()),
        is_restricted=bool(row.is_restricted),
        livemode=bool(row.livemode),
        digest=bytes(row.digest),
        last_four=row.last_four,
        created=row.created,
        revoked_at=row.revoked_at,
    )
