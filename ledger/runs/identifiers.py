"""Identifiers of the sealed part of the log, found in runs.

Runs are opened, and missing ones made, when identifiers are first looked for: a process
that only reads summaries never needs them.
"""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from ledger.appending.deduplication import Candidates
from ledger.runs.files import RunColumns
from ledger.runs.identifier_run import (
    SEGMENT_COLUMNS,
    IdentifierRun,
    IdentifierRuns,
    build_identifier_run,
)
from ledger.runs.occupancy import marks_of
from ledger.runs.run_set import RunSet
from ledger.segments.entry import Segment
from ledger.segments.sealed import Sealed


class SealedIdentifiers:
    """Hashes of identifiers before the tail, by position. Thread-safe.

    Args:
        sealed: what lies before the tail.
    """

    def __init__(self, sealed: Sealed) -> None:
        self._lock = threading.Lock()
        self._sealed = sealed
        self._files = RunSet(sealed.runs, IdentifierRuns(), sealed.shared_runs)
        self._runs: Sequence[IdentifierRun] | None = None

    def restart(self, sealed: Sealed) -> None:
        """Begin again where more is sealed; open runs stay open.

        Args:
            sealed: as when it was made, but for the segments.
        """
        with self._lock:
            self._sealed = sealed
            self._runs = None

    def make_runs(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Open all runs, and make those that are missing.

        Args:
            progress: see `RunSet.cover`.
        """
        with self._lock:
            self._cover(progress)

    def clear_runs(self) -> None:
        """Remove all runs; they are made anew when next needed."""
        with self._lock:
            self._runs = None
            self._files.clear()

    def find(self, hashes: np.ndarray) -> Candidates:
        """Find where hashes (uint64) of identifiers were recorded."""
        with self._lock:
            runs = self._runs if self._runs is not None else self._cover(None)
        return find_in_runs(runs, hashes)

    def _cover(
        self, progress: Callable[[int, int], None] | None
    ) -> Sequence[IdentifierRun]:
        segments = self._sealed.segments
        self._runs = self._files.cover(segments, self._build, progress)
        return self._runs

    def _build(self, segment: Segment) -> RunColumns:
        table = self._sealed.reader.table(segment, SEGMENT_COLUMNS)
        return build_identifier_run(table)


def find_in_runs(runs: Sequence[IdentifierRun], hashes: np.ndarray) -> Candidates:
    """Find hashes (uint64) in runs that are in the order of the log."""
    marks = marks_of(hashes)
    parts = []
    for run in runs:
        rows, places = run.find(hashes, marks)
        if len(rows):
            parts.append(
                Candidates(
                    rows=rows,
                    positions=run.positions[places],
                    is_sealed=np.ones(len(rows), bool),
                    content_hashes=run.content_hashes[places],
                    timestamps=run.timestamps[places],
                )
            )
    return Candidates.together(parts) if parts else Candidates.in_tail(_NONE, _NONE)


_NONE = np.zeros(0, np.int64)
