"""Idempotency: requests that are sent again, and are not done again.

A request is written down in the very database transaction that records its effect, and
its answer afterwards. Where a process dies between the two, or its client hears nothing,
a repetition finds what was done. What had no effect is written down with its answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ledger.records.idempotency import Request
from ledger.records.requests import Requests, StoredRequest
from metering.store.engine import REQUEST, Engine


class IdempotentRequests:
    """The requests of a store that came under an idempotency key, for 24 hours."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, request: Request) -> StoredRequest | None:
        """Find the request that was made under the same keys."""
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
        """Write down how a request was answered.

        What another request under the same keys did, or was answered, stays.

        Args:
            request: that was answered.
            status: of the answer.
            body: of the answer.
            original: id of the request whose effect it is, where that died before it
                was answered.
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
