"""The events up to a position, in segments and in the tail, as a scan reads them.

Segments are read where they are; the tail becomes one table with the same columns. Both
may hold events after the position and cancelled events, which the scan leaves out.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from ledger.entries import Commit, Passage
from ledger.facts.instants import LogTime
from ledger.facts.union import FACTS
from ledger.segments.entry import Segment
from ledger.segments.files import EVENTS
from ledger.segments.layout import SEGMENT
from ledger.segments.reader import SegmentReader
from ledger.usage.arrow import compute as pc
from ledger.usage.columns import TIMESTAMP, column_of
from ledger.usage.rows import UsageEvents, batch_of
from projections.kernels.meters import MeterDefinition

RECORDED = pa.schema([SEGMENT.field(name) for name in EVENTS])
"""Columns of the tail: those of a segment, but for its hashes."""


class RecordedEvents(msgspec.Struct, frozen=True, kw_only=True):
    """All events up to a position of the log.

    Attributes:
        position: events after it do not count.
        segments: in the order of the log.
        reader: reads the segments.
        tail: the events after the last segment, of schema `RECORDED`.
        time: when events count as recorded; their columns say what was written.
        cancelled: positions of the events cancelled up to `position` (int64, ascending).
        definitions: the meters at `position`, by id, in the order of creation.
    """

    position: int
    segments: tuple[Segment, ...]
    reader: SegmentReader
    tail: pa.Table
    time: LogTime
    cancelled: np.ndarray
    definitions: dict[str, MeterDefinition]

    def ends(self) -> tuple[int, int]:
        """Return the least and the greatest timestamp; 0 and 0 where there is no event."""
        ends = [(each.earliest, each.latest) for each in self.segments]
        if self.tail.num_rows:
            ends.append(ends_of(self.tail))
        return (
            min((earliest for earliest, _ in ends), default=0),
            max((latest for _, latest in ends), default=0),
        )


def ends_of(events: pa.Table) -> tuple[int, int]:
    """Return the least and the greatest timestamp of events, at least one.

    Returns:
        Microseconds since 1970 UTC.
    """
    extremes = pc.min_max(events.column("timestamp").cast(pa.int64())).as_py()
    return extremes["min"], extremes["max"]


def tail_table(parts: Sequence[Commit | Passage]) -> pa.Table:
    """Return the events of consecutive parts of the log as one table, in its order."""
    batches = [
        _recorded(part.events, part.positions, part.times)
        if isinstance(part, Passage)
        else _of_commit(part, part.content)
        for part in parts
        if isinstance(part, Passage) or not isinstance(part.content, FACTS)
    ]
    if not batches:
        return pa.Table.from_batches([], schema=RECORDED)
    return pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()


def _of_commit(commit: Commit, events: UsageEvents) -> pa.RecordBatch:
    count = len(events)
    return _recorded(
        batch_of(events),
        np.arange(commit.first_position, commit.first_position + count),
        np.full(count, commit.recorded_at, np.int64),
    )


def _recorded(
    batch: pa.RecordBatch, positions: np.ndarray, recorded_at: np.ndarray
) -> pa.RecordBatch:
    columns = {
        **dict(zip(batch.schema.names, batch.columns, strict=True)),
        "position": column_of(positions),
        "recorded_at": column_of(recorded_at).view(TIMESTAMP),
    }
    return pa.RecordBatch.from_arrays(
        [columns[name] for name in RECORDED.names], schema=RECORDED
    )
