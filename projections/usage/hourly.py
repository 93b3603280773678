"""Hourly usage: totals and lasts of the whole log, from runs and from the tail.

Runs hold the usage of segments; they are files, made from the segments where they are
missing. The tail holds the usage that came after. When more has been sealed, a new tail
begins behind it, and the old one answers until the new one has caught up: no answer
knows less than the one before it.
"""

import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from ledger.database.rows import RowsByKey
from ledger.entries import Commit, Passage
from ledger.facts.adjustments import ADJUSTMENTS, AdjustmentFact
from ledger.reading import read_facts
from ledger.runs.files import RunColumns
from ledger.runs.run_set import RunSet
from ledger.segments.entry import Segment
from ledger.segments.reader import SegmentReader
from ledger.segments.sealed import Sealed
from ledger.usage.columns import empty_batch
from projections.kernels.usage.series import CellShape
from projections.meters.tables import meter, read_definitions
from projections.usage.cancellations import Cancellations
from projections.usage.cells import (
    UsageCells,
    cells_of_cancellations,
    cells_of_events,
)
from projections.usage.differences import UsageParts
from projections.usage.run import UsageRun, UsageRuns, columns_of
from projections.usage.tail import Tail
from projections.usage.view import UsageView

_SERIES_COLUMNS = ("event_name", "customer", "timestamp", "value")


class UsageContents(msgspec.Struct, frozen=True, kw_only=True):
    """All usage up to a position, to be compared with another fold of the log.

    Attributes:
        position: of the last entry.
        cells: of everything up to the position.
    """

    position: int
    cells: UsageCells

    def equals(self, other: "UsageContents") -> bool:
        """Whether both hold the same, to the last digit."""
        return self.position == other.position and self.cells.equals(other.cells)


class Adjusted(NamedTuple):
    """What became of an event behind a position.

    Attributes:
        was_cancelled: whether it was cancelled before.
        adjustment: position of its latest adjustment, negative where it was restored.
    """

    was_cancelled: bool
    adjustment: int


