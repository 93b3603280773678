"""Requests that a store must not carry out twice, by their idempotency keys.

A request is written down in the database transaction of its effect, and its response
once there is one. So a retry after a lost response, or after a crash between the two,
finds what was done. A request without an effect is written down with its response.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from ledger.errors import RequestRepeatedError
from ledger.facts.alerts import CreditAlertCreated, UsageAlertCreated
from ledger.facts.credits import CreditGrantCreated
from ledger.facts.meters import MeterCreated
from ledger.facts.union import Fact
from ledger.facts.webhooks import WebhookEndpointCreated
from ledger.records.idempotency import Request
from ledger.records.tables import metadata

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

_request = idempotent_request.c
_COLUMNS: Sequence[str] = [each.name for each in idempotent_request.columns]
_OURS = ("fingerprint", "request_id", "created")
_EXPIRED = "expired"


def _insert_absent(dialect: ModuleType) -> Any:
    """Insert a request, also in the place of one that is known no longer."""
    added = dialect.insert(idempotent_request)
    put = {name: added.excluded[name] for name in _OURS}
    put |= dict.fromkeys(("resource_id", "status", "body"))
    return added.on_conflict_do_update(
        index_elements=["key_id", "idempotency_key"],
        set_=put,
        where=_request.created <= bindparam(_EXPIRED),
    )


_INSERT_ABSENT = {
    each.dialect.name: _insert_absent(each) for each in (sqlite, postgresql)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """A request that had an effect, under the idempotency key of an API key.

    Attributes:
        fingerprint: of what was asked.
        request_id: of the one that had the effect.
        resource_id: of what it made, where it made something that has an id.
        status: of the response; None where its process died before it had one.
        body: of the response.
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


class Requests:
    """Idempotent requests, as one database transaction sees them.

    All that writes is called under the write lock.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, key_id: str, idempotency_key: str, now: int) -> StoredRequest | None:
        """Return the request under a key of an API key, None where none is known."""
        row = (
            self._connection.execute(
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

    def put(self, request: StoredRequest) -> None:
        """Add a request, or put it in the place of an earlier one."""
        self._connection.execute(
            delete(idempotent_request).where(
                _request.key_id == request.key_id,
                _request.idempotency_key == request.idempotency_key,
            )
        )
        row = {name: getattr(request, name) for name in _COLUMNS}
        self._connection.execute(insert(idempotent_request), row)

    def claim(self, request: Request, facts: Sequence[Fact], now: int) -> None:
        """Write down the request on whose behalf facts are recorded.

        Raises:
            RequestRepeatedError: a request under its keys has had its effect.
        """
        if self.find(request.key_id, request.idempotency_key, now) is not None:
            raise RequestRepeatedError(request.idempotency_key)
        made = _created_id(facts[0])
        self.put(StoredRequest.unanswered(request, now, resource_id=made))

    def add(self, requests: Sequence[Request], recorded_at: int) -> None:
        """Add requests without a response; those that are there stay as they are."""
        if not requests:
            return
        rows = [
            {
                "key_id": each.key_id,
                "idempotency_key": each.idempotency_key,
                "fingerprint": each.fingerprint,
                "request_id": each.request_id,
                "created": recorded_at,
                _EXPIRED: recorded_at - REQUEST_LIFE,
            }
            for each in requests
        ]
        added = _INSERT_ABSENT[self._connection.dialect.name]
        self._connection.execute(added, rows)
        self.forget(recorded_at)

    def forget(self, now: int) -> None:
        """Forget requests that are no longer known, a minute's worth of them at a time.

        However many have gathered, no append is held up for long; and each one forgets
        more than it adds, until all are forgotten.
        """
        oldest = select(func.min(_request.created)).scalar_subquery()
        self._connection.execute(
            delete(idempotent_request).where(
                _request.created <= now - REQUEST_LIFE,
                _request.created < oldest + _FORGOTTEN_AT_A_TIME,
            )
        )


def _created_id(fact: Fact) -> str | None:
    match fact:
        case MeterCreated():
            return fact.meter_id
        case UsageAlertCreated() | CreditAlertCreated():
            return fact.alert_id
        case CreditGrantCreated():
            return fact.grant_id
        case WebhookEndpointCreated():
            return fact.endpoint_id
        case _:
            return None
