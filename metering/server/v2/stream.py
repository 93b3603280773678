"""Routes of the stream: up to 100 events a request, judged after it is acknowledged.

What obeys the rules is recorded, and what does not is written down to be reported,
before the acknowledgement: neither is lost with the process. A request that comes again
under its idempotency key records nothing again, as its events without an identifier are
given ones made of the request.

Source: https://docs.stripe.com/api/v2/billing/meter-event-stream
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from metering import MeteringError
from metering.access.api_keys import digest_of
from metering.arguments.ids import identifier_of
from metering.arguments.kinds import Given
from metering.arguments.times import ZONED_TIME
from metering.bodies import Body
from metering.connection import Metering
from metering.decoding.json_parsing import JsonInvalidError, parse_json
from metering.errors import InvalidRequestError
from metering.server.api.authentication import secret_of
from metering.server.api.error_responses import reported_error
from metering.server.api.routes import Answer, Call, Route, ShownSecret
from metering.server.grammar.dialects import V2
from metering.server.v1.meter_events import DIGITS_MAX, check_digits
from metering.server.v2.bodies import session_body
from metering.stream.error_reports import RefusedEvent
from metering.stream.sessions import derived_token
from metering.usage.requests import MeterEventCreate
from metering.usage.stream_rules import StreamedEvent

EVENTS_MAX = 100


class EventStream(msgspec.Struct, frozen=True, kw_only=True):
    """Some events."""

    events: Annotated[
        Sequence[MeterEventCreate], Meta(min_length=1, max_length=EVENTS_MAX)
    ]


class _SentEvent(StreamedEvent, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `MeterEventCreate` for a decoder, which is many times faster."""

    timestamp: Annotated[str, Meta(pattern=rf"\A(?:{ZONED_TIME})\Z")] | None = None


class _SentEvents(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    events: Annotated[list[_SentEvent], Meta(min_length=1, max_length=EVENTS_MAX)]


_DECODER = msgspec.json.Decoder(_SentEvents)


def _create_session(call: Call) -> Answer:
    secret = secret_of(call.authorization)
    session = call.m.internals.create_session(call.key_id, secret)
    return Answer(body=session_body(session))


def _recover_session(call: Call, session_id: str) -> Body:
    """Return a session that was made with the same API key."""
    token = derived_token(session_id, secret_of(call.authorization))
    digest = digest_of(token)
    session = call.m.internals.sessions_by_digest([digest])[digest]
    return session_body(replace(session, authentication_token=token))


def _find_token(call: Call, session_id: str, digest: bytes) -> str | None:
    token = derived_token(session_id, secret_of(call.authorization))
    return token if digest_of(token) == digest else None


def _accept_together(calls: Sequence[Call]) -> Sequence[Answer | MeteringError]:
    m = calls[0].m
    events: list[StreamedEvent] = []
    senders: list[Call] = []
    for call in calls:
        sent = _named(call)
        events += sent
        senders += [call] * len(sent)
    refusals = _too_long(m, events)
    kept = [at for at in range(len(events)) if at not in refusals]
    if kept:
        found = m.internals.accept_events([events[at] for at in kept])
        refusals |= {kept[at]: refusal for at, refusal in found.items()}
    if refusals:
        m.internals.add_refused(
            [
                _refused(events[at].event_name, refusals[at], senders[at])
                for at in sorted(refusals)
            ]
        )
    position = m.position
    return [Answer(body={}, position=position) for _ in calls]


def _too_long(
    m: Metering, events: Sequence[StreamedEvent]
) -> dict[int, InvalidRequestError]:
    """Refuse values of more digits than Stripe takes, by the number of the event."""
    names = {each.event_name for each in events}
    keys = {name: m.internals.value_key(name) for name in names}
    refusals = {}
    for number, event in enumerate(events):
        key = keys[event.event_name]
        # A short string has few digits.
        if key is None or len(event.payload.get(key, "")) <= DIGITS_MAX:
            continue
        try:
            check_digits(key, event.payload)
        except InvalidRequestError as refusal:
            refusals[number] = refusal
    return refusals


def _decode(body: bytes) -> Given | None:
    try:
        events = _DECODER.decode(body).events
        # Of a key that is named twice the decoder keeps the last, in silence.
        if body.count(b'"') != 2 * _string_count(events):
            parse_json(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, JsonInvalidError):
        return None
    return {"events": events}


def _string_count(events: Sequence[_SentEvent]) -> int:
    """Return how many strings a body of these events has at least, keys among them.

    Each stands between quotes. So a body with that many pairs of quotes has no other
    string, and names no key twice. One with more may: a quote may also be escaped, and
    a key have null for its value.
    """
    count = 1
    for event in events:
        count += 3 + 2 * len(event.payload)
        if event.identifier is not None:
            count += 2
        if event.timestamp is not None:
            count += 2
    return count


def _events(call: Call) -> list[StreamedEvent]:
    events: list[Any] = call.given["events"]
    if isinstance(events[0], _SentEvent):
        return events
    return [_SentEvent(**each) for each in events]


def _named(call: Call) -> list[StreamedEvent]:
    """List the events of a call, with identifiers made of its request, if it has any."""
    events, request = _events(call), call.request
    if request is None:
        return events
    # With what was asked: another request under the same key is other usage.
    return [
        replace(
            event,
            identifier=identifier_of(request, request.fingerprint + b"%d" % number),
        )
        if event.identifier is None
        else event
        for number, event in enumerate(events)
    ]


def _refused(
    event_name: str, refusal: InvalidRequestError, sender: Call
) -> RefusedEvent:
    message, code = reported_error(refusal)
    request = sender.request
    return RefusedEvent(
        event_name=event_name,
        code=code,
        message=message,
        identifier=sender.request_id if request is None else request.idempotency_key,
        request=request,
    )


ROUTES = (
    Route(
        method="POST",
        dialect=V2,
        path="/v2/billing/meter_event_stream",
        scope="ingest",
        credential="session",
        summary="Record up to 100 meter events; report later those that break a rule.",
        together=_accept_together,
        decode=_decode,
        takes=EventStream,
    ),
    Route(
        method="POST",
        dialect=V2,
        path="/v2/billing/meter_event_session",
        scope="ingest",
        summary="Create a token that opens the stream for 15 minutes.",
        handler=_create_session,
        recover=_recover_session,
        shown_secret=ShownSecret(field="authentication_token", find=_find_token),
    ),
)
