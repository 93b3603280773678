"""The service: answers one request after another, on as many threads as there are.

It knows nothing of sockets. A request is authenticated first, then judged by its route;
whatever goes wrong leaves as one of Stripe's errors.
"""

import hashlib
import logging
import time

import metering
from ledger.requests import Request
from metering.api_keys import ApiKey
from metering.bodies import Body, body_of, encoded
from metering.connection import Metering
from metering.errors import InvalidRequestError
from metering.server.authentication import Keys, check_scope, key_of
from metering.server.errors import (
    Failure,
    PositionNotReachedError,
    failure_of,
    unexpected_failure,
)
from metering.server.expansion import check_paths, expand
from metering.server.forms import Tree, decode_form
from metering.server.parameters import read_parameters
from metering.server.rates import Rates
from metering.server.repetitions import REPLAYED, Repetitions
from metering.server.requests import Asked, Reply
from metering.server.routes import Answer, Call, Route
from metering.server.value_keys import ValueKeys

POSITION = "Metering-Position"
MIN_POSITION = "metering-min-position"
IDEMPOTENCY_KEY = "idempotency-key"
_LONGEST_IDEMPOTENCY_KEY = 255
_FORM = "application/x-www-form-urlencoded"

_log = logging.getLogger(__name__)


class Service:
    """Answers requests from a store. Thread-safe.

    Args:
        m: the store.
        rate_limit: how many requests a second a key may make; None is any number.
    """

    def __init__(self, m: Metering, *, rate_limit: int | None) -> None:
        self._m = m
        self._rates = Rates(rate_limit, time.monotonic)
        self._value_keys = ValueKeys(m)
        self._repetitions = Repetitions(m)

    def answer(self, route: Route, asked: Asked, keys: Keys) -> Reply:
        """Answer a request, well or with an error.

        Args:
            route: what is asked for.
            asked: the request.
            keys: as they were found after it came.

        Raises:
            PositionNotReachedError: the log does not go as far as it asks for, yet.
        """
        try:
            return self._answer(route, asked, keys)
        except PositionNotReachedError:
            raise
        except metering.MeteringError as error:
            return reply_of(failure_of(error))
        except Exception:  # noqa: BLE001  # the top of the loop: it tells, and is logged
            _log.exception("Request %s failed", asked.request_id)
            return reply_of(unexpected_failure())

    def is_ready(self) -> bool:
        """Tell whether the store can be asked."""
        try:
            return self._m.position >= 0
        except metering.MeteringError as error:
            _log.error("Not ready: %s", error.message)  # no traceback for what is named
            return False

    def _answer(self, route: Route, asked: Asked, keys: Keys) -> Reply:
        key = key_of(keys, asked.headers.get("authorization"))
        self._check_position(asked)
        self._rates.take(key.id)
        check_scope(key, route.scope)
        request = _request(route, key, asked)
        if request is None:
            return self._done(route, asked, None)
        with self._repetitions.alone(request):
            if not route.keeps_answers:
                return self._done(route, asked, request)
            return self._repetitions.reply(
                request,
                do=lambda: self._done(route, asked, request),
                recover=lambda made: self._recovered(route, asked, made),
            )

    def _done(self, route: Route, asked: Asked, request: Request | None) -> Reply:
        """Do what is asked."""
        tree = _tree(route, asked)
        given = read_parameters(route.accepted, tree)
        paths = check_paths(
            given.pop("expand", []), route.expansions, is_list=route.is_list
        )
        call = Call(
            m=self._m,
            ids=asked.ids,
            given=given,
            request=request,
            value_keys=self._value_keys,
        )
        # What is answered counts at least what was recorded before it was asked; and
        # what a change recorded, it did before it was answered.
        before = self._m.position if route.method == "GET" else None
        answer = route.handler(call)
        self._expand(route, answer.body, paths)
        position = answer.position
        if position is None:
            position = self._m.position if before is None else before
        return _reply(answer, position)

    def _recovered(
        self, route: Route, asked: Asked, resource_id: str | None
    ) -> Reply | None:
        """Make the answer of a request that had its effect, and was not answered."""
        if route.recover is None:
            return None
        given = read_parameters(route.accepted, _tree(route, asked))
        paths = check_paths(
            given.get("expand", []), route.expansions, is_list=route.is_list
        )
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


def reply_of(failure: Failure) -> Reply:
    """Make the reply that tells of a failure."""
    return Reply(
        status=failure.status, body=encoded(failure.body), headers=failure.headers
    )


def _reply(answer: Answer, position: int) -> Reply:
    headers = {POSITION: str(position)}
    if answer.is_replay:
        headers |= REPLAYED
    return Reply(status=200, body=encoded(answer.body), headers=headers)


def _tree(route: Route, asked: Asked) -> Tree:
    if route.method != "POST" or not asked.body:
        return decode_form(asked.query)
    kind = asked.headers.get("content-type", _FORM).partition(";")[0]
    if kind.strip().lower() != _FORM:
        raise InvalidRequestError(
            f"Invalid request (check that your POST content type is {_FORM}).."
        )
    both = (asked.query, asked.body) if asked.query else (asked.body,)
    return decode_form(b"&".join(both))


def _request(route: Route, key: ApiKey, asked: Asked) -> Request | None:
    """Name a request by its idempotency key, where it has one."""
    idempotency_key = asked.headers.get(IDEMPOTENCY_KEY)
    if route.method != "POST" or not idempotency_key:
        return None
    if len(idempotency_key) > _LONGEST_IDEMPOTENCY_KEY:
        raise InvalidRequestError(
            "Invalid Idempotency-Key: must be at most"
            f" {_LONGEST_IDEMPOTENCY_KEY} characters"
        )
    asked_for = b"\n".join((asked.path.encode(), asked.query, asked.body))
    return Request(
        key_id=key.id,
        idempotency_key=idempotency_key,
        fingerprint=hashlib.sha256(asked_for).digest(),
        request_id=asked.request_id,
    )
