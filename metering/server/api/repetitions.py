"""Repetitions: a request that comes again under its idempotency key has no second effect.

The store writes a request down in the database transaction of its effect, usage and
facts the same, so this holds across processes and their crashes. A response is kept
beside it for 24 hours, unless it can be made again from the log. A refusal because of
what is recorded is kept as well. One because the request is malformed is not, nor is a
fault of the server: nothing came of it, and it may be sent again.
Source: https://docs.stripe.com/api/idempotent_requests
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from ledger.records.idempotency import Request, StoredRequest
from metering.access.idempotency import LIFE
from metering.connection import Metering
from metering.errors import InvalidRequestError
from metering.server.api.error_responses import headers_of_replay, response_to_failure
from metering.server.api.errors import (
    RequestDiffersError,
    RequestRefusedError,
    RequestRunningError,
)
from metering.server.api.requests import HttpResponse
from metering.server.grammar.dialects import Dialect

REPLAYED = {"Idempotency-Replayed": "true", "Idempotent-Replayed": "true"}
"""Both spellings are in use."""
_ORIGINAL = "Original-Request"
_RECENT_MAX = 1 << 16
_MALFORMED = ("parameter", "invalid_characters")

_KeyPair = tuple[str, str]


class Repetitions:
    """The requests that a server is answering, and those that the store has answered."""

    def __init__(self, m: Metering) -> None:
        self._m = m
        self._lock = threading.Lock()
        self._running: set[_KeyPair] = set()
        # A cache, so that usage is not looked up each time. What has left it is still
        # recorded once: by its identifier.
        self._recent: OrderedDict[_KeyPair, tuple[bytes, datetime]] = OrderedDict()

    @contextmanager
    def alone(self, request: Request) -> Iterator[None]:
        """Answer a request while no other one under its key is answered here."""
        name = (request.key_id, request.idempotency_key)
        with self._lock:
            if name in self._running:
                raise RequestRunningError(request.idempotency_key)
            recent = self._recent.get(name)
            if recent is not None:
                fingerprint, answered_at = recent
                is_known = self._m.now() - answered_at < LIFE
                if is_known and fingerprint != request.fingerprint:
                    raise RequestDiffersError(request.idempotency_key)
            self._running.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(name)

    def remember(self, request: Request) -> None:
        """Distinguish later requests under a key from the one that was answered."""
        with self._lock:
            name = (request.key_id, request.idempotency_key)
            self._recent[name] = (request.fingerprint, self._m.now())
            if len(self._recent) > _RECENT_MAX:
                self._recent.popitem(last=False)

    def once(
        self,
        request: Request,
        dialect: Dialect,
        *,
        do: Callable[[], HttpResponse],
        recover: Callable[[str | None], HttpResponse | None],
    ) -> HttpResponse:
        """Do what a request asks and keep the response, or return the one that is kept.

        Args:
            request: one that is `alone`.
            dialect: in which a refusal is kept.
            do: carries the request out.
            recover: makes the response to a request that was carried out, by the id of
                what it created; None where carrying it out again has no second effect.

        Raises:
            RequestDiffersError: the idempotency key was used for another request.
        """
        known = self._m.internals.requests.find(request)
        if known is None:
            try:
                return self._first(request, dialect, do)
            except InvalidRequestError:
                # Another process may have done it meanwhile, and be why it was refused.
                known = self._m.internals.requests.find(request)
                if known is None or known.request_id == request.request_id:
                    raise
        if known.fingerprint != request.fingerprint:
            raise RequestDiffersError(request.idempotency_key)
        return self._again(request, known, do, recover)

    def _first(
        self, request: Request, dialect: Dialect, do: Callable[[], HttpResponse]
    ) -> HttpResponse:
        try:
            with self._m.internals.requests.on_behalf_of(request):
                response = do()
        except RequestRefusedError:
            raise
        except InvalidRequestError as error:
            if not error.code.startswith(_MALFORMED):
                self._keep(request, response_to_failure(error, dialect))
            raise
        self._keep(request, response)
        return response

    def _again(
        self,
        request: Request,
        known: StoredRequest,
        do: Callable[[], HttpResponse],
        recover: Callable[[str | None], HttpResponse | None],
    ) -> HttpResponse:
        replayed = {**REPLAYED, _ORIGINAL: known.request_id}
        if known.status is None:
            response = recover(known.resource_id) or do()
            self._keep(request, response, original=known.request_id)
            headers = {**response.headers, **replayed}
            return HttpResponse(
                status=response.status, body=response.body, headers=headers
            )
        assert known.body is not None, "a response has a body"
        headers = {**headers_of_replay(known.status), **replayed}
        return HttpResponse(status=known.status, body=known.body, headers=headers)

    def _keep(
        self, request: Request, response: HttpResponse, *, original: str | None = None
    ) -> None:
        self._m.internals.requests.answer(
            request, response.status, response.body, original=original
        )
