"""The service: answers one request after another, on as many threads as there are.

It knows nothing of sockets. A request is authenticated first, then judged by its route;
whatever goes wrong leaves as one of Stripe's errors.
"""

import hashlib
import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import metering
from ledger.records.requests import Request
from metering.bodies import Body, body_of, encoded
from metering.connection import Metering
from metering.errors import InvalidRequestError
from metering.server.api.authentication import Keys, check_scope, key_of, session_of
from metering.server.api.errors import (
    Failure,
    MediaTypeRefusedError,
    PositionNotReachedError,
)
from metering.server.api.expansion import check_paths, expand
from metering.server.api.failures import (
    failure_of,
    unexpected_failure,
    v2_failure_of,
)
from metering.server.api.health import Health
from metering.server.api.metrics import Metrics
from metering.server.api.rates import Rates
from metering.server.api.repetitions import REPLAYED, Repetitions
from metering.server.api.requests import Asked, Reply, check_encoding, check_length
from metering.server.api.routes import Answer, Call, Route, Rows, RowsBody
from metering.server.api.value_keys import ValueKeys
from metering.server.grammar.forms import Tree, decode_form
from metering.server.grammar.json_bodies import decode_json
from metering.server.grammar.media_types import FORM, JSON
from metering.server.grammar.parameters import read_parameters

Outcome = Reply | PositionNotReachedError
"""A reply, or that the log does not go as far as the request asks for, yet."""

POSITION = "Metering-Position"
MIN_POSITION = "metering-min-position"
IDEMPOTENCY_KEY = "idempotency-key"
_LONGEST_IDEMPOTENCY_KEY = 255
_V2, _EXTENSIONS = "/v2/", "/metering/"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Admitted:
    """A request that was let in.

    Attributes:
        key_id: of the API key on whose behalf.
        request: what it is named by, where it has an idempotency key.
    """

    key_id: str
    request: Request | None


