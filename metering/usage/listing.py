"""Listing: recorded events in the order of the log, in segments and in the tail."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.entries import Commit, Passage
from ledger.log import Log
from ledger.segments.entry import overlapping
from ledger.segments.files import EVENTS
from ledger.segments.layout import usage_batch_of
from ledger.segments.reader import row_numbers
from ledger.stored_events import usage_of
from ledger.usage.columns import UsageRow, take_rows, timestamps_of, usage_rows
from projections.usage.view import UsageView

_ROWS_AT_A_TIME = 512

_FoundEvents = tuple[pa.RecordBatch, np.ndarray, np.ndarray]
"""Events, with their positions and when they were recorded (int64)."""


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
    """Read events up to the position of a view, in the order of the log."""
    for batch, positions, recorded_at in _found(log, view, wanted):
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


def _found(log: Log, view: UsageView, wanted: EventQuery) -> Iterator[_FoundEvents]:
    bounds = (wanted.event_name, wanted.customer, (wanted.start, wanted.end))
    if view.sealed is not None:
        segments = overlapping(view.sealed.segments, wanted.start, wanted.end)
        for segment in segments:
            if segment.up_to > wanted.after:
                table = view.sealed.reader.where(segment, *bounds, EVENTS)
                yield _in_order_of_the_log(table, wanted.after)
    commits = view.tail.commits.between(wanted.start, wanted.end)
    # The last one that begins before it may go beyond.
    first = max(0, bisect_right(commits, wanted.after) - 1)
    for part in log.parts_at(commits[first:]):
        batch, positions, recorded_at = _columns(part)
        rows = row_numbers(batch, timestamps_of(batch), *bounds)
        at = positions[rows]
        rows = rows[(at > wanted.after) & (at <= view.position)]
        if len(rows):
            yield take_rows(batch, rows), positions[rows], recorded_at[rows]


def _columns(part: Commit | Passage) -> _FoundEvents:
    if isinstance(part, Passage):
        return part.events, part.positions, part.times
    batch = usage_of(part)
    positions = part.first_position + np.arange(batch.num_rows)
    return batch, positions, np.full(batch.num_rows, part.recorded_at)


def _in_order_of_the_log(table: pa.Table, after: int) -> _FoundEvents:
    table = table.filter(pc.field("position") > after).sort_by("position")
    recorded_at = table.column("recorded_at").cast(pa.int64()).to_numpy()
    return usage_batch_of(table), table.column("position").to_numpy(), recorded_at
