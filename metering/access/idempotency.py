"""Idempotency: requests that are sent again, and have no second effect.

A request is written down in the database transaction of its effect, and its response
afterwards. So a retry after a lost response, or after a crash between the two, finds
what was done. A request without an effect is written down with its response.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ledger.records.idempotency import Request, StoredRequest
from ledger.records.requests import REQUEST_LIFE, Requests
from metering.arguments.clock import system_time
from metering.store.engine import REQUEST, Engine

LIFE = REQUEST_LIFE
"""How long requests are known, in microseconds."""


class IdempotentRequests:
    """The requests of a store that came under an idempotency key, for 24 hours."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def now(self) -> int:
        """Return the time by which a request is forgotten, without asking the store.

        It is microseconds since 1970 UTC, and never beyond the time of this machine.
        """
        return min(self._engine.now(), system_time())

    def find(self, request: Request) -> StoredRequest | None:
        """Return the request that was made under the same keys, None where none was."""
        log, clock = self._engine.log, self._engine.now()
        with log.read() as connection:
            return Requests(connection).find(
                request.key_id,
                request.idempotency_key,
                lambda: log.judge.real_time(connection, clock),
            )

    @contextmanager
    def on_behalf_of(self, request: Request) -> Iterator[None]:
        """Write a request down with the facts that this thread records in the block.

        Raises:
            RequestRepeatedError: from what records: it is written down already,
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
        """Keep the response to a request; see `Requests.answer`."""
        with self._engine.writing() as writing:
            requests = Requests(writing.connection)
            requests.answer(request, status, body, writing.real_now, original=original)
