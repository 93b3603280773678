"""Routes of meter events and adjustments: usage, recorded one by one, and cancelled.

A request that comes again under its idempotency key is answered from the log. One
without an identifier is given one that is made of the key, so that the event itself says
that it was there; with an identifier, the request is written down in the database
transaction that records the event. Neither costs a commit of its own.

Source: https://docs.stripe.com/api/billing/meter-event
"""

import hashlib
import re
from contextlib import AbstractContextManager, nullcontext

from metering.bodies import body_of
from metering.errors import IdentifierConflictError, InvalidRequestError
from metering.resources import MeterEvent
from metering.server.errors import MeterEventExistsError, RequestDiffersError
from metering.server.parameters import (
    Choice,
    Pairs,
    Shape,
    Text,
    optional,
    required,
    seconds,
)
from metering.server.routes import Answer, Call, Route

_NUMBER = re.compile(r"-?(\d+)(?:\.(\d+))?(?:[eE][+-]?\d+)?", re.ASCII)
_DIGITS_MAX = 15


def create(call: Call) -> Answer:
    """Record a meter event."""
    given, request = call.given, call.request
    _check_digits(call)
    identifier = given.get("identifier")
    if identifier is None and request is not None:
        named = f"{request.key_id}\n{request.idempotency_key}".encode()
        return _recorded_once(call, f"idmp_{hashlib.sha256(named).hexdigest()[:32]}")
    try:
        with _written_down(call):
            event = _recorded(call, identifier)
    except IdentifierConflictError as error:
        raise MeterEventExistsError(error.identifier) from error
    if event.duplicate and not _is_repeated(call):
        raise MeterEventExistsError(event.identifier)
    return _answer(event)


def cancel(call: Call) -> Answer:
    """Cancel a meter event."""
    given = call.given
    adjustment = call.m.meter_event_adjustments.create(
        event_name=given["event_name"],
        type=given["type"],
        cancel=given.get("cancel", {}),
    )
    return Answer(body=body_of(adjustment))


def _recorded(call: Call, identifier: str | None) -> MeterEvent:
    return call.m.meter_events.create(
        event_name=call.given["event_name"],
        payload=call.given["payload"],
        identifier=identifier,
        timestamp=call.given.get("timestamp"),
    )


def _written_down(call: Call) -> AbstractContextManager[None]:
    """Write the request down with the event that it records."""
    if call.request is None:
        return nullcontext()
    return call.m.idempotent_requests.on_behalf_of(call.request)


def _recorded_once(call: Call, identifier: str) -> Answer:
    """Record an event under an identifier that nobody else gives."""
    try:
        return _answer(_recorded(call, identifier))
    except IdentifierConflictError as error:
        assert call.request is not None, "the identifier was made of its key"
        raise RequestDiffersError(call.request.idempotency_key) from error


def _is_repeated(call: Call) -> bool:
    """Tell whether it was this very request that recorded the event."""
    if call.request is None:
        return False
    known = call.m.idempotent_requests.find(call.request)
    return known is not None and known.fingerprint == call.request.fingerprint


def _answer(event: MeterEvent) -> Answer:
    return Answer(
        body=body_of(event), position=event.position, is_replay=event.duplicate
    )


def _check_digits(call: Call) -> None:
    """Refuse what Stripe refuses, although the library would keep it exactly."""
    key = call.value_keys.of(call.given["event_name"])
    value = None if key is None else call.given["payload"].get(key)
    number = None if value is None else _NUMBER.fullmatch(value)
    if number is None:
        return
    digits = "".join(number.groups(default="")).strip("0")
    if len(digits) > _DIGITS_MAX:
        raise InvalidRequestError(
            f"The value in the event payload can have at most {_DIGITS_MAX} digits."
            f" Received {value}.",
            code="meter_event_value_too_many_digits",
            param=f"payload[{key}]",
        )


ROUTES = (
    Route(
        method="POST",
        path="/v1/billing/meter_events",
        scope="ingest",
        handler=create,
        keeps_answers=False,
        parameters={
            "event_name": required(Text(longest=100)),
            "identifier": optional(Text(longest=100)),
            "payload": required(Pairs()),
            "timestamp": optional(seconds()),
        },
    ),
    Route(
        method="POST",
        path="/v1/billing/meter_event_adjustments",
        scope="ingest",
        handler=cancel,
        parameters={
            "cancel": optional(Shape({"identifier": optional(Text(longest=100))})),
            "event_name": required(Text(longest=100)),
            "type": required(Choice(words=("cancel",))),
        },
    ),
)
