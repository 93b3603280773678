"""The tail: usage after the last segment, hour by hour, in memory.

Commits are folded in portions: they wait until there are enough of them, or until
somebody asks. What is kept of an event is what its meter's formula needs, added to the
cell of its customer and hour; bodies are not kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ledger.entries import Commit
from ledger.facts.adjustments import MeterEventCancelled
from ledger.facts.meters import MeterCreated
from ledger.facts.union import Fact
from ledger.usage.columns import codes_of, timestamps_of
from ledger.usage.rows import Events, concatenate_events
from projections.kernels.usage.folding import (
    Coded,
    cancellation_batch,
    fold_cancellations,
    fold_events,
)
from projections.kernels.usage.keys import (
    HOURS,
    WINDOWED,
    customer_keys,
    meter_keys,
    rows_of_many,
    series_key,
)
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.series import CellShape
from projections.kernels.usage.totals import Totals
from projections.usage.cancellations import Cancellations
from projections.usage.cells import UsageCells
from projections.usage.commit_times import CommitTimes, GrowingCommitTimes
from projections.usage.layers import Levels, cells_between, cells_together
from projections.usage.series import Series

_EVENTS_WORTH_FOLDING = 1 << 14
# What usage depends on; a billing run makes very many facts of other kinds.
_USAGE_FACTS = (MeterCreated, MeterEventCancelled)


@dataclass(frozen=True, slots=True, kw_only=True)
class TailView:
    """The tail up to a position, which stays as it is while the tail goes on.

    Attributes:
        position: of the last entry in it.
        commits: when the usage of its commits happened.
        meters: code of each event name, and perhaps of some that came later.
        customers: likewise of customers.
        total_layers: cells, to be added up.
        last_layers: likewise.
        cancelled: of each cancelled event's position, that of its cancellation; and
            perhaps of some that were cancelled later.
        cancellations: how many there are up to the position.
    """

    position: int
    commits: CommitTimes
    meters: Mapping[str, int]
    customers: Mapping[str, int]
    total_layers: tuple[Totals, ...]
    last_layers: tuple[Lasts, ...]
    cancelled: Mapping[int, int]
    cancellations: int

    def totals_of(self, series: Series, first_hour: int, end_hour: int) -> Totals:
        """Add up a series in the hours ``[first_hour, end_hour)``; the key is the hour."""
        key = self._key(series)
        if key is None:
            return Totals.none()
        totals = cells_between(
            Totals, self.total_layers, key + first_hour, key + end_hour
        )
        return totals.with_key(totals.key & HOURS)

    def lasts_of(self, series: Series, first_hour: int, end_hour: int) -> Lasts:
        """Find the lasts of a series in some hours; the key is the hour.

        It still says whether the meter is pre-aggregated.
        """
        key = self._key(series)
        if key is None:
            return Lasts.none()
        lasts = cells_between(Lasts, self.last_layers, key + first_hour, key + end_hour)
        return lasts.with_key(lasts.key & (WINDOWED | HOURS))

    def totals_of_many(
        self, meter: str, customers: Sequence[str], hours: np.ndarray
    ) -> Totals:
        """Get many series of one meter; see `UsageView.totals_of_many`."""
        code = self.meters.get(meter)
        if code is None:
            return Totals.none()
        codes = np.array([self.customers.get(each, -1) for each in customers], np.int64)
        parts = [Totals.none()]
        for layer in self.total_layers:
            rows, of = rows_of_many(layer.key, code, codes, hours)
            parts.append(layer.pick(rows).with_key(of))
        return Totals.combine(parts)

    def are_cancelled(self, events: np.ndarray) -> np.ndarray:
        """Tell (bool) which events (int64 positions) were cancelled in the tail."""
        if not self.cancellations:
            return np.zeros(len(events), bool)
        later = self.position + 1
        at = [self.cancelled.get(event, later) for event in events.tolist()]
        return np.array(at, np.int64) < later

    def _key(self, series: Series) -> int | None:
        """Key of a series' hour 0; its other hours follow."""
        meter = self.meters.get(series.meter.event_name)
        customer = self.customers.get(series.customer)
        if meter is None or customer is None:
            return None
        return series_key(meter, customer, is_windowed=series.is_windowed)


