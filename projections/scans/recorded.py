"""The events up to a position, in segments and in the tail, as a scan reads them.

Segments are read where they are; the tail becomes one table with the same columns. Both
may hold events after the position and cancelled events, which the scan leaves out.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ledger.entries import Commit
from ledger.segments.entry import Segment
from ledger.segments.files import EVENTS
from ledger.segments.layout import SEGMENT
from ledger.segments.reader import SegmentReader
from ledger.usage.columns import TIMESTAMP
from ledger.usage.rows import batch_of
from projections.kernels.meters import MeterDefinition

RECORDED = pa.schema([SEGMENT.field(name) for name in EVENTS])
"""Columns of the tail: those of a segment, but for its hashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvents:
    """All events up to a position of the log.

    Attributes:
        position: events after it do not count.
        segments: in the order of the log.
        reader: reads the segments.
        tail: the events after the last segment, of schema `RECORDED`.
        cancelled: positions of the events cancelled up to `position` (int64, ascending).
        definitions: the meters at `position`, by id, in the order of creation.
    """

    position: int
    segments: tuple[Segment, ...]
    reader: SegmentReader
    tail: pa.Table
    cancelled: np.ndarray
    definitions: dict[str, MeterDefinition]


def tail_table(commits: list[Commit]) -> pa.Table:
    """Return the events of some commits as one table, in the order of the log."""
    parts = [
        _with_positions(commit)
        for commit in commits
        if not isinstance(commit.content, tuple)
    ]
    if not parts:
        return pa.Table.from_batches([], schema=RECORDED)
    return pa.Table.from_batches(parts).unify_dictionaries().combine_chunks()


def _with_positions(commit: Commit) -> pa.RecordBatch:
    assert not isinstance(commit.content, tuple), "only usage was picked"
    batch = batch_of(commit.content)
    count = batch.num_rows
    positions = np.arange(commit.first_position, commit.first_position + count)
    recorded_at = np.full(count, commit.recorded_at, np.int64)
    columns = {
        **dict(zip(batch.schema.names, batch.columns, strict=True)),
        "position": pa.array(positions, pa.int64()),
        "recorded_at": pa.array(recorded_at).view(TIMESTAMP),
    }
    return pa.RecordBatch.from_arrays(
        [columns[name] for name in RECORDED.names], schema=RECORDED
    )
