"""The rules that a meter event must obey, for one event at a time.

They are stated here once; `metering.usage.column_rules` says how columns relate to them.
The first rule broken is the one reported, in this order:
event name and meter, identifier, timestamp, payload, customer, value.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import msgspec

from ledger.facts.meters import MeterStatus
from ledger.usage.columns import UsageRow
from ledger.usage.quantities import can_be_recorded, parse_quantity
from metering.arguments.numbers import number_text
from metering.arguments.strings import LONGEST_NAME, LONGEST_TEXT, is_storable
from metering.arguments.times import UsageTime
from metering.decoding.json_parsing import JsonInvalidError
from metering.errors import (
    MeterEventInvalidError,
    NoMeterError,
    ValueMissingError,
    ValueTooLargeError,
    shown,
)
from metering.usage.arrivals import Arrival
from metering.usage.values import refused_value
from projections.kernels.meters import MeterDefinition

_OF_THE_MOMENT = frozenset(
    {"archived_meter", "timestamp_too_far_in_past", "timestamp_in_future"}
)
"""Codes of the rules that an event may break today and did not when it was recorded."""

PayloadValue = str | int | Decimal | float


class UncheckedEvent(Protocol):
    """An event as it was sent."""

    @property
    def event_name(self) -> object:
        """See `check_event`."""

    @property
    def timestamp(self) -> UsageTime | None:
        """See `check_event`."""

    @property
    def payload(self) -> object:
        """See `check_event`."""


class CheckedEach(NamedTuple):
    """What some of many events came to, by their numbers.

    Attributes:
        rows: what is to be recorded, if that is not in doubt.
        doubts: why some of `rows` are refused, unless they repeat what is recorded.
        refusals: why the other events are refused.
    """

    rows: dict[int, UsageRow]
    doubts: dict[int, MeterEventInvalidError]
    refusals: dict[int, MeterEventInvalidError]


def check_each(
    arrival: Arrival,
    numbers: Iterable[int],
    events: Sequence[UncheckedEvent],
    identifiers: Sequence[str],
    *,
    may_repeat: bool = True,
) -> CheckedEach:
    """Check some of many events one by one; one that is refused does not fail the others.

    Args:
        arrival: when they came, and the meters known then.
        numbers: which of the events.
        events: all of them.
        identifiers: that each has or was given.
        may_repeat: whether they may repeat what is recorded.
    """
    checked = CheckedEach({}, {}, {})
    for number in numbers:
        event = events[number]
        try:
            checked.rows[number], doubt = check_sent_event(
                arrival,
                event_name=event.event_name,
                identifier=identifiers[number],
                timestamp=event.timestamp,
                payload=event.payload,
                may_repeat=may_repeat,
            )
        except MeterEventInvalidError as refusal:
            checked.refusals[number] = refusal
        else:
            if doubt is not None:
                checked.doubts[number] = doubt
    return checked


def check_sent_event(
    arrival: Arrival,
    *,
    event_name: object,
    identifier: object,
    timestamp: UsageTime | None,
    payload: object,
    may_repeat: bool = True,
) -> tuple[UsageRow, MeterEventInvalidError | None]:
    """Check one event that may have been recorded before; see `check_event`.

    One that is known to repeat nothing is refused at the first rule that it breaks.

    Returns:
        The event, and why it is refused unless it repeats what is recorded: it obeys
        all rules but those of the clock and of the state of its meter. None otherwise.

    Raises:
        MeterEventInvalidError: the event breaks a rule that holds at any time, or any
            rule where it repeats nothing.
    """
    try:
        row = check_event(
            arrival,
            event_name=event_name,
            identifier=identifier,
            timestamp=timestamp,
            payload=payload,
        )
    except MeterEventInvalidError as refusal:
        is_of_the_moment = refusal.code in _OF_THE_MOMENT
        # Values had 26 integer digits once.
        is_doubt = is_of_the_moment or isinstance(refusal, ValueTooLargeError)
        if not (may_repeat and is_doubt):
            raise
        try:
            row = check_event(
                msgspec.structs.replace(arrival, ignores_the_moment=True),
                event_name=event_name,
                identifier=identifier,
                timestamp=timestamp,
                payload=payload,
            )
        except MeterEventInvalidError:
            raise refusal from None
        return row, refusal
    return row, None


def check_event(
    arrival: Arrival,
    *,
    event_name: object,
    identifier: object,
    timestamp: UsageTime | None,
    payload: object,
) -> UsageRow:
    """Check one event, and bring it into the form in which it is recorded.

    Args:
        arrival: when it came, and the meters known then.
        event_name: that of an active meter.
        identifier: of 1 to 100 characters.
        timestamp: when the usage happened; None is the time of arrival, if that may be.
        payload: a flat mapping of strings to strings or numbers.

    Raises:
        MeterEventInvalidError: the event breaks a rule.
    """
    meter = _meter(arrival, event_name)
    checked_identifier = _checked_identifier(identifier)
    if arrival.definitions.clocked.times and isinstance(payload, Mapping):
        arrival = arrival.of(payload.get(meter.customer_payload_key))
    # What most events come without costs no call.
    is_now = timestamp is None and arrival.takes_now
    at = arrival.now if is_now else arrival.instant(timestamp)
    texts = _checked_payload(payload)
    customer = texts.pop(meter.customer_payload_key, "")
    if not customer:
        raise MeterEventInvalidError(
            f"Customer mapping key {meter.customer_payload_key} not found in payload",
            code="meter_event_no_customer_defined",
            param=f"payload[{meter.customer_payload_key}]",
        )
    check_names_customer(meter, payload)
    if meter.needs_value or meter.needs_string:
        _check_value_is_there(meter, texts)
    value = None
    if meter.needs_value:
        value = _checked_value(arrival, texts, meter.value_payload_key)
    return UsageRow(
        meter.event_name,
        checked_identifier,
        customer,
        at,
        value,
        tuple(sorted(texts.items())) if texts else (),
    )


class EventForm(NamedTuple):
    """What of an event can be checked without its meter, in the form that is recorded.

    Attributes:
        timestamp: microseconds since 1970 UTC.
    """

    event_name: str
    identifier: str
    timestamp: int
    payload: dict[str, str]


def check_form(
    arrival: Arrival,
    *,
    event_name: object,
    identifier: object,
    timestamp: UsageTime | None,
    payload: object,
) -> EventForm:
    """Check what of an event can be checked without its meter; see `check_event`.

    Raises:
        MeterEventInvalidError: the event breaks a rule, whatever its meter.
    """
    return EventForm(
        _checked_text(event_name, "event_name", LONGEST_NAME),
        _checked_identifier(identifier),
        arrival.instant(timestamp),
        _checked_payload(payload),
    )


def _meter(arrival: Arrival, event_name: object) -> MeterDefinition:
    name = _checked_text(event_name, "event_name", LONGEST_NAME)
    meter = arrival.definitions.by_event_name.get(name)
    if meter is None:
        raise NoMeterError(name)
    if meter.status is MeterStatus.INACTIVE and not arrival.ignores_the_moment:
        raise MeterEventInvalidError(
            f"The meter for event name {name!r} is inactive; reactivate it to record"
            " its events",
            code="archived_meter",
            param="event_name",
        )
    return meter


def _checked_identifier(identifier: object) -> str:
    checked = _checked_text(identifier, "identifier", LONGEST_NAME)
    if not checked:
        raise MeterEventInvalidError(
            "The identifier is empty; give one of 1 to 100 characters, or none at all",
            code="parameter_invalid_string_empty",
            param="identifier",
        )
    return checked


def _checked_text(value: object, param: str, longest: int) -> str:
    if not isinstance(value, str):
        found = "nothing" if value is None else type(value).__name__
        raise MeterEventInvalidError(
            f"Invalid {param}: expected a string, found {found}",
            code="parameter_missing" if value is None else "parameter_invalid",
            param=param,
        )
    if len(value) > longest:
        raise MeterEventInvalidError(
            f"Invalid {param}: {value[:20]!r}… has {len(value)} characters; must be at"
            f" most {longest} characters",
            code="parameter_too_long",
            param=param,
        )
    if not is_storable(value):
        raise MeterEventInvalidError(
            f"Invalid {param}: {value[:20]!r} holds a NUL or half a surrogate pair,"
            " which no database can store",
            code="invalid_characters",
            param=param,
        )
    return value


def _checked_payload(payload: object) -> dict[str, str]:
    if type(payload) is dict and _are_short_texts(payload):
        return payload.copy()
    if not isinstance(payload, Mapping):
        reason = f"expected keys and values, found {type(payload).__name__}"
        if isinstance(payload, JsonInvalidError):
            reason = f"it cannot be read as JSON: {payload}"
        raise MeterEventInvalidError(
            f"Invalid payload: {reason}", code="payload_invalid", param="payload"
        )
    texts: dict[str, str] = {}
    for key, value in payload.items():
        name = _checked_text(key, "payload", LONGEST_NAME)
        texts[name] = _checked_text(
            _as_text(name, value), f"payload[{name}]", LONGEST_TEXT
        )
    return texts


def _are_short_texts(payload: dict[Any, Any]) -> bool:
    """Whether keys and values are strings that together are as short as a key may be.

    Most payloads are, and one look at all of their strings is the cheapest.
    """
    try:
        together = "".join(payload) + "".join(payload.values())
    except TypeError:
        return False
    return len(together) <= LONGEST_NAME and is_storable(together)


def _as_text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return number_text(value)
    found = "nothing" if value is None else type(value).__name__
    raise MeterEventInvalidError(
        f"Invalid payload[{name}]: expected a string or a number, found {found}",
        code="payload_invalid",
        param=f"payload[{name}]",
    )


def check_names_customer(meter: MeterDefinition, payload: object) -> None:
    """Refuse 5.0, also as a decimal: it would be another customer than 5.

    Args:
        meter: of the event.
        payload: one that was checked, as it was sent.

    Raises:
        MeterEventInvalidError: the customer is such a number.
    """
    key = meter.customer_payload_key
    assert type(payload) is dict or isinstance(payload, Mapping), "it was checked"
    given = payload.get(key)
    if isinstance(given, float) or (
        isinstance(given, Decimal) and "." in number_text(given)
    ):
        raise MeterEventInvalidError(
            f"Invalid payload[{key}]: expected a string or a whole number, found"
            f" {shown(given)}",
            code="payload_invalid",
            param=f"payload[{key}]",
        )


def _check_value_is_there(meter: MeterDefinition, texts: Mapping[str, str]) -> None:
    key = meter.value_payload_key
    if key not in texts:
        raise ValueMissingError(key)


def _checked_value(arrival: Arrival, texts: dict[str, str], key: str) -> Decimal:
    text = texts.pop(key)
    value = parse_quantity(text)
    # Values of old events can have as many digits as the stored type.
    if value is None or not (arrival.ignores_the_moment or can_be_recorded(value)):
        raise refused_value(text, key)
    return value
