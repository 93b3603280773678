"""Events that came together as decoded JSON, checked as columns.

As for other columns, nothing is decided here that `metering.usage.event_rules` does not decide:
what plainly obeys the rules is waved through with the very result of the single check,
and everything else is brought there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated

import msgspec
import numpy as np
import pyarrow as pa

from ledger.facts.meters import MeterStatus
from ledger.usage.columns import (
    empty_batch,
    in_order,
    take_rows,
    usage_batch,
    usage_batch_of,
)
from metering.arguments.strings import LONGEST_NAME, LONGEST_TEXT, is_storable
from metering.errors import MeterEventInvalidError
from metering.store.checked_events import CheckedEvents
from metering.usage.event_rules import Arrival, check_each
from metering.usage.ingest.plain import plain_timestamps, plain_values
from projections.meters.catalog import Definitions

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
_Key = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)]
_Text = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
_Payload = Annotated[dict[_Key, _Text], msgspec.Meta(max_length=500)]


class StreamedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A meter event as a decoder of JSON gives it, all of it texts."""

    event_name: _Name
    payload: _Payload
    identifier: _Name | None = None
    timestamp: str | None = None


@dataclass(frozen=True, slots=True)
class _Keys:
    """Where the events of a meter have what; `value` is None where nothing is a number."""

    customer: str
    value: str | None


@dataclass(slots=True)
class _Gathered:
    """Columns of the events that look plain, and the number of each."""

    numbers: list[int] = field(default_factory=list)
    event_names: list[str] = field(default_factory=list)
    customers: list[str] = field(default_factory=list)
    values: list[str | None] = field(default_factory=list)
    rests: list[tuple[tuple[str, str], ...]] = field(default_factory=list)


def check_stream(
    events: Sequence[StreamedEvent], identifiers: Sequence[str], arrival: Arrival
) -> CheckedEvents[MeterEventInvalidError]:
    """Check events, each under the identifier that it has or was given."""
    gathered = _gather(events, arrival.definitions)
    if not _are_storable(gathered, events, identifiers):
        gathered = _Gathered()
    batch, is_plain = _wave_through(gathered, events, identifiers, arrival)
    at = np.array(gathered.numbers, np.int64)
    refusals: dict[int, MeterEventInvalidError] = {}
    if len(batch) < len(events) or not is_plain.all():
        others = np.setdiff1d(np.arange(len(events)), at[is_plain])
        rows, refusals = check_each(arrival, others.tolist(), events, identifiers)
        singly = usage_batch(list(rows.values())) if rows else empty_batch()
        batch, at = in_order(
            [take_rows(batch, np.flatnonzero(is_plain)), singly],
            [at[is_plain], np.array(list(rows), np.int64)],
        )
    own = np.array([event.timestamp is not None for event in events], np.bool_)
    return CheckedEvents(
        events=batch, numbers=at, has_own_timestamp=own[at], refusals=refusals
    )


def _gather(events: Sequence[StreamedEvent], definitions: Definitions) -> _Gathered:
    places = _places(definitions)
    gathered = _Gathered()
    numbers, names, customers, values, rests = (
        gathered.numbers,
        gathered.event_names,
        gathered.customers,
        gathered.values,
        gathered.rests,
    )
    for number, event in enumerate(events):
        payload, keys = event.payload, places.get(event.event_name)
        customer = None if keys is None else payload.get(keys.customer)
        if keys is None or not customer:
            continue
        value, known = None, 1
        if keys.value is not None:
            value, known = payload.get(keys.value), 2
            if value is None:
                continue
        rest: tuple[tuple[str, str], ...] = ()
        if len(payload) > known:
            rest = tuple(
                sorted(
                    (key, text)
                    for key, text in payload.items()
                    if key not in {keys.customer, keys.value}
                )
            )
        numbers.append(number)
        names.append(event.event_name)
        customers.append(customer)
        values.append(value)
        rests.append(rest)
    return gathered


def _are_storable(
    gathered: _Gathered, events: Sequence[StreamedEvent], identifiers: Sequence[str]
) -> bool:
    """Tell whether every text can be stored; one look at all of them is the cheapest."""
    texts = chain(
        identifiers,
        filter(None, [event.timestamp for event in events]),
        set(gathered.customers),
        filter(None, gathered.values),
        chain.from_iterable(chain.from_iterable(gathered.rests)),
    )
    return is_storable("".join(texts))


def _places(definitions: Definitions) -> dict[str, _Keys]:
    """Find where active meters have what; those that need more thought are left out."""
    return {
        name: _Keys(
            meter.customer_payload_key,
            meter.value_payload_key if meter.needs_value else None,
        )
        for name, meter in definitions.by_event_name.items()
        if meter.status is MeterStatus.ACTIVE
        and not meter.needs_string
        and not (
            meter.needs_value and meter.customer_payload_key == meter.value_payload_key
        )
    }


def _wave_through(
    gathered: _Gathered,
    events: Sequence[StreamedEvent],
    identifiers: Sequence[str],
    arrival: Arrival,
) -> tuple[pa.RecordBatch, np.ndarray]:
    """Build the batch of what was gathered, and tell which rows are plain."""
    numbers = gathered.numbers
    names = [identifiers[number] for number in numbers]
    timestamps, is_plain = _timestamps(
        [events[at].timestamp for at in numbers], arrival
    )
    values, have_values = _values(gathered.values)
    is_plain &= have_values
    batch = usage_batch_of(
        event_names=gathered.event_names,
        identifiers=names,
        customers=gathered.customers,
        timestamps=timestamps,
        values=values,
        payloads=gathered.rests,
    )
    return batch, is_plain


def _timestamps(
    texts: Sequence[str | None], arrival: Arrival
) -> tuple[np.ndarray, np.ndarray]:
    column = pa.array(texts, pa.string())
    if column.null_count == len(column):
        return np.full(len(column), arrival.now), np.ones(len(column), np.bool_)
    instants, is_plain = plain_timestamps(column, arrival.earliest, arrival.latest)
    if column.null_count:
        is_absent = column.is_null().to_numpy(zero_copy_only=False)
        instants = np.where(is_absent, arrival.now, instants)
        is_plain |= is_absent
    return instants, is_plain


def _values(texts: Sequence[str | None]) -> tuple[pa.Array, np.ndarray]:
    """Read quantities; where none is needed there is none, and that is plain."""
    column = pa.array(texts, pa.string())
    values, is_plain = plain_values(column)
    if column.null_count:
        is_plain = is_plain | column.is_null().to_numpy(zero_copy_only=False)
    return values, is_plain