class Service:
    """Answers requests from a store. Thread-safe.

    Args:
        m: the store.
        metrics: what was counted so far, for who asks for it.
        rate_limit: how many requests a second a key may make; None is any number.
    """

    def __init__(
        self, m: Metering, metrics: Metrics, *, rate_limit: int | None
    ) -> None:
        self._m = m
        self._metrics = metrics
        self._rates = Rates(rate_limit, time.monotonic)
        self._value_keys = ValueKeys(m)
        self._repetitions = Repetitions(m)

    def answer(self, route: Route, asked: Asked, keys: Keys) -> Outcome:
        """Answer a request, well or with an error.

        Args:
            route: what is asked for.
            asked: the request.
            keys: as they were found after it came.
        """
        try:
            admitted = self._admit(route, asked, keys)
            request = admitted.request
            if request is None:
                return self._done(route, asked, admitted)
            with self._repetitions.alone(request):
                if not route.keeps_answers:
                    reply = self._done(route, asked, admitted)
                    self._repetitions.remember(request)
                    return reply
                return self._repetitions.reply(
                    request,
                    do=lambda: self._done(route, asked, admitted),
                    recover=lambda made: self._recovered(route, asked, admitted, made),
                )
        except Exception as error:  # noqa: BLE001  # the top of the loop: it is told, and logged
            return _failed(error, asked)

    def answer_together(
        self, route: Route, came: Sequence[Asked], keys: Keys
    ) -> list[Outcome]:
        """Answer requests for a route at once, each as if it were alone."""
        assert route.together is not None, "the route answers calls together"
        outcomes: dict[int, Outcome] = {}
        calls: dict[int, Call] = {}
        with ExitStack() as stack:
            for number, asked in enumerate(came):
                try:
                    admitted = self._admit(route, asked, keys)
                    call, _ = self._call(route, asked, admitted)
                    if call.request is not None:
                        stack.enter_context(self._repetitions.alone(call.request))
                    calls[number] = call
                except Exception as error:  # noqa: BLE001  # as above
                    outcomes[number] = _failed(error, asked)
            try:
                answers = route.together(list(calls.values())) if calls else []
                for (number, call), answer in zip(calls.items(), answers, strict=True):
                    outcomes[number] = self._outcome(answer, call, came[number])
            except Exception as error:  # noqa: BLE001  # as above
                for number in calls:
                    outcomes[number] = _failed(error, came[number])
        return [outcomes[number] for number in range(len(came))]

    def refusal(self, route: Route, asked: Asked, keys: Keys) -> Reply | None:
        """Refuse a request before its body of rows is read, where that is clear.

        Args:
            route: what is asked for; an API key opens it.
            asked: the request, without its body.
            keys: as they were found after it came.
        """
        try:
            key = key_of(keys, asked.headers.get("authorization"))
            self._rates.take(key.id)
            check_scope(key, route.scope)
            read_parameters(route.accepted, _tree(route, asked))
            if route.rows is not None:
                _media_type(route.rows, asked)
                check_encoding(asked.headers)
                check_length(asked.headers, route.rows.limits)
        except Exception as error:  # noqa: BLE001  # as above
            outcome = _failed(error, asked)
            assert isinstance(outcome, Reply), "no position was asked for"
            return outcome
        return None

    def health(self) -> Health:
        """Tell whether the store can be asked, and how far its log goes."""
        try:
            return Health(position=self._m.position)
        except metering.MeteringError as error:
            _log.error("Not ready: %s", error.message)  # no traceback for what is named
            return Health(position=None)

    def _admit(self, route: Route, asked: Asked, keys: Keys) -> _Admitted:
        """Let a request in, and name it by its idempotency key, where it has one."""
        authorization = asked.headers.get("authorization")
        key = None
        if route.credential == "session":
            key_id = session_of(keys, authorization).key_id
        else:
            key = key_of(keys, authorization)
            key_id = key.id
        self._check_position(asked)
        if route.rows is None:
            self._rates.take(key_id)
        if key is not None:
            check_scope(key, route.scope)
        return _Admitted(key_id=key_id, request=_request(route, key_id, asked))

    def _call(
        self, route: Route, asked: Asked, admitted: _Admitted
    ) -> tuple[Call, list[str]]:
        """Read what a request gives, and what it wants expanded."""
        given = rows = None
        if route.rows is not None:
            rows = Rows(media_type=_media_type(route.rows, asked), content=asked.body)
        elif route.decode is not None and not asked.query:
            given = route.decode(asked.body)
        if given is None:
            given = read_parameters(route.accepted, _tree(route, asked))
        paths = check_paths(
            given.pop("expand", []), route.expansions, is_list=route.is_list
        )
        call = Call(
            m=self._m,
            ids=asked.ids,
            given=given,
            key_id=admitted.key_id,
            request_id=asked.request_id,
            request=admitted.request,
            value_keys=self._value_keys,
            accept=asked.headers.get("accept", ""),
            metrics=self._metrics,
            rows=rows,
        )
        return call, paths

    def _done(self, route: Route, asked: Asked, admitted: _Admitted) -> Reply:
        """Do what is asked."""
        call, paths = self._call(route, asked, admitted)
        # What is answered counts at least what was recorded before it was asked; and
        # what a change recorded, it did before it was answered.
        before = self._m.position if route.method == "GET" else None
        answer = route.handler(call)
        self._expand(route, answer.body, paths)
        position = answer.position
        if position is None:
            position = self._m.position if before is None else before
        return _reply(answer, position)

    def _outcome(
        self, answer: Answer | metering.MeteringError, call: Call, asked: Asked
    ) -> Outcome:
        if not isinstance(answer, Answer):
            return _failed(answer, asked)
        if call.request is not None:
            self._repetitions.remember(call.request)
        assert answer.position is not None, "what is recorded has a position"
        return _reply(answer, answer.position)

    def _recovered(
        self, route: Route, asked: Asked, admitted: _Admitted, resource_id: str | None
    ) -> Reply | None:
        """Make the answer of a request that had its effect, and was not answered."""
        if route.recover is None:
            return None
        _, paths = self._call(route, asked, admitted)
        found = route.recover(self._m, resource_id or asked.ids["id"])
        answer = Answer(body=body_of(found), is_replay=True)
        self._expand(route, answer.body, paths)
        return _reply(answer, self._m.position)

    def _expand(self, route: Route, body: Body, paths: list[str]) -> None:
        for each in body["data"] if route.is_list and paths else [body]:
            expand(self._m, each, paths, route.expansions)

    def _check_position(self, asked: Asked) -> None:
        text = asked.headers.get(MIN_POSITION)
        if text is None:
            return
        if not text.isascii() or not text.isdecimal() or len(text) > 18:
            raise InvalidRequestError(
                f"Invalid {MIN_POSITION}: {text[:60]}; must be a position of the log"
            )
        if self._m.position < int(text):
            raise PositionNotReachedError(int(text))


