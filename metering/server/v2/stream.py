"""Routes of the stream: up to 100 events a request, judged after it is acknowledged.

What obeys the rules is recorded, and what does not is written down to be reported,
before the acknowledgement: neither is lost with the process. A request that comes again
under its idempotency key records nothing again, as its events without an identifier are
given ones made of the request.

Source: https://docs.stripe.com/api/v2/billing/meter-event-stream
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from metering import MeteringError
from metering.error_reports import RefusedEvent
from metering.errors import InvalidRequestError
from metering.events import NewMeterEvent
from metering.server.failures import (
    words_of_a_report,
)
from metering.server.meter_events import check_digits
from metering.server.parameters import RFC_3339, Given, Items, Shape, required
from metering.server.routes import Answer, Call, Route
from metering.server.v2.bodies import session_body
from metering.server.v2.meter_events import EVENT

EVENTS_MAX = 100

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
_Key = Annotated[str, msgspec.Meta(max_length=100)]
_Text = Annotated[str, msgspec.Meta(max_length=500)]
_Time = Annotated[str, msgspec.Meta(pattern=rf"\A(?:{RFC_3339})\Z")]


class _Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event as it is sent: what `EVENT` says, for a decoder."""

    event_name: _Name
    payload: Annotated[dict[_Key, _Text], msgspec.Meta(max_length=500)]
    identifier: _Name | None = None
    timestamp: _Time | None = None


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    events: Annotated[list[_Event], msgspec.Meta(min_length=1, max_length=EVENTS_MAX)]


_DECODER = msgspec.json.Decoder(_Body)


def create_session(call: Call) -> Answer:
    """Make a token that opens the stream for 15 minutes."""
    session = call.m.meter_event_sessions.create(key_id=call.key_id)
    return Answer(body=session_body(session))


def accept(call: Call) -> Answer:
    """Record what obeys the rules of some meter events, and report the others."""
    [answer] = accept_together([call])
    assert isinstance(answer, Answer), "what is refused is reported"
    return answer


def accept_together(calls: Sequence[Call]) -> Sequence[Answer | MeteringError]:
    """Record the events of some requests in one commit."""
    m = calls[0].m
    value_keys = _value_keys(calls)
    events: list[NewMeterEvent] = []
    senders: list[str] = []
    refused: list[RefusedEvent] = []
    for call in calls:
        request = call.request
        sender = call.request_id if request is None else request.idempotency_key
        for number, event in enumerate(_events(call)):
            name = event.event_name
            try:
                check_digits(value_keys[name], event.payload)
            except InvalidRequestError as refusal:
                refused.append(_refused(name, refusal, sender))
            else:
                events.append(_new_event(call, number, event))
                senders.append(sender)
    refusals = m.meter_events.accept(events) if events else {}
    refused += [
        _refused(events[at].event_name, refusal, senders[at])
        for at, refusal in refusals.items()
    ]
    if refused:
        m.error_reports.add(refused)
    position = m.position
    return [Answer(body={}, position=position) for _ in calls]


def _value_keys(calls: Sequence[Call]) -> dict[str, str | None]:
    """Find the value key of each event name, once for all."""
    names = {each.event_name for call in calls for each in _events(call)}
    return {name: calls[0].value_keys.of(name) for name in names}


def _decode(body: bytes) -> Given | None:
    try:
        return {"events": _DECODER.decode(body).events}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _events(call: Call) -> list[_Event]:
    events: list[Any] = call.given["events"]
    if isinstance(events[0], _Event):
        return events
    return [_Event(**each) for each in events]


def _new_event(call: Call, number: int, event: _Event) -> NewMeterEvent:
    identifier, request = event.identifier, call.request
    if identifier is None and request is not None:
        named = hashlib.sha256(
            f"{request.key_id}\n{request.idempotency_key}\n".encode()
        )
        # With what was asked: another request under the same key is other usage.
        named.update(request.fingerprint)
        named.update(str(number).encode())
        identifier = f"idmp_{named.hexdigest()[:32]}"
    return NewMeterEvent(
        event_name=event.event_name,
        payload=event.payload,
        identifier=identifier,
        timestamp=event.timestamp,
        request=None,
    )


def _refused(
    event_name: str, refusal: InvalidRequestError, identifier: str
) -> RefusedEvent:
    message, code = words_of_a_report(refusal, event_name)
    return RefusedEvent(
        event_name=event_name, code=code, message=message, identifier=identifier
    )


ROUTES = (
    Route(
        method="POST",
        path="/v2/billing/meter_event_stream",
        scope="ingest",
        credential="session",
        handler=accept,
        together=accept_together,
        decode=_decode,
        parameters={
            "events": required(Items(Shape(EVENT), least=1, most=EVENTS_MAX)),
        },
    ),
    Route(
        method="POST",
        path="/v2/billing/meter_event_session",
        scope="ingest",
        handler=create_session,
        # A token that was kept to be told again could be read by whoever reads a store.
        keeps_answers=False,
    ),
)
