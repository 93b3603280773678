"""Requests that a store must not carry out twice, by their idempotency keys.

A request is written down in the database transaction of its effect, and its response
once there is one. So a retry after a lost response, or after a crash between the two,
finds what was done. A request without an effect is written down with its response.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from importlib import import_module
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    func,
    select,
    update,
)

from ledger.records.idempotency import Request, StoredRequest
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
_OURS = ("fingerprint", "request_id", "resource_id", "created")
_EXPIRED = "expired"


@cache
def _claiming(dialect: str) -> Any:
    """Insert a request, also in the place of one that is known no longer.

    Args:
        dialect: its name; that of the other database takes long to load.
    """
    of_dialect = import_module(f"sqlalchemy.dialects.{dialect}")
    added = of_dialect.insert(idempotent_request)
    put = {name: added.excluded[name] for name in _OURS}
    return added.on_conflict_do_update(
        index_elements=["key_id", "idempotency_key"],
        set_=put | dict.fromkeys(("status", "body")),
        where=_request.created <= bindparam(_EXPIRED),
    ).execution_options(preserve_rowcount=True)


_KNOWN = [_request[name] for name in StoredRequest.__struct_fields__]


class Requests:
    """Idempotent requests, as one database transaction sees them.

    All that writes is called under the write lock.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(
        self, key_id: str, idempotency_key: str, now: Callable[[], int]
    ) -> StoredRequest | None:
        """Return the request under a key of an API key, None where none is known.

        Args:
            key_id: of the API key.
            idempotency_key: of the request.
            now: returns the instant, and is asked only where there is a request.
        """
        row = self._connection.execute(
            select(*_KNOWN, _request.created).where(_is_under(key_id, idempotency_key))
        ).one_or_none()
        if row is None or row.created <= now() - REQUEST_LIFE:
            return None
        return StoredRequest(*row[: len(_KNOWN)])

    def claim(
        self, requests: Sequence[Request], now: int, *, made: str | None = None
    ) -> int:
        """Write down the requests whose keys are free, and return how many those were.

        Args:
            requests: that have their effect in this database transaction.
            now: the instant.
            made: id of what they made, where it has one.
        """
        if not requests:
            return 0
        self._forget(now)
        common = {"resource_id": made, "created": now, _EXPIRED: now - REQUEST_LIFE}
        rows = [asdict(each) | common for each in requests]
        claiming = _claiming(self._connection.dialect.name)
        return self._connection.execute(claiming, rows).rowcount

    def answer(
        self,
        request: Request,
        status: int,
        body: bytes,
        now: int,
        *,
        original: str | None,
    ) -> None:
        """Keep the response to a request, unless another one holds its keys.

        Args:
            request: the one that was answered.
            status: of the response.
            body: of the response.
            now: the instant.
            original: id of the request that had the effect, where its process died
                before it answered.
        """
        self.claim([request], now)
        ours = (request.request_id, original or request.request_id)
        self._connection.execute(
            update(idempotent_request)
            .where(
                _is_under(request.key_id, request.idempotency_key),
                _request.request_id.in_(ours),
            )
            .values(
                request_id=request.request_id, status=status, body=body, created=now
            )
        )

    def _forget(self, now: int) -> None:
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


def _is_under(key_id: str, idempotency_key: str) -> ColumnElement[bool]:
    return (_request.key_id == key_id) & (_request.idempotency_key == idempotency_key)
