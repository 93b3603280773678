"""The service: turns a request into a response, on any thread.

It knows nothing of sockets. A request is authenticated, then read and carried out as its
route says. Whatever goes wrong becomes one of Stripe's errors.
"""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import metering
from ledger.records.idempotency import Request
from metering.arguments.kinds import read_fields
from metering.bodies import Body, encoded
from metering.connection import Metering
from metering.decoding.compression import decompressed
from metering.errors import InvalidRequestError
from metering.server.api.authentication import (
    Keys,
    check_account,
    check_scope,
    key_of,
    session_of,
)
from metering.server.api.complaints import limit_complaints
from metering.server.api.error_responses import log_failure, response_to_failure
from metering.server.api.errors import (
    MediaTypeRefusedError,
    PositionNotReachedError,
    UnknownRouteError,
)
from metering.server.api.expansion import check_paths, expand
from metering.server.api.health import Health
from metering.server.api.metrics import Metrics
from metering.server.api.rates import Rates
from metering.server.api.repetitions import REPLAYED, Repetitions
from metering.server.api.requests import (
    HttpRequest,
    HttpResponse,
    check_encoding,
    has_body,
    media_type_named,
)
from metering.server.api.routes import Answer, Call, Route, RowsBody, SentRows
from metering.server.api.versions import is_before
from metering.server.grammar.cloud_events import attributes_in, is_in_binary_mode
from metering.server.grammar.forms import decode_form, given_twice
from metering.server.grammar.json_bodies import decode_json
from metering.server.grammar.media_types import CLOUD_EVENT, JSON
from metering.usage.requests import POSITION_MAX

ServiceOutcome = HttpResponse | PositionNotReachedError
"""A response, or that the log has not reached the position the request asks for."""

POSITION = "Metering-Position"
MIN_POSITION = "metering-min-position"
IDEMPOTENCY_KEY = "idempotency-key"
LONGEST_IDEMPOTENCY_KEY = 255

_log = limit_complaints(logging.getLogger(__name__))


