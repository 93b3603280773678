"""Routes as data: what is served where, to whom, and what it takes.

One table says it all (`metering.server.table`): requests are dispatched by it, and what
describes the server can be made of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ledger.records.requests import Request
from metering import MeteringError
from metering.access.api_keys import ScopeName
from metering.bodies import Body
from metering.connection import Metering
from metering.server.api.expansion import Expansions
from metering.server.api.metrics import Metrics
from metering.server.api.requests import Limits
from metering.server.api.value_keys import ValueKeys
from metering.server.grammar.media_types import JSON
from metering.server.grammar.parameters import Given, Items, Parameters, Text, optional

_EXPAND = {"expand": optional(Items(Text()))}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsBody:
    """What a body of rows may be; it is taken as it is, and parameters are in the query.

    Attributes:
        media_types: one of which its header has to name.
        limits: how large it may be.
    """

    media_types: tuple[str, ...]
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A body of rows that was sent.

    Attributes:
        media_type: one of those that its route takes.
        content: decompressed.
    """

    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request for a handler: checked, and on behalf of a key that may make it.

    Attributes:
        ids: what the path has in the place of its names.
        given: the parameters that were given.
        key_id: of the API key on whose behalf it is.
        request_id: its own.
        request: where the caller sent an idempotency key.
        accept: which media types it would have, as the header says.
        metrics: what the server counted.
        rows: the body, where the route takes one of rows.
    """

    m: Metering
    ids: Mapping[str, str]
    given: Given
    key_id: str
    request_id: str
    request: Request | None
    value_keys: ValueKeys
    accept: str
    metrics: Metrics
    rows: Rows | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is answered in place of a body in JSON.

    Attributes:
        body: whole, or in pieces that are made while they are sent; where making one
            fails, the answer breaks off, and whoever reads it is told by the protocol.
    """

    media_type: str
    body: bytes | Iterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a handler answers.

    Attributes:
        content: in place of the body.
        position: of the log, up to which the answer counts; None where that is to be
            asked.
        is_replay: whether it answers a repetition, of which nothing was recorded.
    """

    body: Body = field(default_factory=dict)
    content: Content | None = None
    position: int | None = None
    is_replay: bool = False


Decode = Callable[[bytes], Given | None]
"""Reads a body whole; None where that fails, which is then for the parameters to say."""

Handler = Callable[[Call], Answer]
Together = Callable[[Sequence[Call]], Sequence[Answer | MeteringError]]
"""Answers calls at once; one that is refused does not fail the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What is served at a path by a method.

    Attributes:
        path: with names in braces, such as ``/v1/billing/meters/{id}``.
        scope: what a key must be allowed.
        credential: whether an API key opens it, or the token of a session alone.
        handler: its docstring says what the route does.
        parameters: what it takes, in v1 beside `expand`.
        expansions: what can be expanded in its answer.
        is_list: whether it answers a list, in whose elements that is.
        recover: makes the answer again after the process died that had made it, given
            the id of what was created, or of the path; None where the handler, called
            again, has no other effect than once.
        together: answers what came at the same time in one commit, in place of the
            handler; where it is given, answers are not kept for repetitions, but given
            again from the log.
        decode: reads a body that is in order many times faster than its parameters do.
        keeps_answers: whether a repetition is answered as the first was; where it is
            not, it is done again, to no other effect.
        is_heavy: whether it takes long and all processors: few such are answered at a
            time, so that the others do not wait for them.
        rows: where its body is no parameters, but rows.
        answers_in: the media types of its answers; the first, where none is wanted.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    scope: ScopeName
    handler: Handler
    parameters: Parameters = field(default_factory=dict)
    expansions: Expansions = field(default_factory=dict)
    is_list: bool = False
    recover: Callable[[Metering, str], Any] | None = None
    together: Together | None = None
    decode: Decode | None = None
    keeps_answers: bool = True
    is_heavy: bool = False
    credential: Literal["key", "session"] = "key"
    rows: RowsBody | None = None
    answers_in: tuple[str, ...] = (JSON,)

    @property
    def accepted(self) -> Parameters:
        """All that it takes; nothing is expanded in v2."""
        if self.path.startswith("/v2/"):
            return self.parameters
        return {**self.parameters, **_EXPAND}
