"""Reading the recorded events of a series, in columns and in the order of the log."""

import os
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from ledger.entries import Commit, Passage
from ledger.log import Log
from ledger.segments.entry import Segment, overlapping
from ledger.stored_events import usage_of
from ledger.usage.arrow import compute as pc
from ledger.usage.columns import TIMESTAMP, USAGE, column_of
from metering.usage.listing import places_of
from projections.kernels.usage.series import Series
from projections.scans.reaggregation.threads import in_threads
from projections.usage.view import UsageView

RECORDED = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("recorded_at", TIMESTAMP, nullable=False),
        USAGE.field("identifier"),
        USAGE.field("timestamp"),
        USAGE.field("value"),
        pa.field("string", pa.string()),
    ]
)
_TIMES = ("position", "timestamp")
_READ = ("position", "recorded_at", "identifier", "timestamp", "value")
# Most of a segment's time goes to decompressing identifiers, of which few are kept.
_THREADS = min(4, os.cpu_count() or 1)


def series_events(
    log: Log, view: UsageView, series: Series, start: int, end: int
) -> Iterator[pa.RecordBatch]:
    """Read the events of a series in ``[start, end)`` up to the position of a view.

    What is read together lies in one segment, or beside each other in the tail.

    Returns:
        Batches of `RECORDED`, cancelled events among them. A string is that of the
        value's payload key, where the meter tells strings apart, and null elsewhere.
    """
    for batch in _recorded(log, view, series, start, end):
        written_at = batch.column("recorded_at").cast(pa.int64()).to_numpy()
        positions = batch.column("position").to_numpy()
        recorded_at = log.time.of_many(positions, written_at)
        columns = {
            **{name: batch.column(name) for name in _READ},
            "recorded_at": column_of(recorded_at).view(TIMESTAMP),
            "string": _strings(batch, series),
        }
        yield pa.RecordBatch.from_pydict(columns, schema=RECORDED)


def series_times(
    view: UsageView, series: Series, start: int, end: int
) -> Iterator[pa.RecordBatch]:
    """Read position and timestamp of the events that `series_events` reads, alone."""
    yield from _sealed(view, series, start, end, _TIMES)
    in_tail = view.tail.events_of(series, start, end, payloads=False)
    if in_tail is not None and in_tail.num_rows:
        yield from in_tail.select(_TIMES).sort_by("position").to_batches()


def _strings(batch: pa.RecordBatch, series: Series) -> pa.Array:
    if not series.meter.needs_string:
        return pa.nulls(batch.num_rows, pa.string())
    key = series.meter.value_payload_key
    payload = batch.column("payload")
    return pc.map_lookup(payload, query_key=key, occurrence="first")


def _recorded(
    log: Log, view: UsageView, series: Series, start: int, end: int
) -> Iterator[pa.RecordBatch]:
    columns = (*_READ, "payload") if series.meter.needs_string else _READ
    yield from _sealed(view, series, start, end, columns)
    positions = _positions_in_tail(view, series, start, end)
    if len(positions):
        yield from _in_tail(log, view, positions, columns)


def _sealed(
    view: UsageView, series: Series, start: int, end: int, columns: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    if view.sealed is None:
        return
    reader = view.sealed.reader
    name, customer = series.meter.event_name, series.customer

    def read(segment: Segment) -> pa.Table:
        return reader.where(segment, name, customer, (start, end), columns)

    segments = overlapping(view.sealed.segments, start, end)
    for table in in_threads(read, segments, min(_THREADS, len(segments)) or 1):
        if table.num_rows:
            [batch] = table.sort_by("position").combine_chunks().to_batches()
            yield batch


def _positions_in_tail(
    view: UsageView, series: Series, start: int, end: int
) -> np.ndarray:
    in_tail = view.tail.events_of(series, start, end, payloads=False)
    if in_tail is None:
        return np.zeros(0, np.int64)
    return np.sort(in_tail.column("position").to_numpy())


def _in_tail(
    log: Log, view: UsageView, positions: np.ndarray, columns: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """Read events of the tail by their positions (int64, ascending)."""
    begins = view.tail.commits.first_position
    firsts = begins[np.unique(begins.searchsorted(positions, "right") - 1)]
    for part in log.parts_at(firsts):
        low = int(positions.searchsorted(part.first_position))
        high = int(positions.searchsorted(part.last_position, "right"))
        batch, rows = _rows_at(part, positions[low:high])
        events = batch.take(column_of(rows))
        found, written_at = places_of(part, rows)
        read = {
            "position": column_of(found),
            "recorded_at": column_of(written_at).view(TIMESTAMP),
        }
        yield pa.RecordBatch.from_arrays(
            [read[n] if n in read else events.column(n) for n in columns], list(columns)
        )


def _rows_at(
    part: Commit | Passage, positions: np.ndarray
) -> tuple[pa.RecordBatch, np.ndarray]:
    """Return the events of a part, and in which rows some positions are."""
    if isinstance(part, Passage):
        return part.events, part.positions.searchsorted(positions)
    return usage_of(part), positions - part.first_position
