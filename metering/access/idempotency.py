"""Idempotency: requests that are sent again, and have no second effect.

A request is written down in the database transaction of its effect, and its response
afterwards. So a retry after a lost response, or after a crash between the two, finds
what was done. A request without an effect is written down with its response.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from ledger.records.idempotency import Request
from ledger.records.requests import REQUEST_LIFE, Requests, StoredRequest
from metering.store.engine import REQUEST, Engine

KnownRequest = StoredRequest
"""What a store knows of a request."""
LIFE = timedelta(microseconds=REQUEST_LIFE)
"""How long requests are known."""


class IdempotentRequests:
    """The requests of a store that came under an idempotency key, for 24 hours."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, request: Request) -> StoredRequest | None:
        """Return the request that was made under the same keys, None where none was."""
        now = self._engine.now()
        with self._engine.log.read() as connection:
            return Requests(connection).find(
                request.key_id, request.idempotency_key, now
            )

    @contextmanager
    def on_behalf_of(self, request: Request) -> Iterator[None]:
        """Write a request down with what this thread records, until the block ends.

        Raises:
            RequestRepeatedError: from what records facts: it is written down already,
                and nothing was recorded.
        """
        token = REQUEST.set(request)
        try:
            yield
        finally:
            REQUEST.reset(token)

    def answer(
        self, request: Request, status: int, body: bytes, *, original: str | None = None
    ) -> None:
        """Write down the response to a request, unless another one holds its keys.

        Args:
            request: the one that was answered.
            status: of the response.
            body: of the response.
            original: id of the request that had the effect, where its process died
                before it answered.
        """
        with self._engine.writing() as writing:
            requests, now = Requests(writing.connection), writing.now
            requests.forget(now)
            known = requests.find(request.key_id, request.idempotency_key, now)
            ours = (request.request_id, original)
            if known is not None and known.request_id not in ours:
                return
            resource_id = None if known is None else known.resource_id
            stored = StoredRequest.unanswered(request, now, resource_id=resource_id)
            requests.put(replace(stored, status=status, body=body))
