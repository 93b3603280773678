"""The tail: usage that this process has taken in, hour by hour, in memory.

Commits are folded in portions: they wait until there are enough of them, or until
somebody asks. What is kept of an event is what its meter's formula needs, added to the
cell of its customer and hour; bodies are not kept. A meter's formula and window never
change, so a series has either totals (sum, count) or lasts (last, pre-aggregated).
"""

import threading
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ledger.adjustments import MeterEventCancelled
from ledger.columns import TIMESTAMP, codes_of, timestamps_of
from ledger.entries import Commit
from ledger.facts import Fact
from ledger.few_events import Events, concatenate_events
from ledger.meters import EventTimeWindow, Formula, MeterCreated
from ledger.quantities import QUANTITY
from projections.kernels.keys import HOURS, customer_keys, meter_keys
from projections.kernels.lasts import Lasts
from projections.kernels.totals import Totals
from projections.runs import Runs
from projections.windows import DAY, HOUR

_EVENTS_WORTH_FOLDING = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class TailContents:
    """All that a tail knows. Codes of meters and customers follow their order."""

    position: int
    totals: Totals
    lasts: Lasts
    meters: tuple[str, ...]
    customers: tuple[str, ...]
    cancelled: dict[int, int]

    def equals(self, other: "TailContents") -> bool:
        """Tell whether both know the same, to the last digit."""
        return (
            self.position == other.position
            and self.meters == other.meters
            and self.customers == other.customers
            and self.cancelled == other.cancelled
            and self.totals.equals(other.totals)
            and self.lasts.equals(other.lasts)
        )


