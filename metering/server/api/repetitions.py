"""Repetitions: a request that comes again under its idempotency key is not done again.

What had an effect was written down with it, so that this holds across processes and
their deaths. What was refused because of what is recorded is kept as well, and answered
the same for 24 hours; what was malformed is not, nor what failed here: nothing came of
it, and it may be sent again. Source: https://docs.stripe.com/api/idempotent_requests
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ledger.records.idempotency import Request
from metering.connection import Metering
from metering.errors import InvalidRequestError
from metering.server.api.errors import (
    RequestDiffersError,
    RequestRefusedError,
    RequestRunningError,
)
from metering.server.api.failures import headers_of_replay, response_to_failure
from metering.server.api.requests import HttpResponse
from metering.server.grammar.dialects import Dialect

REPLAYED = {"Idempotency-Replayed": "true", "Idempotent-Replayed": "true"}
"""Both spellings are in use."""

_ORIGINAL = "Original-Request"
_RECENT_MAX = 1 << 16
_MALFORMED = ("parameter", "invalid_characters")

_Name = tuple[str, str]


class Repetitions:
    """The requests that are being answered, and those that were."""

    def __init__(self, m: Metering) -> None:
        self._m = m
        self._lock = threading.Lock()
        self._running: set[_Name] = set()
        # A cache, so that usage need not be looked up each time. What is not in it any
        # more is still recorded once: by its identifier.
        self._recent: OrderedDict[_Name, bytes] = OrderedDict()

    @contextmanager
    def alone(self, request: Request) -> Iterator[None]:
        """Answer a request while no other one under its keys is answered.

        Raises:
            RequestRunningError: another one is.
            RequestDiffersError: another one was, just now.
        """
        name = (request.key_id, request.idempotency_key)
        with self._lock:
            if name in self._running:
                raise RequestRunningError(request.idempotency_key)
            if self._recent.get(name, request.fingerprint) != request.fingerprint:
                raise RequestDiffersError(request.idempotency_key)
            self._running.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(name)

    def remember(self, request: Request) -> None:
        """Know a request whose answer is not kept, to tell it from others."""
        with self._lock:
            name = (request.key_id, request.idempotency_key)
            self._recent[name] = request.fingerprint
            if len(self._recent) > _RECENT_MAX:
                self._recent.popitem(last=False)

    def reply(
        self,
        request: Request,
        dialect: Dialect,
        *,
        do: Callable[[], HttpResponse],
        recover: Callable[[str | None], HttpResponse | None],
    ) -> HttpResponse:
        """Do what a request asks, or answer it as it was answered.

        Args:
            request: that no other one under its keys is answered beside.
            dialect: in which a refusal is kept.
            do: does it.
            recover: makes the answer of what was done, by the id of what it made; None
                where it can be done again, to no other effect.

        Raises:
            RequestDiffersError: the idempotency key was used for another request.
        """
        known = self._m.idempotent_requests.find(request)
        if known is None:
            try:
                return self._first(request, dialect, do)
            except InvalidRequestError:
                # Another process may have done it meanwhile, and be why it was refused.
                known = self._m.idempotent_requests.find(request)
                if known is None or known.request_id == request.request_id:
                    raise
        if known.fingerprint != request.fingerprint:
            raise RequestDiffersError(request.idempotency_key)
        original = {_ORIGINAL: known.request_id}
        if known.status is None:
            reply = recover(known.resource_id) or do()
            self._keep(request, reply, original=known.request_id)
            headers = {**reply.headers, **REPLAYED, **original}
            return HttpResponse(status=reply.status, body=reply.body, headers=headers)
        assert known.body is not None, "an answer has a body"
        headers = {**headers_of_replay(known.status), **REPLAYED, **original}
        return HttpResponse(status=known.status, body=known.body, headers=headers)

    def _first(
        self, request: Request, dialect: Dialect, do: Callable[[], HttpResponse]
    ) -> HttpResponse:
        try:
            with self._m.idempotent_requests.on_behalf_of(request):
                reply = do()
        except RequestRefusedError:
            raise
        except InvalidRequestError as error:
            if not error.code.startswith(_MALFORMED):
                self._keep(request, response_to_failure(error, dialect))
            raise
        self._keep(request, reply)
        return reply

    def _keep(
        self, request: Request, reply: HttpResponse, *, original: str | None = None
    ) -> None:
        self._m.idempotent_requests.answer(
            request, reply.status, reply.body, original=original
        )
