"""Identifier runs: which identifiers were recorded in a stretch of the log.

Columns, of one length but for the last, sorted by hash and, where hashes are equal, by
position: `hash` (uint64, see `ledger.usage.identifiers`), `position` (int64), `content_hash`
(uint64, see `ledger.usage.content_hash`), `timestamp` (int64, microseconds since 1970 UTC);
and the words of `occupancy` (uint64, see `ledger.runs.occupancy`).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ledger.runs.files import MappedRun, RunColumns
from ledger.runs.levels import FAN_IN
from ledger.runs.occupancy import occupy, shift_to_word, words_for

SEGMENT_COLUMNS = ("identifier_hash", "position", "content_hash", "timestamp")
"""The columns of a segment that an identifier run is built from."""

# Below this, arrays cost more than a loop over numbers.
_FEW = 16
_ROWS_AT_A_TIME = 1 << 17
_ROWS_MERGED_AT_A_TIME = 1 << 17
_NONE = np.zeros(0, np.int64)


class IdentifierRun:
    """Identifiers of one stretch of the log, in mapped memory."""

    def __init__(self, file: MappedRun) -> None:
        self.hashes = file.numbers("hash")
        self.positions = file.numbers("position")
        self.content_hashes = file.numbers("content_hash")
        self.timestamps = file.numbers("timestamp")
        self._words = file.numbers("occupancy")
        self._shift = shift_to_word(self._words)

    def __len__(self) -> int:
        """Count the identifiers."""
        return len(self.hashes)

    def find(
        self, hashes: np.ndarray, marks: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find hashes (uint64), given their marks.

        Returns:
            The indices of the hashes that were found, in no order, and where in the
            columns of this run each lies; an index is repeated, with ascending
            places, where its hash lies in several.
        """
        if len(hashes) < _FEW:
            suspects = self._suspects_of_few(hashes, marks)
        else:
            words = self._words[(hashes >> self._shift).view(np.int64)]
            suspects = np.flatnonzero(words & marks == marks)
        if len(suspects) == 0:
            return _NONE, _NONE
        if len(suspects) > 1:
            # One search in ascending order begins where the one before has led.
            suspects = suspects[np.argsort(hashes[suspects])]
        needles = hashes[suspects]
        starts = np.searchsorted(self.hashes, needles)
        is_there = self.hashes.take(starts, mode="clip") == needles
        if not is_there.any():
            return _NONE, _NONE
        found, needles, starts = suspects[is_there], needles[is_there], starts[is_there]
        ends = starts + 1
        # A hash is hardly ever in two places, and the second lies beside the first.
        if (self.hashes.take(ends, mode="clip") == needles).any():
            ends = np.searchsorted(self.hashes, needles, side="right")
        return spread(found, starts, ends)

    def _suspects_of_few(self, hashes: np.ndarray, marks: np.ndarray) -> np.ndarray:
        shift = int(self._shift)
        suspects = [
            index
            for index, (value, mark) in enumerate(
                zip(hashes.tolist(), marks.tolist(), strict=True)
            )
            if int(self._words[value >> shift]) & mark == mark
        ]
        return np.array(suspects, np.int64)


class IdentifierRuns:
    """The kind of identifier runs; see `ledger.runs.kinds.RunKind`."""

    name = "identifiers"
    version = 1
    # Merging moves much, and looking through takes little.
    fan_in = FAN_IN

    def open(self, file: MappedRun) -> IdentifierRun:
        """View a run's columns."""
        return IdentifierRun(file)

    def merge(self, runs: Sequence[IdentifierRun]) -> RunColumns:
        """Merge runs of neighbouring stretches, in the order of the log."""
        count = sum(map(len, runs))
        hashes = np.empty(count, np.uint64)
        positions = np.empty(count, np.int64)
        content_hashes = np.empty(count, np.uint64)
        timestamps = np.empty(count, np.int64)
        start = 0
        for pieces in _by_ranges_of_hashes(runs):
            unsorted = np.concatenate([run.hashes[piece] for run, piece in pieces])
            # Stable: equal hashes stay in the order of the log. And quick on pieces
            # that are sorted already.
            order = np.argsort(unsorted, kind="stable")
            rows = slice(start, start + len(order))
            hashes[rows] = unsorted[order]
            positions[rows] = _gathered([r.positions[p] for r, p in pieces], order)
            content_hashes[rows] = _gathered(
                [r.content_hashes[p] for r, p in pieces], order
            )
            timestamps[rows] = _gathered([r.timestamps[p] for r, p in pieces], order)
            start += len(order)
        return _columns(hashes, positions, content_hashes, timestamps)


def build_identifier_run(table: pa.Table) -> RunColumns:
    """Make the columns of a run from the columns `SEGMENT_COLUMNS` of a segment."""
    hashes, positions, content_hashes = (
        table.column(name).to_numpy() for name in SEGMENT_COLUMNS[:3]
    )
    timestamps = table.column("timestamp").cast(pa.int64()).to_numpy()
    order = _order(hashes, positions)
    return _columns(
        hashes[order], positions[order], content_hashes[order], timestamps[order]
    )


def spread(
    indices: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """List every place in the ranges ``[start, end)``, each beside its index."""
    counts = ends - starts
    before = np.cumsum(counts) - counts
    places = np.arange(counts.sum()) + np.repeat(starts - before, counts)
    return np.repeat(indices, counts), places


def _order(hashes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Order by hash and position.

    Two passes of a radix sort by 16 bits each, then the few whose first 32 bits agree:
    a quarter of what sorting by 64 bits takes.
    """
    quarters = np.ascontiguousarray(hashes, "<u8").view("<u2").reshape(-1, 4)
    order = np.argsort(quarters[:, 2], kind="stable")
    order = order[np.argsort(quarters[:, 3][order], kind="stable")]
    halves = (hashes >> np.uint64(32))[order]
    agrees = halves[1:] == halves[:-1]
    if agrees.any():
        tied = np.zeros(len(order), bool)
        tied[1:] |= agrees
        tied[:-1] |= agrees
        rows = order[tied]
        order[tied] = rows[np.lexsort((positions[rows], hashes[rows]))]
    return order


def _by_ranges_of_hashes(
    runs: Sequence[IdentifierRun],
) -> Iterator[list[tuple[IdentifierRun, slice]]]:
    """Cut runs at the same hashes into pieces that are small enough to sort."""
    longest = max(runs, key=len)
    cuts = longest.hashes[:: max(1, _ROWS_MERGED_AT_A_TIME // len(runs))][1:]
    ends = [
        np.append(np.searchsorted(run.hashes, cuts), len(run)).tolist() for run in runs
    ]
    starts = [0] * len(runs)
    for stops in zip(*ends, strict=True):
        yield [
            (run, slice(start, stop))
            for run, start, stop in zip(runs, starts, stops, strict=True)
        ]
        starts = list(stops)


def _gathered(pieces: Sequence[np.ndarray], order: np.ndarray) -> np.ndarray:
    gathered: np.ndarray = np.concatenate(pieces)[order]
    return gathered


def _columns(
    hashes: np.ndarray,
    positions: np.ndarray,
    content_hashes: np.ndarray,
    timestamps: np.ndarray,
) -> RunColumns:
    words = words_for(len(hashes))
    for start in range(0, len(hashes), _ROWS_AT_A_TIME):
        occupy(words, hashes[start : start + _ROWS_AT_A_TIME])
    return {
        "hash": hashes,
        "position": positions,
        "content_hash": content_hashes,
        "timestamp": timestamps,
        "occupancy": words,
    }
