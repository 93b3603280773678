"""The tail: hourly usage after the last segment, in memory.

Commits wait until there are enough of them, until a reader asks, or until a thread has
the time, and are folded together. Cells are kept, and of the events what an answer about
part of an hour needs.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from copy import copy

import msgspec
import numpy as np
import pyarrow as pa

from ledger.entries import Commit, Passage
from ledger.facts.adjustments import (
    ADJUSTMENTS,
    AdjustmentFact,
    MeterEventCancelled,
    MeterEventRestored,
    signed_position,
)
from ledger.facts.meters import MeterCreated
from ledger.facts.union import FACTS, Fact
from ledger.usage.columns import column_of, numbers_of, positions_of, timestamps_of
from ledger.usage.rows import UsageEvents, concatenate_events, content_bytes
from projections.kernels.usage.folding import (
    Coded,
    cancellation_batch,
    fold_cancellations,
    fold_events,
    restored_of,
)
from projections.kernels.usage.keys import (
    HOURS,
    WINDOWED,
    rows_of_many,
    series_key,
)
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.series import CellShape, Series
from projections.kernels.usage.totals import Totals
from projections.usage.cancellations import Cancellations
from projections.usage.cells import UsageCells
from projections.usage.commit_times import CommitTimes, GrowingCommitTimes
from projections.usage.layers import Levels, cells_between, cells_together
from projections.usage.tail_cancellations import TailCancellations
from projections.usage.tail_events import Positions, TailEvents

_EVENTS_WORTH_FOLDING = 1 << 14
# Of one event each, they take a millisecond: no append waits much longer.
_COMMITS_WORTH_FOLDING = 1 << 9
# Folded, an event with thousands of labels takes as little as any other.
_BYTES_WORTH_FOLDING = 32 << 20
# While a bulk load is under way another thread folds; this is where it lags behind.
_COMMITS_OF_A_LOAD = 4
# The facts that usage depends on; a billing run makes very many of other kinds.
_USAGE_FACTS = (MeterCreated, *ADJUSTMENTS)


class TailView(msgspec.Struct, frozen=True, kw_only=True):
    """The tail up to a position, unchanged while the tail goes on.

    Attributes:
        position: of the last entry.
        commits: when the usage of its commits happened.
        meters: codes of event names, later ones included.
        customers: codes of customers, later ones included.
        total_layers: cells, to be added up.
        last_layers: cells, to be added up.
        cancelled: cancelled events, later ones included.
        cancellations: how many there are up to the position.
        values: events with their values, later ones included.
        payloads: of meters that count distinct values, later ones included.
    """

    position: int
    commits: CommitTimes
    meters: Mapping[str, int]
    customers: Mapping[str, int]
    total_layers: tuple[Totals, ...]
    last_layers: tuple[Lasts, ...]
    cancelled: TailCancellations
    cancellations: int
    values: TailEvents
    payloads: TailEvents

    def events_of(
        self, series: Series, start: int, end: int, *, payloads: bool
    ) -> pa.Table | None:
        """Return the events of a series in ``[start, end)``, cancelled ones included.

        Returns:
            The columns position, timestamp, and value or payload; None without usage.
        """
        key = self._key(series)
        if key is None:
            return None
        events = self.payloads if payloads else self.values
        return events.between(key, start, end, self.position)

    def has_none_between(self, series: Series, start: int, end: int) -> bool:
        """Whether a series has no event in ``[start, end)``, not even a later one."""
        key = self._key(series)
        return key is None or self.values.are_none_between(key, start, end)

    def totals_of(self, series: Series, first_hour: int, end_hour: int) -> Totals:
        """Return a series in the hours ``[first_hour, end_hour)``; the key is the hour."""
        key = self._key(series)
        if key is None:
            return Totals.none()
        totals = cells_between(
            Totals, self.total_layers, key + first_hour, key + end_hour
        )
        return totals.with_key(totals.key & HOURS)

    def lasts_of(self, series: Series, first_hour: int, end_hour: int) -> Lasts:
        """Return the lasts of a series in some hours; the key is the hour.

        The key still says whether the meter is pre-aggregated.
        """
        key = self._key(series)
        if key is None:
            return Lasts.none()
        lasts = cells_between(Lasts, self.last_layers, key + first_hour, key + end_hour)
        return lasts.with_key(lasts.key & (WINDOWED | HOURS))

    def totals_of_many(
        self, meter: str, customers: Sequence[str], hours: np.ndarray
    ) -> Totals:
        """Return many series of one meter; see `UsageView.totals_of_many`."""
        code = self.meters.get(meter)
        if code is None:
            return Totals.none()
        codes = np.array([self.customers.get(each, -1) for each in customers], np.int64)
        parts = [Totals.none()]
        for layer in self.total_layers:
            rows, of = rows_of_many(layer.key, code, codes, hours)
            parts.append(layer.pick(rows).with_key(of))
        return Totals.combine(parts)

    def _key(self, series: Series) -> int | None:
        """Return the key of hour 0 of a series; None without usage."""
        meter = self.meters.get(series.meter.event_name)
        customer = self.customers.get(series.customer)
        if meter is None or customer is None:
            return None
        return series_key(meter, customer, is_windowed=series.is_windowed)


class Tail:
    """Hourly usage of the commits taken in. For one thread at a time, but for `fold`.

    Attributes:
        is_torn: whether an interrupt or an error left some of it added up and some not.

    Args:
        after: the position after which it begins.
        shapes: of the cells of at least the meters created up to there, by event name.
    """

    def __init__(self, after: int, shapes: dict[str, CellShape]) -> None:
        self._position = after
        # A copy of its kind: rows by key say what is missing.
        self._shapes = copy(shapes)
        # Codes count up in the order of the log.
        self._meters: dict[str, int] = {}
        self._customers: dict[str, int] = {}
        self._totals = Levels(Totals)
        self._lasts = Levels(Lasts)
        self.is_torn = False
        self._folding = threading.RLock()
        """Held by the one thread that folds; the others may go on taking in."""
        self._queue = threading.Lock()
        self._waiting: list[tuple[int, UsageEvents]] = []
        self._waiting_events = self._waiting_bytes = 0
        self._waiting_cancellations: list[AdjustmentFact] = []
        self._cancelled = TailCancellations()
        self._commits = GrowingCommitTimes()
        self._values = TailEvents("value")
        self._payloads = TailEvents("payload")

    @property
    def position(self) -> int:
        """Position of the last entry taken in."""
        return self._position

    def take_in(self, commit: Commit) -> None:
        """Take in the next commit."""
        assert commit.first_position == self._position + 1, "commits come in order"
        if isinstance(commit.content, FACTS):
            for position, fact in enumerate(commit.single_facts, commit.first_position):
                if isinstance(fact, _USAGE_FACTS):
                    self._take_in_fact(position, fact)
        else:
            with self._queue:
                self._waiting.append((commit.first_position, commit.content))
                self._waiting_events += commit.entry_count
                self._waiting_bytes += content_bytes(commit.content)
        self._position = commit.last_position
        if (
            self._waiting_events
            >= max(_EVENTS_WORTH_FOLDING, _COMMITS_OF_A_LOAD * commit.entry_count)
            or len(self._waiting) >= _COMMITS_WORTH_FOLDING
            or len(self._waiting_cancellations) >= _EVENTS_WORTH_FOLDING
            or self._waiting_bytes >= _BYTES_WORTH_FOLDING
        ):
            self.fold()

    def take_in_passage(self, passage: Passage) -> None:
        """Take in the next commits together."""
        assert passage.first_position == self._position + 1, "commits come in order"
        with self._folding:
            # In the order of the log, which codes and commit times have.
            self.fold()
            if passage.events.num_rows:
                self._fold_events(
                    passage.events,
                    passage.first_positions,
                    passage.starts,
                    lambda: passage.positions,
                )
        for position, _, fact in passage.facts:
            if isinstance(fact, _USAGE_FACTS):
                self._take_in_fact(position, fact)
        self._position = passage.last_position

    def view(self) -> TailView:
        """Return the tail as it is now."""
        with self._folding:
            self.fold()
            return TailView(
                position=self._position,
                commits=self._commits.so_far(),
                meters=self._meters,
                customers=self._customers,
                total_layers=self._totals.layers(),
                last_layers=self._lasts.layers(),
                cancelled=self._cancelled,
                cancellations=len(self._cancelled),
                values=self._values,
                payloads=self._payloads,
            )

    def cells(self) -> UsageCells:
        """Return all cells."""
        with self._folding:
            self.fold()
            return UsageCells.in_byte_order(
                names=pa.array(list(self._meters), pa.string()),
                customers=pa.array(list(self._customers), pa.string()),
                totals=cells_together(Totals, self._totals.layers()),
                lasts=cells_together(Lasts, self._lasts.layers()),
                cancellations=self._cancelled.known(),
            )

    def cancellations(self) -> Cancellations:
        """Return the cancellations recorded in the tail."""
        return self._cancelled.known()

    def _take_in_fact(self, position: int, fact: Fact) -> None:
        match fact:
            case MeterCreated():
                shape = CellShape.of(fact.formula, fact.event_time_window)
                self._shapes[fact.event_name] = shape
            case MeterEventCancelled() | MeterEventRestored():
                adjustment = signed_position(position, fact)
                self._cancelled.add(fact.event_position, adjustment)
                with self._queue:
                    self._waiting_cancellations.append(fact)
            case _:
                pass

    # Folding.

    def fold(self) -> None:
        """Fold what waits. Thread-safe, also while another thread takes in."""
        with self._folding:
            if self.is_torn or not (self._waiting or self._waiting_cancellations):
                return
            with self._queue:
                commits, cancelled = self._waiting[:], self._waiting_cancellations[:]
            try:
                for group in _groups(commits):
                    self._fold_commits(group)
                if cancelled:
                    coded = self._coded(cancellation_batch(cancelled))
                    self._add(*fold_cancellations(coded, restored_of(cancelled)))
                self._drop_waiting(len(commits), len(cancelled))
            except BaseException:
                self.is_torn = True
                raise

    def _drop_waiting(self, commits: int, cancellations: int) -> None:
        """Drop the first of what waits; more may have come behind it."""
        with self._queue:
            for _, events in self._waiting[:commits]:
                self._waiting_events -= len(events)
                self._waiting_bytes -= content_bytes(events)
            del self._waiting[:commits]
            del self._waiting_cancellations[:cancellations]

    def _fold_commits(self, commits: Sequence[tuple[int, UsageEvents]]) -> None:
        batch = concatenate_events([events for _, events in commits])
        counts = np.array([len(events) for _, events in commits])
        starts = np.cumsum(counts) - counts
        first_positions = np.array([position for position, _ in commits])
        self._fold_events(
            batch,
            first_positions,
            starts,
            lambda: positions_of(first_positions, counts),
        )

    def _fold_events(
        self,
        batch: pa.RecordBatch,
        first_positions: np.ndarray,
        starts: np.ndarray,
        positions: Positions,
    ) -> None:
        timestamps = timestamps_of(batch)
        self._commits.extend(
            first_positions,
            np.minimum.reduceat(timestamps, starts),
            np.maximum.reduceat(timestamps, starts),
        )
        coded = self._coded(batch)
        self._add(*fold_events(coded, positions))
        series = coded.key & ~HOURS
        self._values.add(series, timestamps, positions, coded.value)
        self._keep_payloads(batch, series, positions)

    def _keep_payloads(
        self, batch: pa.RecordBatch, series: np.ndarray, positions: Positions
    ) -> None:
        names = batch.column("event_name")
        are_kept = [
            self._shapes[name].counts_distinct for name in names.dictionary.to_pylist()
        ]
        if any(are_kept):
            rows = np.flatnonzero(np.array(are_kept)[numbers_of(names.indices)])
            self._payloads.add(
                series[rows],
                timestamps_of(batch)[rows],
                lambda: positions()[rows],
                batch.column("payload").take(column_of(rows)),
            )

    def _coded(self, batch: pa.RecordBatch) -> Coded:
        names, customers = (
            batch.column(name).dictionary.to_pylist()
            for name in ("event_name", "customer")
        )
        return Coded.of(
            batch,
            [self._shapes[name] for name in names],
            _codes(self._meters, names),
            _codes(self._customers, customers),
        )

    def _add(self, totals: Totals, lasts: Lasts) -> None:
        self._totals.add(totals)
        self._lasts.add(lasts)


def _groups(
    commits: Sequence[tuple[int, UsageEvents]],
) -> Iterator[Sequence[tuple[int, UsageEvents]]]:
    """Split commits into neighbours worth folding together, large ones alone."""
    start = events = 0
    for end, (_, content) in enumerate(commits, 1):
        events += len(content)
        if events >= _EVENTS_WORTH_FOLDING or end == len(commits):
            yield commits[start:end]
            start, events = end, 0


def _codes(known: dict[str, int], words: Sequence[str]) -> list[int]:
    """Return the codes of words; a new word gets the next one."""
    try:
        return list(map(known.__getitem__, words))
    except KeyError:
        return [known.setdefault(word, len(known)) for word in words]
