"""Routes as data: what is served where, to whom, and what it takes.

`metering.server.table` lists all of them. Requests are dispatched by it, and the OpenAPI
document and the front page are made of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import msgspec

from ledger.records.idempotency import Request
from metering import MeteringError
from metering.access.requests import ScopeName
from metering.arguments.kinds import Fields, Given, ListKind, RequestField, StringKind
from metering.arguments.schema import ELEMENTS_MAX, LONGEST_SPELLED, fields_of
from metering.bodies import Body
from metering.connection import Metering
from metering.decoding.compression import Compression
from metering.server.api.expansion import Expansions
from metering.server.api.metrics import Metrics
from metering.server.api.requests import FORM_LIMITS, BodyLimits
from metering.server.grammar.dialects import Dialect
from metering.server.grammar.media_types import JSON


class TakesNothing(msgspec.Struct, frozen=True):
    """A request without parameters."""


_EXPAND: Fields = {
    "expand": RequestField(
        kind=ListKind(kind=StringKind(most=LONGEST_SPELLED), most=ELEMENTS_MAX)
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsBody:
    """What a body of rows may be. The route's parameters are in the query then.

    Attributes:
        media_types: one of which the request has to name.
        limits: how large the body may be.
        takes_binary_mode: whether a body of JSON may be the data of a CloudEvent, whose
            attributes are headers.
    """

    media_types: tuple[str, ...]
    limits: BodyLimits
    takes_binary_mode: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRows:
    """A body of rows.

    Attributes:
        media_type: one of the route's.
        content: the bytes, decompressed unless they are packed.
        unpack_factor: how many times as long as they are they may be unpacked.
        packed: how they are compressed.
        attributes: of a CloudEvent in binary mode, whose data the content is.
    """

    media_type: str
    content: bytes
    unpack_factor: int
    packed: Compression | None = None
    attributes: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request for a handler: its parameters checked, its key allowed to make it.

    Attributes:
        ids: what the path has in the place of the names in the route's.
        given: the parameters that were given.
        key_id: of the API key on whose behalf it is made.
        request_id: of the request.
        request: its name, where the client sent an idempotency key.
        authorization: what it was opened with.
        stripe_version: the version of Stripe's API that the client knows; empty if it
            does not say.
        accept, prefer, host: the headers of these names.
        metrics: what the server has counted.
        rows: the body, where the route takes one of rows.
    """

    m: Metering
    ids: Mapping[str, str]
    given: Given
    key_id: str
    request_id: str
    request: Request | None
    authorization: str | None = field(repr=False)
    accept: str
    prefer: str
    metrics: Metrics
    rows: SentRows | None = None
    stripe_version: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an answer has in place of a body in JSON.

    Attributes:
        body: whole, or in pieces that are made while they are sent. Where making a
            piece fails, the response breaks off, which its framing shows the client.
        held_bytes: what the pieces are made of, which is in memory until all are sent.
    """

    media_type: str
    body: bytes | Iterator[bytes]
    held_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a handler returns.

    Attributes:
        content: in place of the body.
        position: of the log, up to which the answer counts; None reads it from the log.
        is_replay: whether it answers a repetition, for which nothing was recorded.
    """

    body: Body = field(default_factory=dict, repr=False)
    content: Content | None = None
    position: int | None = None
    is_replay: bool = False


Credential = Literal["key", "session"]
"""What opens a route."""

Decode = Callable[[bytes], Given | None]
"""Reads a whole body; None where it is malformed, which the parameters then explain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSecret:
    """A secret that an answer shows, and that is not kept with it.

    Attributes:
        field: of the answer, which holds it.
        find: returns it again, given a repetition, the id of its resource and its
            SHA-256; None where it is gone.
    """

    field: str
    find: Callable[[Call, str, bytes], str | None]


Handler = Callable[[Call], Answer]
Together = Callable[[Sequence[Call]], Sequence[Answer | MeteringError]]
"""Answers calls at once; one that is refused does not fail the others."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """What is served at a path by a method. It has a handler, or is answered together.

    Attributes:
        dialect: how requests and errors are written.
        path: with names in braces, such as ``/v1/billing/meters/{id}``.
        scope: what a key must be allowed.
        summary: what the route does, in a sentence.
        handler: answers one call.
        together: answers the calls that came at the same time in one commit. Their
            answers are not kept for repetitions, but made again from the log.
        takes: the schema of its request, beside `expand` where the dialect has it.
        needs: paths of what it requires though the library does not.
        expansions: what can be expanded in the answer.
        is_list: whether the answer is a list, in whose elements that is.
        recover: makes the body again after the process that had made it died, given a
            repetition, and the id of what was created, or the id in the path; None where
            calling the handler again has no second effect.
        decode: reads a well-formed body many times faster than the parameters do.
        keeps_answers: whether a repetition gets the first answer; where not, it is
            called again, and has no second effect.
        shown_secret: where the answer holds a secret.
        is_heavy: whether it takes long and all processors: few are answered at a time.
        credential: whether an API key opens it, or the token of a session alone.
        rows: where the body is rows, not parameters.
        answers_in: the media types of its answers; the first by default.
        until_version: of Stripe's API, which has it no more: only clients of a version
            before find it.
    """

    method: Literal["GET", "POST", "DELETE"]
    dialect: Dialect
    path: str
    scope: ScopeName
    summary: str
    handler: Handler | None = None
    together: Together | None = None
    takes: type = TakesNothing
    needs: frozenset[str] = frozenset()
    expansions: Expansions = field(default_factory=dict)
    is_list: bool = False
    recover: Callable[[Call, str], Body] | None = None
    decode: Decode | None = None
    keeps_answers: bool = True
    shown_secret: ShownSecret | None = None
    is_heavy: bool = False
    credential: Credential = "key"
    rows: RowsBody | None = None
    answers_in: tuple[str, ...] = (JSON,)
    until_version: str | None = None

    def __post_init__(self) -> None:
        """Check that it is answered in one way."""
        assert (self.handler is None) is not (self.together is None)

    @property
    def body_limits(self) -> BodyLimits:
        """What its body may be."""
        return FORM_LIMITS if self.rows is None else self.rows.limits

    def unpacking(self, factor: int) -> "Route":
        """Return the route with rows that may unpack to so many times what was sent."""
        if self.rows is None:
            return self
        limits = replace(self.rows.limits, unpack_factor=factor)
        return replace(self, rows=replace(self.rows, limits=limits))

    @cached_property
    def fields(self) -> Fields:
        """The fields of its request."""
        return fields_of(self.takes, self.dialect.spelling, self.needs)

    @cached_property
    def accepted(self) -> Fields:
        """All fields that a request may give."""
        return {**self.fields, **_EXPAND} if self.dialect.expands else self.fields
