"""Deduplication: which events of a batch are new, which repeat, which contradict.

A hash that is known already only raises the question; the stored event itself answers
it. Equal content is a duplicate, other content under the same identifier a conflict
that names the fields. Within a batch the first row is the original.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from ledger.columns import take_rows
from ledger.few_events import Events, batch_of
from ledger.identifiers import are_among

COMPARED = ("customer", "timestamp", "value", "payload")

Stored = Callable[[np.ndarray], tuple[pa.RecordBatch, np.ndarray]]
"""Reads events at positions: the events, and when each was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Events about to be appended.

    Attributes:
        events: meter events in canonical form.
        hashes: the hash of each identifier (uint64).
        has_own_timestamp: which rows carry their sender's timestamp (bool); the others
            were given the time of arrival, which a repetition cannot repeat.
    """

    events: Events
    hashes: np.ndarray
    has_own_timestamp: np.ndarray

    def __len__(self) -> int:
        """Count the events."""
        return len(self.hashes)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What became of each row of a draft.

    Attributes:
        original_positions: int64, position of the stored original, 0 where none is.
        original_rows: int64, row of the original in the same draft, -1 where none is.
        conflicts: for each row that contradicts its original, the differing fields.
    """

    original_positions: np.ndarray
    original_rows: np.ndarray
    conflicts: dict[int, tuple[str, ...]]

    @cached_property
    def is_new(self) -> np.ndarray:
        """Which rows (bool) have no original and are to be recorded."""
        is_new: np.ndarray = (self.original_positions == 0) & (self.original_rows < 0)
        return is_new

    @cached_property
    def new_count(self) -> int:
        """How many rows are to be recorded."""
        return int(np.count_nonzero(self.is_new))


def settle(
    draft: Draft,
    known: tuple[np.ndarray, np.ndarray],
    stored: Stored,
    *,
    live_since: int | None,
) -> Settled:
    """Compare a draft with the events recorded before, and with itself.

    Args:
        draft: the events to settle.
        known: rows whose hash is known, ascending, and the position of each candidate.
        stored: reads the candidates.
        live_since: identifiers recorded before this instant (microseconds since 1970
            UTC) may be used again; None keeps them for ever.
    """
    settled = Settled(
        original_positions=np.zeros(len(draft.hashes), np.int64),
        original_rows=np.full(len(draft.hashes), -1, np.int64),
        conflicts={},
    )
    rows, positions = known
    if len(rows):
        _settle_stored(draft, rows, positions, stored, live_since, settled)
    if len(draft) > 1:
        ascending = np.sort(draft.hashes)
        repeated = ascending[1:][ascending[1:] == ascending[:-1]]
        if len(repeated):
            _settle_within(draft, repeated, settled)
    return settled


def _settle_stored(
    draft: Draft,
    rows: np.ndarray,
    positions: np.ndarray,
    stored: Stored,
    live_since: int | None,
    settled: Settled,
) -> None:
    events, recorded_at = stored(positions)
    drafted = take_rows(batch_of(draft.events), rows)
    same = _is_same(drafted, events)
    if live_since is not None:
        same &= recorded_at >= live_since
    if not same.any():
        return
    at = np.flatnonzero(same)
    # Ascending positions: the last to write is the identifier's latest event.
    settled.original_positions[rows[at]] = positions[at]
    latest = settled.original_positions[rows[at]] == positions[at]
    at = at[latest]
    own_timestamp = draft.has_own_timestamp[rows[at]]
    differing = differing_fields(
        take_rows(drafted, at), take_rows(events, at), own_timestamp
    )
    settled.conflicts.update(
        (int(rows[at[index]]), fields) for index, fields in differing.items()
    )


def _settle_within(draft: Draft, repeated: np.ndarray, settled: Settled) -> None:
    suspects = np.flatnonzero(
        are_among(draft.hashes, repeated) & (settled.original_positions == 0)
    )
    picked = batch_of(draft.events).take(pa.array(suspects))
    firsts: dict[tuple[str, str], int] = {}
    later, originals = [], []
    for row, name, identifier in zip(
        suspects.tolist(),
        picked.column("event_name").to_pylist(),
        picked.column("identifier").to_pylist(),
        strict=True,
    ):
        first = firsts.setdefault((name, identifier), row)
        if first != row:
            later.append(row)
            originals.append(first)
    if not later:
        return
    settled.original_rows[later] = originals
    differing = differing_fields(
        take_rows(batch_of(draft.events), np.array(later, np.int64)),
        take_rows(batch_of(draft.events), np.array(originals, np.int64)),
        draft.has_own_timestamp[later],
    )
    settled.conflicts.update(
        (later[index], fields) for index, fields in differing.items()
    )


def differing_fields(
    left: pa.RecordBatch, right: pa.RecordBatch, compares_timestamp: np.ndarray
) -> dict[int, tuple[str, ...]]:
    """Name the fields in which rows differ, for each row that does, by its index."""
    differing: dict[int, tuple[str, ...]] = {}
    for field in COMPARED:
        ours, theirs = left.column(field), right.column(field)
        if ours.equals(theirs):
            continue
        pairs = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
        for index, (one, other) in enumerate(pairs):
            if one == other or (field == "timestamp" and not compares_timestamp[index]):
                continue
            differing[index] = (*differing.get(index, ()), field)
    return differing


def _is_same(left: pa.RecordBatch, right: pa.RecordBatch) -> np.ndarray:
    same = np.ones(left.num_rows, bool)
    for field in ("event_name", "identifier"):
        ours, theirs = left.column(field), right.column(field)
        if not ours.equals(theirs):
            pairs = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
            same &= np.fromiter((one == other for one, other in pairs), bool)
    return same
