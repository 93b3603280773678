"""Listing: recorded events in the order of the log, in segments and in the tail."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ledger.entries import Commit, Passage
from ledger.log import Log
from ledger.segments.entry import Segment, overlapping
from ledger.segments.files import EVENTS
from ledger.segments.layout import usage_batch_of
from ledger.segments.reader import SegmentReader, row_numbers
from ledger.stored_events import usage_of
from ledger.usage.columns import UsageRow, take_rows, timestamps_of, usage_rows
from projections.usage.view import UsageView

_ROWS_AT_A_TIME = 512

_FIRST_ROWS = 16
_FEW_ROWS = 256
_LOOKED_AT_FIRST = 2_048

_FoundEvents = tuple[pa.RecordBatch, np.ndarray, np.ndarray]
"""Events, with their positions and when they were written to be recorded (int64)."""


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events.

    Attributes:
        event_name: of this name.
        customer: of this customer.
        start: with this timestamp or a later one, microseconds since 1970 UTC.
        end: with an earlier timestamp.
        after: at later positions of the log.
    """

    event_name: str | None
    customer: str | None
    start: int
    end: int
    after: int


class RecordedEvent(NamedTuple):
    """An event as it was recorded, and whether it no longer counts."""

    row: UsageRow
    position: int
    recorded_at: int
    is_cancelled: bool


def recorded_events(
    log: Log, view: UsageView, wanted: EventQuery
) -> Iterator[RecordedEvent]:
    """Read events up to the position of a view, in the order of the log.

    The first are read by themselves, and ever more together: a page reads little, and
    whoever goes through all reads all at once.
    """
    for batch, positions, recorded_at in recorded_batches(log, view, wanted):
        for start in range(0, batch.num_rows, _ROWS_AT_A_TIME):
            rows = usage_rows(batch.slice(start, _ROWS_AT_A_TIME))
            end = start + len(rows)
            yield from map(
                RecordedEvent,
                rows,
                positions[start:end].tolist(),
                recorded_at[start:end].tolist(),
                view.are_cancelled(positions[start:end]).tolist(),
            )


def recorded_batches(
    log: Log, view: UsageView, wanted: EventQuery
) -> Iterator[_FoundEvents]:
    """Read events up to the position of a view, by columns, in the order of the log.

    Returns:
        Events, with their positions and when they count as recorded (int64).
    """
    for batch, positions, written_at in _found(log, view, wanted):
        yield batch, positions, log.time.of_many(positions, written_at)


def _found(log: Log, view: UsageView, wanted: EventQuery) -> Iterator[_FoundEvents]:
    bounds = (wanted.event_name, wanted.customer, (wanted.start, wanted.end))
    if view.sealed is not None:
        segments = overlapping(view.sealed.segments, wanted.start, wanted.end)
        for segment in segments:
            if segment.up_to > wanted.after:
                yield from _sealed(view.sealed.reader, segment, wanted)
    commits = view.tail.commits.between(wanted.start, wanted.end)
    # The last one that begins before it may go beyond.
    first = max(0, int(commits.searchsorted(wanted.after, "right")) - 1)
    for part in log.parts_at(commits[first:]):
        batch = part.events if isinstance(part, Passage) else usage_of(part)
        for start, end in pairwise((0, _LOOKED_AT_FIRST, batch.num_rows)):
            looked_at = batch.slice(start, max(0, end - start))
            found = row_numbers(looked_at, timestamps_of(looked_at), *bounds)
            positions, _ = places_of(part, start + found)
            is_beyond = (positions > wanted.after) & (positions <= view.position)
            rows = start + found[is_beyond]
            for piece in _growing(len(rows)):
                yield take_rows(batch, rows[piece]), *places_of(part, rows[piece])


def places_of(
    part: Commit | Passage, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where rows of a part were recorded, and when (int64)."""
    if isinstance(part, Passage):
        return part.positions[rows], part.times[rows]
    return part.first_position + rows, np.full(len(rows), part.recorded_at)


def _sealed(
    reader: SegmentReader, segment: Segment, wanted: EventQuery
) -> Iterator[_FoundEvents]:
    bounds = (wanted.event_name, wanted.customer, (wanted.start, wanted.end))
    found = reader.rows_where(segment, *bounds).after(wanted.after)
    after = wanted.after
    for part in (slice(0, _FIRST_ROWS), slice(_FIRST_ROWS, _FEW_ROWS)):
        positions = found.positions[part]
        if not len(positions):
            return
        events, recorded_at = reader.at_rows(segment, found.rows[part])
        yield events, positions, recorded_at
        after = int(positions[-1])
    if len(found.positions) > _FEW_ROWS:
        yield _in_order_of_the_log(reader.where(segment, *bounds, EVENTS), after)


def _growing(count: int) -> Iterator[slice]:
    """Yield slices of so many rows: few at first, and then the rest."""
    for start, end in pairwise((0, _FIRST_ROWS, _FEW_ROWS, max(count, _FEW_ROWS))):
        if start < count:
            yield slice(start, end)


def _in_order_of_the_log(table: pa.Table, after: int) -> _FoundEvents:
    # Those before are a few, and to leave them out at first would copy all others.
    table = table.sort_by("position")
    positions = table.column("position").to_numpy()
    table = table.slice(int(np.searchsorted(positions, after, side="right")))
    recorded_at = table.column("recorded_at").cast(pa.int64()).to_numpy()
    return usage_batch_of(table), table.column("position").to_numpy(), recorded_at