class Service:
    """Answers requests from a store. Thread-safe.

    Args:
        m: the store.
        metrics: of the application, for the route that reports them.
        rate_limit: how many requests a second a key may make; None is any number.
    """

    def __init__(
        self, m: Metering, metrics: Metrics, *, rate_limit: int | None
    ) -> None:
        self._m = m
        self._metrics = metrics
        self._rates = Rates(rate_limit, time.monotonic)
        self._repetitions = Repetitions(m)

    def answer(self, route: Route, asked: HttpRequest, keys: Keys) -> ServiceOutcome:
        """Answer a request, with keys that were found after it came."""
        try:
            call, paths = self._call(route, asked, keys)
            request = call.request
            if request is None:
                return self._done(route, call, paths)
            with self._repetitions.alone(request):
                if not route.keeps_answers:
                    response = self._done(route, call, paths)
                    self._repetitions.remember(request)
                    return response
                return self._repetitions.once(
                    call,
                    route,
                    do=lambda: self._done(route, call, paths),
                    recover=lambda made: self._recovered(route, call, paths, made),
                )
        except Exception as error:  # noqa: BLE001  # the top of the loop: it is answered, and logged
            return _failed(error, route, asked)

    def answer_together(
        self, route: Route, came: Sequence[HttpRequest], keys: Keys
    ) -> list[ServiceOutcome]:
        """Answer requests for a route at once, each as if it were alone."""
        assert route.together is not None, "the route answers calls together"
        outcomes: dict[int, ServiceOutcome] = {}
        calls: dict[int, Call] = {}
        with ExitStack() as stack:
            for number, asked in enumerate(came):
                try:
                    call, _ = self._call(route, asked, keys)
                    if call.request is not None:
                        stack.enter_context(self._repetitions.alone(call.request))
                    calls[number] = call
                except Exception as error:  # noqa: BLE001  # as above
                    outcomes[number] = _failed(error, route, asked)
            try:
                answers = route.together(list(calls.values())) if calls else []
                for (number, call), answer in zip(calls.items(), answers, strict=True):
                    outcomes[number] = self._outcome(answer, call, route, came[number])
            except Exception as error:  # noqa: BLE001  # as above
                for number in calls:
                    outcomes[number] = _failed(error, route, came[number])
        return [outcomes[number] for number in range(len(came))]

    def refusal(
        self, route: Route, asked: HttpRequest, keys: Keys
    ) -> ServiceOutcome | None:
        """Return what a request is answered before its body is read; None admits it.

        One that is admitted has been counted against the rate of its key.
        """
        try:
            self._admit(route, asked, keys)
            if route.rows is not None:
                read_fields(route.accepted, _tree(route, asked))
                _rows(route.rows, asked)
            elif route.method == "POST" and has_body(asked.headers):
                _media_type(route, asked)
            check_encoding(asked.headers, route.body_limits)
        except Exception as error:  # noqa: BLE001  # as above
            return _failed(error, route, asked)
        return None

    def health(self) -> Health:
        """Return whether the store can be asked, and how far its log goes."""
        try:
            return Health(position=self._m.position)
        except metering.MeteringError as error:
            _log.error("Not ready: %s", error.message)  # no traceback for what is named
            return Health(position=None)

    def _call(
        self, route: Route, asked: HttpRequest, keys: Keys
    ) -> tuple[Call, list[str]]:
        """Read a request that may be made, and the paths that it wants expanded."""
        key_id = self._admit(route, asked, keys)
        version = asked.headers.get("stripe-version", "")
        until = route.until_version
        if until is not None and not is_before(version, until):
            raise UnknownRouteError(route.method, asked.path, until)
        given = rows = None
        if route.rows is not None:
            rows = _rows(route.rows, asked)
        elif route.decode is not None and not asked.query:
            given = route.decode(asked.body)
        if given is None:
            given = read_fields(route.accepted, _tree(route, asked))
        paths = check_paths(
            given.pop("expand", []), route.expansions, is_list=route.is_list
        )
        call = Call(
            m=self._m,
            ids=asked.ids,
            given=given,
            key_id=key_id,
            request_id=asked.request_id,
            request=_request(route, key_id, asked, rows),
            authorization=asked.headers.get("authorization"),
            accept=asked.headers.get("accept", ""),
            prefer=asked.headers.get("prefer", ""),
            metrics=self._metrics,
            rows=rows,
            stripe_version=version,
            host=asked.headers.get("host", ""),
        )
        return call, paths

    def _admit(self, route: Route, asked: HttpRequest, keys: Keys) -> str:
        """Check that a request may be made, and return the id of its key."""
        authorization = asked.headers.get("authorization")
        key = None
        if route.credential == "session":
            key_id = session_of(keys, authorization).key_id
        else:
            key = key_of(keys, authorization)
            key_id = key.id
        check_account(asked.headers)
        self._check_position(asked, key_id)
        if not asked.is_admitted:
            self._rates.take(key_id)
        if key is not None:
            check_scope(key, route.scope)
        return key_id

    def _done(self, route: Route, call: Call, paths: list[str]) -> HttpResponse:
        """Carry a request out."""
        # An answer counts at least what was recorded before it was asked for; a change
        # is recorded before it is answered.
        before = self._m.position if route.method == "GET" else None
        assert route.handler is not None, "calls are answered one by one"
        answer = route.handler(call)
        self._expand(route, answer.body, paths)
        position = answer.position
        if position is None:
            position = self._m.position if before is None else before
        return _responded(answer, position)

    def _outcome(
        self,
        answer: Answer | metering.MeteringError,
        call: Call,
        route: Route,
        asked: HttpRequest,
    ) -> ServiceOutcome:
        if not isinstance(answer, Answer):
            return _failed(answer, route, asked)
        if call.request is not None:
            self._repetitions.remember(call.request)
        assert answer.position is not None, "what is recorded has a position"
        return _responded(answer, answer.position)

    def _recovered(
        self, route: Route, call: Call, paths: list[str], resource_id: str | None
    ) -> HttpResponse | None:
        """Answer a request that had its effect, and was not answered."""
        if route.recover is None:
            return None
        body = route.recover(call, resource_id or call.ids["id"])
        answer = Answer(body=body, is_replay=True)
        self._expand(route, answer.body, paths)
        return _responded(answer, self._m.position)

    def _expand(self, route: Route, body: Body, paths: list[str]) -> None:
        for each in body["data"] if route.is_list and paths else [body]:
            expand(self._m, each, paths, route.expansions)

    def _check_position(self, asked: HttpRequest, key_id: str) -> None:
        text = asked.headers.get(MIN_POSITION)
        if text is None:
            return
        digits_max = len(str(POSITION_MAX))
        if not text.isascii() or not text.isdecimal() or len(text) > digits_max:
            raise InvalidRequestError(
                f"Invalid {MIN_POSITION}: {text[:60]}; must be a position of the log"
            )
        if self._m.position < int(text):
            raise PositionNotReachedError(int(text), key_id=key_id)