def _failed(error: Exception, asked: Asked) -> Outcome:
    match error:
        case PositionNotReachedError():
            return error
        case metering.MeteringError():
            is_v2 = asked.path.startswith(_V2)
            failure = v2_failure_of(error) if is_v2 else failure_of(error)
            return reply_of(failure, asked.path)
        case _:
            _log.error("Request %s failed", asked.request_id, exc_info=error)
            return reply_of(unexpected_failure(), asked.path)


def reply_of(failure: Failure, path: str) -> Reply:
    """Make the reply that tells of a failure, to what was asked at a path."""
    body = failure.v2_body if path.startswith(_V2) else failure.body
    return Reply(
        status=failure.status,
        body=encoded(body),
        headers=failure.headers,
        refusal=failure.refusal,
    )


def _reply(answer: Answer, position: int) -> Reply:
    headers = {POSITION: str(position)}
    if answer.is_replay:
        headers |= REPLAYED
    content = answer.content
    if content is None:
        return Reply(status=200, body=encoded(answer.body), headers=headers)
    headers["Content-Type"] = content.media_type
    if isinstance(content.body, bytes):
        return Reply(status=200, body=content.body, headers=headers)
    return Reply(status=200, pieces=content.body, headers=headers)


def _tree(route: Route, asked: Asked) -> Tree:
    if route.method != "POST" or not asked.body or route.rows is not None:
        return decode_form(asked.query)
    wanted = media_types_of(asked.path)
    kind = asked.headers.get("content-type", wanted[0]).partition(";")[0]
    kind = kind.strip().lower()
    if kind not in wanted:
        raise InvalidRequestError(
            "Invalid request (check that your POST content type is"
            f" {' or '.join(wanted)}).."
        )
    if kind == JSON:
        takes_wholes = asked.path.startswith(_EXTENSIONS)
        body = decode_json(asked.body, takes_wholes=takes_wholes)
        return {**decode_form(asked.query), **body}
    both = (asked.query, asked.body) if asked.query else (asked.body,)
    return decode_form(b"&".join(both))


def _media_type(taken: RowsBody, asked: Asked) -> str:
    """Tell which of the media types of a route a body of rows is in."""
    named = asked.headers.get("content-type", "")
    kind = named.partition(";")[0].strip().lower()
    if kind not in taken.media_types:
        raise MediaTypeRefusedError(named, taken.media_types)
    return kind


def media_types_of(path: str) -> tuple[str, ...]:
    """Tell what a body may be in; the first, where nothing is said."""
    if path.startswith(_V2):
        return (JSON,)
    return (FORM, JSON) if path.startswith(_EXTENSIONS) else (FORM,)


def _request(route: Route, key_id: str, asked: Asked) -> Request | None:
    """Name a request by its idempotency key, where it has one."""
    idempotency_key = asked.headers.get(IDEMPOTENCY_KEY)
    if route.method != "POST" or not idempotency_key:
        return None
    if len(idempotency_key) > _LONGEST_IDEMPOTENCY_KEY:
        raise InvalidRequestError(
            "Invalid Idempotency-Key: must be at most"
            f" {_LONGEST_IDEMPOTENCY_KEY} characters"
        )
    # Not joined: the body may be large.
    digest = hashlib.sha256(asked.path.encode())
    for each in (b"\n", asked.query, b"\n", asked.body):
        digest.update(each)
    return Request(
        key_id=key_id,
        idempotency_key=idempotency_key,
        fingerprint=digest.digest(),
        request_id=asked.request_id,
    )