class Tail:
    """Hourly usage of the commits taken in. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self._position: int = 0
        self._definitions: dict[str, MeterCreated] = {}
        # Codes of meters and customers are given in the order of the log.
        self._meters: dict[str, int] = {}
        self._customers: dict[str, int] = {}
        self._totals = Runs(Totals)
        self._lasts = Runs(Lasts)
        self._waiting: list[tuple[int, Events]] = []
        self._waiting_events: int = 0
        self._waiting_cancellations: list[MeterEventCancelled] = []
        # Of each cancelled event's position, that of its cancellation.
        self._cancelled: dict[int, int] = {}
        # Of each usage commit: its first position, earliest and latest timestamp.
        self._commits = array("q"), array("q"), array("q")

    @property
    def position(self) -> int:
        """Position of the last entry taken in."""
        return self._position

    def take_in(self, commit: Commit) -> None:
        """Take in the next commit."""
        with self._lock:
            assert commit.first_position > self._position, "commits come in order"
            if isinstance(commit.content, tuple):
                for position, fact in enumerate(commit.content, commit.first_position):
                    self._take_in_fact(position, fact)
            else:
                self._waiting.append((commit.first_position, commit.content))
                self._waiting_events += commit.entry_count
            self._position = commit.last_position
            if self._waiting_events >= _EVENTS_WORTH_FOLDING:
                self._fold()

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        """Forget everything and let nobody read, until all commits are taken in."""
        with self._lock:
            self._forget()
            yield

    def totals(
        self, event_name: str, customer: str, first_hour: int, end_hour: int
    ) -> tuple[Totals, int]:
        """Add up one series of totals in the hours ``[first_hour, end_hour)``.

        Returns:
            A total for each hour with usage, sorted, the key being the hour since 1970;
            and the position that they are current to.
        """
        with self._lock:
            self._fold()
            key = self._series(event_name, customer)
            if key is None:
                return Totals.none(), self.position
            totals = self._totals.between(key + first_hour, key + end_hour)
            return totals.with_key(totals.key & HOURS), self.position

    def lasts(
        self, event_name: str, customer: str, first_hour: int, end_hour: int
    ) -> tuple[Lasts, int]:
        """Find the last events of one series in the hours ``[first_hour, end_hour)``.

        Returns:
            A last for each window of the meter with usage, sorted, the key being the
            hour since 1970 that the window begins in; and the position that they are
            current to.
        """
        with self._lock:
            self._fold()
            key = self._series(event_name, customer)
            if key is None:
                return Lasts.none(), self.position
            lasts = self._lasts.between(key + first_hour, key + end_hour)
            return lasts.with_key(lasts.key & HOURS), self.position

    def commits_between(self, start: int, end: int, up_to: int) -> list[int]:
        """Find the usage commits with timestamps in ``[start, end)``.

        Args:
            start: microseconds since 1970 UTC.
            end: likewise, exclusive.
            up_to: only those that begin up to this position.

        Returns:
            Their first positions, ascending.
        """
        with self._lock:
            self._fold()
            # Copies: an array that is being viewed cannot grow.
            first_positions, earliest, latest = (
                np.array(column, np.int64) for column in self._commits
            )
            found = (earliest < end) & (latest >= start) & (first_positions <= up_to)
            return list(first_positions[found].tolist())

    def is_cancelled(self, event_position: int, as_of: int) -> bool:
        """Tell whether an event had been cancelled by a position of the log."""
        with self._lock:
            return self._cancelled.get(event_position, as_of + 1) <= as_of

    def contents(self) -> TailContents:
        """Get all that is known, to be compared with another tail of the same log."""
        with self._lock:
            self._fold()
            return TailContents(
                position=self.position,
                totals=self._totals.all(),
                lasts=self._lasts.all(),
                meters=tuple(self._meters),
                customers=tuple(self._customers),
                cancelled=dict(self._cancelled),
            )

    def _take_in_fact(self, position: int, fact: Fact) -> None:
        match fact:
            case MeterCreated():
                self._definitions[fact.event_name] = fact
            case MeterEventCancelled():
                self._cancelled[fact.event_position] = position
                self._waiting_cancellations.append(fact)
            case _:
                pass

    def _series(self, event_name: str, customer: str) -> int | None:
        """Key of a series' hour 0; its other hours follow."""
        meter, code = self._meters.get(event_name), self._customers.get(customer)
        if meter is None or code is None:
            return None
        is_windowed = self._definitions[event_name].event_time_window is not None
        key = meter_keys([meter], [is_windowed]) | customer_keys([code])
        return int(key[0])

    # Folding.

    def _fold(self) -> None:
        if self._waiting:
            self._fold_events()
            self._waiting, self._waiting_events = [], 0
        if self._waiting_cancellations:
            self._fold_cancellations()
            self._waiting_cancellations = []

    def _fold_events(self) -> None:
        batch = concatenate_events([events for _, events in self._waiting])
        timestamps = timestamps_of(batch)
        counts = np.array([len(events) for _, events in self._waiting])
        starts = np.cumsum(counts) - counts
        first_positions = np.array([position for position, _ in self._waiting])
        self._commits[0].extend(first_positions.tolist())
        self._commits[1].extend(np.minimum.reduceat(timestamps, starts).tolist())
        self._commits[2].extend(np.maximum.reduceat(timestamps, starts).tolist())
        keys, has_lasts = self._keys(batch, timestamps)
        values = batch.column("value")
        if not has_lasts.any():
            self._totals.add(Totals.of_events(keys, values))
            return
        rows = np.flatnonzero(~has_lasts)
        if len(rows):
            totals = Totals.of_events(keys[rows], values.take(pa.array(rows)))
            self._totals.add(totals)
        rows = np.flatnonzero(has_lasts)
        positions = np.arange(len(keys)) + np.repeat(first_positions - starts, counts)
        self._lasts.add(
            Lasts.of_events(
                keys[rows],
                timestamps[rows],
                positions[rows],
                values.take(pa.array(rows)),
            )
        )

    def _fold_cancellations(self) -> None:
        facts = self._waiting_cancellations
        batch = pa.RecordBatch.from_arrays(
            [
                pa.array([fact.event_name for fact in facts]).dictionary_encode(),
                pa.array([fact.customer for fact in facts]).dictionary_encode(),
                pa.array([fact.timestamp for fact in facts]).view(TIMESTAMP),
                pa.array([fact.value for fact in facts], QUANTITY),
            ],
            ["event_name", "customer", "timestamp", "value"],
        )
        keys, has_lasts = self._keys(batch, timestamps_of(batch))
        values = batch.column("value").filter(pa.array(~has_lasts))
        self._totals.add(Totals.of_cancellations(keys[~has_lasts], values))
        self._lasts.add(Lasts.of_cancellations(keys[has_lasts]))

    def _keys(
        self, batch: pa.RecordBatch, timestamps: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find each event's cell: its key, and whether it is one of lasts."""
        name_codes, names = codes_of(batch, "event_name")
        customer_codes, customers = codes_of(batch, "customer")
        meters = [self._definitions[name] for name in names]
        windows = [meter.event_time_window for meter in meters]
        length = np.array(
            [DAY if window is EventTimeWindow.DAY else HOUR for window in windows]
        )[name_codes]
        hours = (timestamps - timestamps % length) // HOUR
        keys = (
            meter_keys(
                _codes(self._meters, names),
                [window is not None for window in windows],
            )[name_codes]
            | customer_keys(_codes(self._customers, customers))[customer_codes]
            | hours.astype(np.uint64)
        )
        has_lasts = np.array([_has_lasts(meter) for meter in meters])[name_codes]
        return keys, has_lasts


def _has_lasts(meter: MeterCreated) -> bool:
    return meter.formula is Formula.LAST or meter.event_time_window is not None


def _codes(known: dict[str, int], words: Iterable[str]) -> list[int]:
    """Look up the codes of words; a new word gets the next one."""
    return [known.setdefault(word, len(known)) for word in words]
