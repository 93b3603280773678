"""Replacements: what stands in the place of events, checked as events are."""

from collections.abc import Iterator, Mapping
from itertools import groupby

import numpy as np
import pyarrow as pa

from ledger.usage.columns import PAYLOAD, take_rows
from ledger.usage.fingerprints import fingerprints
from ledger.usage.rows import batch_of
from metering.arguments.refusals import invalid
from metering.arguments.times import instant
from metering.corrections.choosing import MeantEvents
from metering.corrections.requests import ReplaceParams
from metering.errors import InvalidRequestError, NoMeterError
from metering.store.checked_events import CheckedEvents
from metering.usage.arrivals import Arrival
from metering.usage.ingest.layout import Constant, LocatedColumns
from metering.usage.ingest.options import IngestOptions
from metering.usage.ingest.piece_rules import check_columns
from metering.usage.ingest.receipts import Rejection
from projections.kernels.meters import MeterDefinition

# What was recorded keeps the customer that it has, however that is spelled.
_AS_RECORDED = IngestOptions(backfill=True, null_values=())


def replaced(
    chosen: MeantEvents, replace: ReplaceParams, arrival: Arrival, path: str
) -> Iterator[tuple[MeantEvents, pa.RecordBatch]]:
    """Yield events with their replacements, which have their identifiers still.

    Raises:
        InvalidRequestError: a replacement breaks a rule of events.
    """
    for name, alike in _by_name(chosen):
        wanted = replace.get("event_name", name)
        meter = arrival.definitions.by_event_name.get(wanted)
        if meter is None:
            raise NoMeterError(wanted)
        columns = _columns(alike.events, wanted, meter, replace, path)
        checked = check_columns(columns, arrival, _AS_RECORDED)
        identifiers = alike.events.column("identifier")
        checked = without_doubts(checked)
        if checked.refusals:
            number, refused = min(checked.refusals.items())
            raise refused_replacement(
                refused, f"the event with identifier {identifiers[number]}", path
            )
        yield alike, batch_of(checked.events)


def changed_alone(
    chosen: MeantEvents, replacements: pa.RecordBatch
) -> tuple[MeantEvents, pa.RecordBatch]:
    """Leave out the events whose replacements say what they say themselves."""
    differ = fingerprints(chosen.events) != fingerprints(replacements)
    if differ.all():
        return chosen, replacements
    rows = np.flatnonzero(differ)
    kept = MeantEvents(chosen.positions[rows], take_rows(chosen.events, rows))
    return kept, take_rows(replacements, rows)


def without_doubts(checked: CheckedEvents[Rejection]) -> CheckedEvents[Rejection]:
    """Refuse what breaks a rule of the moment: none of it is recorded yet."""
    if checked.doubts is None:
        return checked
    rows = checked.doubts.rows
    return checked.without(rows, checked.doubts.refuse(rows))


def refused_replacement(
    refused: Rejection, which: str, path: str
) -> InvalidRequestError:
    """Return the refusal of a correction, of which one replacement is refused."""
    return InvalidRequestError(
        f"The replacement of {which} is refused: {refused.message}",
        code=refused.code,
        param=path,
    )


def _by_name(chosen: MeantEvents) -> Iterator[tuple[str, MeantEvents]]:
    """Split events by their names."""
    encoded = chosen.events.column("event_name")
    names = encoded.dictionary.to_pylist()
    if len(names) == 1:
        yield names[0], chosen
        return
    codes = encoded.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    for code, group in groupby(order.tolist(), key=lambda row: codes[row]):
        rows = np.array(list(group), np.int64)
        events = take_rows(chosen.events, rows)
        yield names[code], MeantEvents(chosen.positions[rows], events)


def _columns(
    events: pa.RecordBatch,
    event_name: str,
    meter: MeterDefinition,
    replace: ReplaceParams,
    path: str,
) -> LocatedColumns:
    value: pa.Array | None = None
    if "value" in replace:
        if not meter.needs_value:
            allowed = f"left out: the meter of {event_name!r} takes no number"
            param = f"{path}[replace][value]"
            raise invalid(param, str(replace["value"]), allowed)
        one = pa.scalar(replace["value"], events.schema.field("value").type)
        value = pa.repeat(one, events.num_rows)
    elif meter.needs_value:
        value = events.column("value")
    timestamp = events.column("timestamp")
    if "timestamp" in replace:
        at = instant(replace["timestamp"], f"{path}[replace][timestamp]")
        timestamp = pa.repeat(pa.scalar(at, timestamp.type), events.num_rows)
    payload = events.column("payload")
    if "payload" in replace:
        payload = _with_keys(payload, replace["payload"])
    customer: pa.Array | Constant = events.column("customer").cast(pa.string())
    if "customer" in replace:
        customer = Constant(replace["customer"])
    return LocatedColumns(
        numbers=np.arange(events.num_rows),
        event_name=Constant(event_name),
        identifier=events.column("identifier"),
        timestamp=timestamp,
        customer=customer,
        value=value,
        payload=payload,
    )


def _with_keys(payload: pa.Array, keys: Mapping[str, str]) -> pa.Array:
    changed = [sorted({**dict(each), **keys}.items()) for each in payload.to_pylist()]
    return pa.array(changed, PAYLOAD)
