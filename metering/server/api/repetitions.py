"""Repetitions: a request that comes again under its idempotency key has no second effect.

The store writes a request down in the database transaction of its effect, usage and
facts the same, so this holds across processes and their crashes. A response is kept
beside it for 24 hours, unless it can be made again from the log. A refusal because of
what is recorded is kept as well. One because the request is malformed is not, nor is a
fault of the server: nothing came of it, and it may be sent again.

A response that shows a secret is kept with the secret's SHA-256 in its place, and the
secret is put back for a repetition. It lies where it is used, encrypted if the store has
a key; that of a session is made again of the API key that both requests carry.
Source: https://docs.stripe.com/api/idempotent_requests
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec

from ledger.records.idempotency import Request, StoredRequest
from metering.access.api_keys import digest_of
from metering.access.idempotency import LIFE
from metering.bodies import encoded
from metering.connection import Metering
from metering.errors import InvalidRequestError
from metering.server.api.error_responses import headers_of_replay, response_to_failure
from metering.server.api.errors import (
    RequestDiffersError,
    RequestRefusedError,
    RequestRunningError,
)
from metering.server.api.requests import HttpResponse
from metering.server.api.routes import Call, Route, ShownSecret

REPLAYED = {"Idempotency-Replayed": "true", "Idempotent-Replayed": "true"}
"""Both spellings are in use."""
_ORIGINAL = "Original-Request"
_RECENT_MAX = 1 << 16
_HASHED = "sha256:"
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
        self._recent: OrderedDict[_KeyPair, tuple[bytes, int]] = OrderedDict()

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
                is_known = self._m.internals.requests.now() - answered_at < LIFE
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
            now = self._m.internals.requests.now()
            self._recent[name] = (request.fingerprint, now)
            if len(self._recent) > _RECENT_MAX:
                self._recent.popitem(last=False)

    def once(
        self,
        call: Call,
        route: Route,
        *,
        do: Callable[[], HttpResponse],
        recover: Callable[[str | None], HttpResponse | None],
    ) -> HttpResponse:
        """Do what a request asks and keep the response, or return the one that is kept.

        Args:
            call: of a request that is `alone`.
            route: of the request.
            do: carries the request out.
            recover: makes the response to a request that was carried out, by the id of
                what it created; None where carrying it out again has no second effect.

        Raises:
            RequestDiffersError: the idempotency key was used for another request.
        """
        request = call.request
        assert request is not None, "it has an idempotency key"
        known = self._m.internals.requests.find(request)
        if known is None:
            try:
                return self._first(request, route, do)
            except InvalidRequestError:
                # Another process may have done it meanwhile, and be why it was refused.
                known = self._m.internals.requests.find(request)
                if known is None or known.request_id == request.request_id:
                    raise
        if known.fingerprint != request.fingerprint:
            raise RequestDiffersError(request.idempotency_key)
        if known.status is not None:
            return _replayed(known, call, route)
        response = recover(known.resource_id) or do()
        self._keep(request, response, route, original=known.request_id)
        return _as_replay(response, known)

    def _first(
        self, request: Request, route: Route, do: Callable[[], HttpResponse]
    ) -> HttpResponse:
        try:
            with self._m.internals.requests.on_behalf_of(request):
                response = do()
        except RequestRefusedError:
            raise
        except InvalidRequestError as error:
            if not error.code.startswith(_MALFORMED):
                self._keep(request, response_to_failure(error, route.dialect), route)
            raise
        self._keep(request, response, route)
        return response

    def _keep(
        self,
        request: Request,
        response: HttpResponse,
        route: Route,
        *,
        original: str | None = None,
    ) -> None:
        body = response.body
        if route.shown_secret is not None:
            body = _without_secret(body, route.shown_secret.field)
        self._m.internals.requests.answer(
            request, response.status, body, original=original
        )


def _replayed(known: StoredRequest, call: Call, route: Route) -> HttpResponse:
    assert known.status is not None, "it was answered"
    assert known.body is not None, "a response has a body"
    body = known.body
    if route.shown_secret is not None:
        body = _with_secret(body, call, route.shown_secret)
    headers = headers_of_replay(known.status)
    kept = HttpResponse(status=known.status, body=body, headers=headers)
    return _as_replay(kept, known)


def _with_secret(body: bytes, call: Call, shown: ShownSecret) -> bytes:
    """Undo `_without_secret`; the secret of what was deleted since is left out."""
    fields = msgspec.json.decode(body)
    kept = fields.pop(shown.field, None)
    # An earlier release, still at work on the store, keeps it as it is.
    if kept is None or not kept.startswith(_HASHED):
        return body
    digest = bytes.fromhex(kept.removeprefix(_HASHED))
    secret = shown.find(call, fields["id"], digest)
    return encoded(fields if secret is None else {**fields, shown.field: secret})


def _without_secret(body: bytes, field: str) -> bytes:
    """Return a resource in JSON with its secret's digest in the place of the secret."""
    fields = msgspec.json.decode(body)
    secret = fields.get(field)
    if secret is None:
        return body
    kept = f"{_HASHED}{digest_of(secret).hex()}"
    return encoded({**fields, field: kept})


def _as_replay(response: HttpResponse, known: StoredRequest) -> HttpResponse:
    headers = {**response.headers, **REPLAYED, _ORIGINAL: known.request_id}
    return replace(response, headers=headers)
