"""Routes of meter events and adjustments: usage, recorded one by one, and cancelled.

A request that comes again under its idempotency key is answered from the log. One
without an identifier is given one that is made of the key, so that the event itself says
that it was there; with an identifier, the request is written down in the database
transaction that records the event. Neither costs a commit of its own.

Source: https://docs.stripe.com/api/billing/meter-event
"""

import re
from collections.abc import Callable, Mapping, Sequence

from metering import MeterEvent, MeteringError
from metering.arguments.ids import identifier_of
from metering.bodies import Body, body_of
from metering.errors import IdentifierConflictError, InvalidRequestError
from metering.server.api.errors import MeterEventExistsError, RequestDiffersError
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V1, Dialect
from metering.usage.meter_events import NewMeterEvent, Recorded
from metering.usage.requests import MeterEventAdjustmentCreate, MeterEventCreate

_NUMBER = re.compile(r"-?(\d+)(?:\.(\d+))?(?:[eE][+-]?\d+)?", re.ASCII)
DIGITS_MAX = 15


Write = Callable[[MeterEvent], Body]
"""Writes an event as a dialect does."""


def event_route(dialect: Dialect, path: str, write: Write) -> Route:
    """Return the route that records one meter event a request, many in a commit."""
    return Route(
        method="POST",
        dialect=dialect,
        path=path,
        scope="ingest",
        summary="Record a meter event.",
        together=lambda calls: _create_together(calls, write),
        takes=MeterEventCreate,
    )


def _create_together(
    calls: Sequence[Call], write: Write
) -> Sequence[Answer | MeteringError]:
    answers: dict[int, Answer | MeteringError] = {}
    events: dict[int, NewMeterEvent] = {}
    for number, call in enumerate(calls):
        try:
            key = call.m.internals.value_key(call.given["event_name"])
            check_digits(key, call.given["payload"])
        except InvalidRequestError as refusal:
            answers[number] = refusal
        else:
            events[number] = _new_event(call)
    if events:
        recorded = calls[0].m.internals.record_events(list(events.values()))
        for number, event in zip(events, recorded, strict=True):
            answers[number] = _answer(calls[number], event, write)
    return [answers[number] for number in range(len(calls))]


def _cancel(call: Call) -> Answer:
    given = call.given
    adjustment = call.m.meter_event_adjustments.create(
        event_name=given["event_name"],
        type=given["type"],
        cancel=given.get("cancel", {}),
    )
    return Answer(body=body_of(adjustment))


def _new_event(call: Call) -> NewMeterEvent:
    identifier, request = call.given.get("identifier"), call.request
    if identifier is None and request is not None:
        identifier, request = identifier_of(request), None
    return NewMeterEvent(
        event_name=call.given["event_name"],
        payload=call.given["payload"],
        identifier=identifier,
        timestamp=call.given.get("timestamp"),
        request=request,
    )


def _answer(call: Call, event: Recorded, write: Write) -> Answer | MeteringError:
    request = call.request
    is_named_by_key = request is not None and "identifier" not in call.given
    match event:
        case IdentifierConflictError():
            if request is not None and is_named_by_key:
                return RequestDiffersError(request.idempotency_key)
            return MeterEventExistsError(event.identifier)
        case MeteringError():
            return event
        case _:
            pass
    if event.duplicate and not is_named_by_key and not _is_repeated(call):
        return MeterEventExistsError(event.identifier)
    return Answer(body=write(event), position=event.position, is_replay=event.duplicate)


def _is_repeated(call: Call) -> bool:
    """Whether it was this very request that recorded the event."""
    if call.request is None:
        return False
    known = call.m.internals.requests.find(call.request)
    return known is not None and known.fingerprint == call.request.fingerprint


def check_digits(value_key: str | None, payload: Mapping[str, str]) -> None:
    """Refuse what Stripe refuses, although the library would keep it exactly."""
    value = None if value_key is None else payload.get(value_key)
    number = None if value is None else _NUMBER.fullmatch(value)
    if number is None:
        return
    digits = "".join(number.groups(default="")).strip("0")
    if len(digits) > DIGITS_MAX:
        raise InvalidRequestError(
            f"The value in the event payload can have at most {DIGITS_MAX} digits."
            f" Received {value}.",
            code="meter_event_value_too_many_digits",
            param=f"payload[{value_key}]",
        )


ROUTES = (
    event_route(V1, "/v1/billing/meter_events", body_of),
    Route(
        method="POST",
        dialect=V1,
        path="/v1/billing/meter_event_adjustments",
        scope="ingest",
        summary="Cancel a meter event.",
        handler=_cancel,
        takes=MeterEventAdjustmentCreate,
    ),
)
