"""The event rules over decoded JSON: events of the stream, which come up to 100 at once."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from ledger.facts.meters import MeterStatus
from ledger.usage.columns import empty_batch, usage_batch, usage_batch_of
from metering.arguments.columns import plain_values
from metering.arguments.strings import LONGEST_NAME, LONGEST_TEXT, Name, is_storable
from metering.arguments.time_columns import plain_timestamps
from metering.errors import MeterEventInvalidError
from metering.store.checked_events import CheckedEvents, Doubts
from metering.usage.arrivals import Arrival
from metering.usage.column_rules import ColumnPart, passed_or_checked
from metering.usage.event_rules import check_each
from metering.usage.requests import PAYLOAD_KEYS_MAX
from projections.meters.catalog import Definitions

_Key = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)]
_Text = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
_Payload = Annotated[dict[_Key, _Text], msgspec.Meta(max_length=PAYLOAD_KEYS_MAX)]


class StreamedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A meter event as a decoder of JSON gives it, all of it strings."""

    event_name: Name
    payload: _Payload
    identifier: Name | None = None
    timestamp: str | None = None


class _Gathered(NamedTuple):
    """The values of an event that looks plain, and its number."""

    number: int
    event_name: str
    customer: str
    value: str | None
    rest: tuple[tuple[str, str], ...]


def check_stream(
    events: Sequence[StreamedEvent], identifiers: Sequence[str], arrival: Arrival
) -> CheckedEvents[MeterEventInvalidError]:
    """Check events, each under the identifier that it has or was given."""

    def check_alone(
        numbers: np.ndarray, *, may_repeat: bool
    ) -> CheckedEvents[MeterEventInvalidError]:
        checked = check_each(
            arrival, numbers.tolist(), events, identifiers, may_repeat=may_repeat
        )
        rows = checked.rows
        own = [events[number].timestamp is not None for number in rows]
        return CheckedEvents(
            events=usage_batch(list(rows.values())) if rows else empty_batch(),
            numbers=np.array(list(rows), np.int64),
            has_own_timestamp=np.array(own, np.bool_),
            refusals=checked.refusals,
            doubts=Doubts.of(checked.doubts, list(rows)),
        )

    gathered = list(_gathered(events, arrival.definitions))
    parts: list[ColumnPart] = []
    if gathered and _are_storable(gathered, events, identifiers):
        parts.append(_part(gathered, events, identifiers, arrival))
    own = np.array([event.timestamp is not None for event in events], np.bool_)
    return passed_or_checked(parts, own, check_alone)


def _gathered(
    events: Sequence[StreamedEvent], definitions: Definitions
) -> Iterator[_Gathered]:
    # Customers of test clocks have a time of their own: their events are checked alone.
    keys, clocked = _payload_keys(definitions), definitions.clocked.times
    for number, event in enumerate(events):
        payload = event.payload
        found = keys.get(event.event_name)
        if found is None:
            continue
        customer_key, value_key = found
        customer = payload.get(customer_key)
        if not customer or customer in clocked:
            continue
        value = None if value_key is None else payload.get(value_key)
        if value_key is not None and value is None:
            continue
        rest: tuple[tuple[str, str], ...] = ()
        if len(payload) > (1 if value_key is None else 2):
            taken = {customer_key, value_key}
            rest = tuple(
                sorted(each for each in payload.items() if each[0] not in taken)
            )
        yield _Gathered(number, event.event_name, customer, value, rest)


def _payload_keys(definitions: Definitions) -> dict[str, tuple[str, str | None]]:
    """Return where events of active meters have the customer and, if needed, the value.

    Meters that ask for more than these two are left out.
    """
    return {
        name: (
            meter.customer_payload_key,
            meter.value_payload_key if meter.needs_value else None,
        )
        for name, meter in definitions.by_event_name.items()
        if meter.status is MeterStatus.ACTIVE
        and meter.customer_payload_key
        and not meter.needs_string
        and not (
            meter.needs_value and meter.customer_payload_key == meter.value_payload_key
        )
    }


def _are_storable(
    gathered: Sequence[_Gathered],
    events: Sequence[StreamedEvent],
    identifiers: Sequence[str],
) -> bool:
    """Whether every string can be stored; one look at all of them is the cheapest."""
    strings = chain(
        identifiers,
        filter(None, [event.timestamp for event in events]),
        {each.customer for each in gathered},
        filter(None, [each.value for each in gathered]),
        chain.from_iterable(chain.from_iterable(each.rest for each in gathered)),
    )
    return is_storable("".join(strings))


def _part(
    gathered: Sequence[_Gathered],
    events: Sequence[StreamedEvent],
    identifiers: Sequence[str],
    arrival: Arrival,
) -> ColumnPart:
    numbers, names, customers, values, rests = zip(*gathered, strict=True)
    times = pa.array([events[number].timestamp for number in numbers], pa.string())
    timestamps, in_time = plain_timestamps(
        times, arrival.earliest, arrival.latest, arrival.times
    )
    if times.null_count:
        is_absent = times.is_null().to_numpy(zero_copy_only=False)
        timestamps = np.where(is_absent, arrival.now, timestamps)
        in_time |= is_absent
    written = pa.array(values, pa.string())
    quantities, have_value, _ = plain_values(written)
    if written.null_count:
        # Where no value is needed, none was gathered.
        have_value = have_value | written.is_null().to_numpy(zero_copy_only=False)
    batch = usage_batch_of(
        event_names=names,
        identifiers=[identifiers[number] for number in numbers],
        customers=customers,
        timestamps=timestamps,
        values=quantities,
        payloads=rests,
    )
    return ColumnPart(
        batch,
        np.array(numbers, np.int64),
        is_plain=in_time & have_value,
        # What is not in time is checked alone.
        is_in_doubt=np.zeros(len(numbers), bool),
    )