class _State(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of segments, and the tail behind them."""

    sealed: Sealed | None
    runs: tuple[UsageRun, ...]
    tail: Tail

    def view(self) -> UsageView:
        return UsageView(sealed=self.sealed, runs=self.runs, tail=self.tail.view())


class HourlyUsage:
    """Hourly usage of everything recorded. Thread-safe; a fold of usage of the log."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: RunSet[UsageRun] | None = None
        self._shown = _State(sealed=None, runs=(), tail=Tail(0, {}))
        self._next = self._shown

    @property
    def position(self) -> int:
        """Position of the last entry that answers count."""
        with self._lock:
            return self._shown.tail.position

    # Following the log.

    def make_runs(self, connection: Connection, sealed: Sealed) -> None:
        """Make the runs that are missing, so that a restart finds them.

        Args:
            connection: sees the log, and the tables that its facts folded into.
            sealed: the segments that will lie before the tail.
        """
        self._runs_of(connection, sealed, _read_shapes(connection))

    def restart(self, connection: Connection, sealed: Sealed) -> None:
        """Begin after the last segment, with the runs before it.

        Args:
            connection: sees the log, and the tables that its facts folded into.
            sealed: the segments that lie before the tail now.
        """
        shapes = _read_shapes(connection)
        runs = self._runs_of(connection, sealed, shapes)
        with self._lock:
            tail = Tail(sealed.position, shapes)
            self._next = _State(sealed=sealed, runs=runs, tail=tail)
            self._show_what_is_known()

    def take_in(self, commit: Commit) -> None:
        """Take in the next commit."""
        with self._lock:
            self._next.tail.take_in(commit)
            self._show_what_is_known()

    def take_in_passage(self, passage: Passage) -> None:
        """Take in the next commits together."""
        with self._lock:
            self._next.tail.take_in_passage(passage)
            self._show_what_is_known()

    def fold(self) -> None:
        """Fold what was taken in, so that neither an append nor a reader has to.

        Appends do not wait for it.
        """
        with self._lock:
            tail = self._next.tail
        tail.fold()

    @property
    def is_torn(self) -> bool:
        """Whether what was taken in must be forgotten: some of it was folded by half."""
        return self._next.tail.is_torn

    def clear_runs(self) -> None:
        """Remove the files of all runs; the next restart makes them anew."""
        with self._lock:
            files = self._files
        if files is not None:
            files.clear()

    def _runs_of(
        self, connection: Connection, sealed: Sealed, shapes: Mapping[str, CellShape]
    ) -> tuple[UsageRun, ...]:
        if not sealed.segments:
            return ()
        with self._lock:
            if self._files is None:
                self._files = RunSet(sealed.runs, UsageRuns(), sealed.shared_runs)
            files = self._files
        building = _Building(connection, sealed.reader, shapes)
        return tuple(files.cover(sealed.segments, building.columns))

    def _show_what_is_known(self) -> None:
        shown, following = self._shown.tail, self._next.tail
        if shown.is_torn or following.position >= shown.position:
            self._shown = self._next

    # Answers.

    def view(self) -> UsageView:
        """Return all usage known now, in a view that does not change."""
        with self._lock:
            return self._shown.view()

    def taken_in(self) -> UsageView:
        """Return what was taken in since the last restart, even if more is known."""
        with self._lock:
            return self._next.view()

    def cancelled(self, as_of: int) -> np.ndarray:
        """Return the positions (int64, ascending) of events cancelled by a position."""
        return self._cancellations(as_of).cancelled()

    def adjusted_since(self, after: int, up_to: int) -> dict[int, Adjusted]:
        """Return the events adjusted behind a position and up to another, by position."""
        known = self._cancellations(up_to)
        events = np.unique(known.event[np.abs(known.cancellation) > after])
        was_cancelled = known.up_to(after).hold(events).tolist()
        latest = known.over(np.zeros(len(events), np.int64), events).tolist()
        adjusted = map(Adjusted, was_cancelled, latest)
        return dict(zip(events.tolist(), adjusted, strict=True))

    def _cancellations(self, up_to: int) -> Cancellations:
        with self._lock:
            state = self._shown
            in_tail = state.tail.cancellations()
        parts = [*(run.cancellations for run in state.runs), in_tail]
        return Cancellations.together(parts).up_to(up_to)

    def parts(self) -> UsageParts:
        """Return all usage as it lies, to be compared with another fold of the log."""
        with self._lock:
            state = self._shown
            position, in_tail = state.tail.position, state.tail.cells()
        return UsageParts(position=position, runs=state.runs, tail=in_tail)

    def contents(self) -> UsageContents:
        """Return all usage together, to be compared with another fold of the log."""
        with self._lock:
            state = self._shown
            position, in_tail = state.tail.position, state.tail.cells()
        parts = [*(run.cells() for run in state.runs), in_tail]
        return UsageContents(position=position, cells=UsageCells.merge(parts))


class _Building:
    """Builds the runs of segments. Thread-safe."""

    def __init__(
        self,
        connection: Connection,
        reader: SegmentReader,
        shapes: Mapping[str, CellShape],
    ) -> None:
        # Several threads build runs; a connection is for one at a time.
        self._lock = threading.Lock()
        self._connection = connection
        self._reader = reader
        self._shapes = shapes

    def columns(self, segment: Segment) -> RunColumns:
        """Return the run of a segment and of the cancellations in its stretch."""
        cells = cells_of_events(
            _one_batch(self._reader.table(segment, _SERIES_COLUMNS)),
            self._shapes,
            self._positions_of(segment),
        )
        cancelled = self._cancelled_in(segment)
        if cancelled:
            others = cells_of_cancellations(cancelled, self._shapes)
            cells = UsageCells.merge([cells, others])
        return columns_of(cells)

    def _positions_of(self, segment: Segment) -> Callable[[], np.ndarray]:
        def positions() -> np.ndarray:
            found: np.ndarray = self._reader.table(segment, ["position"])[0].to_numpy()
            return found

        return positions

    def _cancelled_in(self, segment: Segment) -> dict[int, AdjustmentFact]:
        with self._lock:
            return {
                position: fact
                for position, _, fact in read_facts(
                    self._connection, segment.after, segment.up_to
                )
                if isinstance(fact, ADJUSTMENTS)
            }


def _read_shapes(connection: Connection) -> RowsByKey[str, CellShape]:
    """Return the shapes of the meters' cells, by event name."""
    return RowsByKey(
        meter,
        (
            (each.event_name, CellShape.of(each.formula, each.event_time_window))
            for each in read_definitions(connection).values()
        ),
    )


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.unify_dictionaries().combine_chunks().to_batches()
    if not batches:
        return empty_batch()
    (batch,) = batches
    return batch