def _failed(error: Exception, route: Route, asked: HttpRequest) -> ServiceOutcome:
    if isinstance(error, PositionNotReachedError):
        return error
    log_failure(error, asked.request_id)
    return response_to_failure(error, route.dialect)


def _responded(answer: Answer, position: int) -> HttpResponse:
    headers = {POSITION: str(position)}
    if answer.is_replay:
        headers |= REPLAYED
    content = answer.content
    if content is None:
        return HttpResponse(body=encoded(answer.body), headers=headers)
    headers["Content-Type"] = content.media_type
    if isinstance(content.body, bytes):
        return HttpResponse(body=content.body, headers=headers)
    return HttpResponse(
        pieces=content.body, held_bytes=content.held_bytes, headers=headers
    )


def _tree(route: Route, asked: HttpRequest) -> Mapping[str, Any]:
    if route.method != "POST" or not asked.body or route.rows is not None:
        return decode_form(asked.query)
    if _media_type(route, asked) == JSON:
        body = decode_json(asked.body, takes_wholes=route.dialect.takes_whole_numbers)
        query = decode_form(asked.query)
        if twice := sorted(query.keys() & body.keys()):
            raise given_twice(twice[0])
        return {**query, **body}
    both = (asked.query, asked.body) if asked.query else (asked.body,)
    return decode_form(b"&".join(both))


def _media_type(route: Route, asked: HttpRequest) -> str:
    """Return how the parameters of a body are written, in one of the dialect's ways."""
    wanted = route.dialect.body_types
    if "content-type" not in asked.headers:
        return wanted[0]
    kind = media_type_named(asked.headers)
    if kind not in wanted:
        raise InvalidRequestError(
            "Invalid request (check that your POST content type is"
            f" {' or '.join(wanted)}).."
        )
    return kind


def _rows(taken: RowsBody, asked: HttpRequest) -> SentRows:
    """Return a body of rows, of one of the media types that a route takes."""
    kind, attributes = media_type_named(asked.headers), None
    may_be_data = taken.takes_binary_mode and kind not in taken.media_types
    if may_be_data and is_in_binary_mode(kind, asked.headers):
        kind, attributes = CLOUD_EVENT, attributes_in(asked.headers)
    if kind in taken.media_types:
        return SentRows(
            media_type=kind,
            content=asked.body,
            unpack_factor=taken.limits.unpack_factor,
            packed=asked.packed,
            attributes=attributes,
        )
    named, kinds = asked.headers.get("content-type", ""), list(taken.media_types)
    if taken.takes_binary_mode:
        kinds.append(f"{JSON} with the ce- headers of a CloudEvent")
    raise MediaTypeRefusedError(named, kinds)


def _request(
    route: Route, key_id: str, asked: HttpRequest, rows: SentRows | None
) -> Request | None:
    """Return the name of a request that has an idempotency key."""
    idempotency_key = asked.headers.get(IDEMPOTENCY_KEY)
    if route.method != "POST" or not idempotency_key:
        return None
    if len(idempotency_key) > LONGEST_IDEMPOTENCY_KEY:
        raise InvalidRequestError(
            "Invalid Idempotency-Key: must be at most"
            f" {LONGEST_IDEMPOTENCY_KEY} characters"
        )
    # Not joined: the body may be large.
    digest = hashlib.sha256(asked.path.encode())
    for each in (b"\n", asked.query, b"\n"):
        digest.update(each)
    # A client that sends it again may compress it otherwise.
    packed = asked.packed
    pieces = [asked.body] if packed is None else decompressed(asked.body, packed)
    for piece in pieces:
        digest.update(piece)
    if rows is not None and rows.attributes is not None:
        digest.update(repr(sorted(rows.attributes.items())).encode())
    return Request(
        key_id=key_id,
        idempotency_key=idempotency_key,
        fingerprint=digest.digest(),
        request_id=asked.request_id,
    )