class Tail:
    """Hourly usage of the commits taken in. For one thread at a time.

    Args:
        after: the position that it begins after.
        shapes: cells of the meters that were created up to there, by event name; more
            do no harm.
    """

    def __init__(self, after: int, shapes: Mapping[str, CellShape]) -> None:
        self._position = after
        self._shapes = dict(shapes)
        # Codes of meters and customers are given in the order of the log.
        self._meters: dict[str, int] = {}
        self._customers: dict[str, int] = {}
        self._totals = Levels(Totals)
        self._lasts = Levels(Lasts)
        self._waiting: list[tuple[int, Events]] = []
        self._waiting_events: int = 0
        self._waiting_cancellations: list[MeterEventCancelled] = []
        self._cancelled: dict[int, int] = {}
        self._commits = GrowingCommitTimes()

    @property
    def position(self) -> int:
        """Position of the last entry taken in."""
        return self._position

    def take_in(self, commit: Commit) -> None:
        """Take in the next commit."""
        assert commit.first_position == self._position + 1, "commits come in order"
        if isinstance(commit.content, tuple):
            for position, fact in enumerate(commit.content, commit.first_position):
                if isinstance(fact, _USAGE_FACTS):
                    self._take_in_fact(position, fact)
        else:
            self._waiting.append((commit.first_position, commit.content))
            self._waiting_events += commit.entry_count
        self._position = commit.last_position
        if self._waiting_events >= _EVENTS_WORTH_FOLDING:
            self._fold()

    def view(self) -> TailView:
        """Get the tail as it is now."""
        self._fold()
        return TailView(
            position=self._position,
            commits=self._commits.so_far(),
            meters=self._meters,
            customers=self._customers,
            total_layers=self._totals.layers(),
            last_layers=self._lasts.layers(),
            cancelled=self._cancelled,
            cancellations=len(self._cancelled),
        )

    def cells(self) -> UsageCells:
        """Get all cells."""
        self._fold()
        return UsageCells.in_byte_order(
            names=pa.array(list(self._meters), pa.string()),
            customers=pa.array(list(self._customers), pa.string()),
            totals=cells_together(Totals, self._totals.layers()),
            lasts=cells_together(Lasts, self._lasts.layers()),
            cancellations=Cancellations.of(self._cancelled),
        )

    def cancellations(self) -> Cancellations:
        """Get the events that were cancelled in the tail."""
        return Cancellations.of(self._cancelled)

    def _take_in_fact(self, position: int, fact: Fact) -> None:
        match fact:
            case MeterCreated():
                shape = CellShape.of(fact.formula, fact.event_time_window)
                self._shapes[fact.event_name] = shape
            case MeterEventCancelled():
                self._cancelled[fact.event_position] = position
                self._waiting_cancellations.append(fact)
            case _:
                pass

    # Folding.

    def _fold(self) -> None:
        if self._waiting:
            self._fold_events()
            self._waiting, self._waiting_events = [], 0
        if self._waiting_cancellations:
            coded = self._coded(cancellation_batch(self._waiting_cancellations))
            self._add(*fold_cancellations(coded))
            self._waiting_cancellations = []

    def _fold_events(self) -> None:
        batch = concatenate_events([events for _, events in self._waiting])
        timestamps = timestamps_of(batch)
        counts = np.array([len(events) for _, events in self._waiting])
        starts = np.cumsum(counts) - counts
        first_positions = np.array([position for position, _ in self._waiting])
        self._commits.extend(
            first_positions,
            np.minimum.reduceat(timestamps, starts),
            np.maximum.reduceat(timestamps, starts),
        )

        def positions() -> np.ndarray:
            shifts: np.ndarray = np.repeat(first_positions - starts, counts)
            return shifts + np.arange(len(timestamps))

        self._add(*fold_events(self._coded(batch), positions))

    def _coded(self, batch: pa.RecordBatch) -> Coded:
        names, event_names = codes_of(batch, "event_name")
        customers, customer_names = codes_of(batch, "customer")
        shapes = [self._shapes[name] for name in event_names]
        return Coded.of(
            names=names,
            meter_keys=meter_keys(
                _codes(self._meters, event_names),
                [shape.is_windowed for shape in shapes],
            ),
            shapes=shapes,
            customers=customers,
            customer_keys=customer_keys(_codes(self._customers, customer_names)),
            timestamp=timestamps_of(batch),
            value=batch.column("value"),
        )

    def _add(self, totals: Totals, lasts: Lasts) -> None:
        self._totals.add(totals)
        self._lasts.add(lasts)


def _codes(known: dict[str, int], words: Iterable[str]) -> list[int]:
    """Look up the codes of words; a new word gets the next one."""
    return [known.setdefault(word, len(known)) for word in words]
