"""Summaries: the usage of one customer on one meter in a window.

Whole hours come from the tail's cells. The two partial hours at the edges, and hours
whose last event was cancelled where the last one is wanted, are read from the events
themselves, so every formula is exact for every ``[start, end)``.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.columns import timestamps_of
from ledger.entries import Commit
from ledger.meters import Formula
from ledger.quantities import UNITS_PER_ONE
from ledger.stored_events import usage_of
from projections.kernels.definitions import MeterDefinition
from projections.kernels.lasts import Lasts
from projections.kernels.totals import Totals
from projections.tail import Tail
from projections.windows import DAY, END, HOUR, LENGTHS, ceil_to, floor_to

Fetch = Callable[[Sequence[int]], Iterator[Commit]]
"""Reads the commits that begin at some positions, ascending."""


class GroupingWindow(enum.Enum):
    """The UTC windows that a summary can be split into."""

    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> int:
        """Microseconds in the window."""
        return HOUR if self is GroupingWindow.HOUR else DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What is summarised: one customer's events on one meter."""

    meter: MeterDefinition
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Aggregated usage in ``[start, end)``, microseconds since 1970 UTC.

    `units` counts 10**-12 of the meter's unit, or of an event where the formula is
    count.
    """

    start: int
    end: int
    units: int


class Summaries:
    """Answers for summaries, from a tail and the events behind it."""

    def __init__(self, tail: Tail, fetch: Fetch) -> None:
        self._tail = tail
        self._fetch = fetch

    def between(
        self, series: Series, start: int, end: int, grouping: GroupingWindow | None
    ) -> tuple[list[Summary], int]:
        """Summarise a series in ``[start, end)``.

        Args:
            series: whose usage.
            start: microseconds since 1970 UTC, inclusive.
            end: exclusive, after `start`.
            grouping: None for one summary of everything, which is 0 where there is no
                usage; else one for each window with usage, cut to the bounds.

        Returns:
            The summaries, oldest first, and the position that they are current to.
        """
        assert 0 <= start < end <= END, "a window lies in recorded time"
        length = end if grouping is None else grouping.length
        units, position = self._units(series, start, end, length)
        if grouping is None:
            return [Summary(start=start, end=end, units=sum(units.values()))], position
        return [
            Summary(
                start=max(start, window * length),
                end=min(end, (window + 1) * length),
                units=value,
            )
            for window, value in units.items()
        ], position

    def _units(
        self, series: Series, start: int, end: int, length: int
    ) -> tuple[dict[int, int], int]:
        """Apply the meter's formula to each window of a length that has usage."""
        meter = series.meter
        if meter.event_time_window is None and meter.formula is not Formula.LAST:
            totals, position = self._totals(series, start, end)
            return _totals_by_window(totals, meter.formula, length), position
        if meter.event_time_window is None:
            lasts, position = self._lasts(series, start, end)
        else:
            lasts, position = self._survivors(series, start, end)
        if meter.formula is Formula.LAST:
            windows = Lasts.combine([lasts.with_key(lasts.timestamp // length)])
            return {
                window: windows.value_units(at)
                for at, window in enumerate(windows.key.tolist())
            }, position
        hours = (lasts.timestamp // HOUR).astype(np.uint64)
        totals = Totals.of_words(hours, lasts.words)
        return _totals_by_window(totals, meter.formula, length), position

    def _totals(self, series: Series, start: int, end: int) -> tuple[Totals, int]:
        """Add up every event, hour by hour."""
        first, after = _whole_hours(start, end)
        totals, position = self._tail.totals(
            series.meter.event_name, series.customer, first // HOUR, after // HOUR
        )
        parts = [totals]
        for low, high in ((start, first), (after, end)):
            if low < high:
                events = self._events(series, low, high, position)
                parts.append(Totals.of_words(events.key, events.words))
        return Totals.combine(parts), position

    def _lasts(self, series: Series, start: int, end: int) -> tuple[Lasts, int]:
        """Find the last event of every hour with usage."""
        first, after = _whole_hours(start, end)
        lasts, position = self._tail.lasts(
            series.meter.event_name, series.customer, first // HOUR, after // HOUR
        )
        parts = self._without_cancelled(series, lasts, HOUR, position)
        for low, high in ((start, first), (after, end)):
            if low < high:
                parts.append(self._events(series, low, high, position))
        return Lasts.concatenate(parts), position

    def _survivors(self, series: Series, start: int, end: int) -> tuple[Lasts, int]:
        """Find the one event that counts of each hour or day of a pre-aggregated meter.

        It is the one with the greatest position in its whole window, and counts where
        its own timestamp lies.
        """
        window = series.meter.event_time_window
        assert window is not None, "the meter is pre-aggregated"
        length = LENGTHS[window]
        lasts, position = self._tail.lasts(
            series.meter.event_name,
            series.customer,
            floor_to(start, length) // HOUR,
            ceil_to(end, length) // HOUR,
        )
        parts = self._without_cancelled(series, lasts, length, position)
        survivors = Lasts.concatenate(parts)
        inside = (survivors.timestamp >= start) & (survivors.timestamp < end)
        return survivors.pick(inside), position

    def _without_cancelled(
        self, series: Series, lasts: Lasts, length: int, as_of: int
    ) -> list[Lasts]:
        """Read the windows again whose last event was cancelled."""
        is_cancelled = self._are_cancelled(lasts, as_of)
        parts = [lasts.pick(~is_cancelled)]
        for hour in lasts.key[is_cancelled & (lasts.count > 0)].tolist():
            events = self._events(series, hour * HOUR, hour * HOUR + length, as_of)
            is_windowed = series.meter.event_time_window is not None
            parts.append(Lasts.combine([events.in_one_window(is_windowed=is_windowed)]))
        return parts

    def _events(self, series: Series, start: int, end: int, as_of: int) -> Lasts:
        """Read the events of a series that count, each as the last of its hour."""
        parts = [Lasts.none()]
        first_positions = self._tail.commits_between(start, end, as_of)
        for commit in self._fetch(first_positions):
            events = _events_of(series, commit, start, end)
            parts.append(events.pick(~self._are_cancelled(events, as_of)))
        return Lasts.concatenate(parts)

    def _are_cancelled(self, lasts: Lasts, as_of: int) -> np.ndarray:
        cancelled = [
            self._tail.is_cancelled(position, as_of)
            for position in lasts.position.tolist()
        ]
        return np.array(cancelled, bool)


def _whole_hours(start: int, end: int) -> tuple[int, int]:
    """Find the whole hours in ``[start, end)``; where there is none, they end at `end`."""
    first, after = ceil_to(start, HOUR), floor_to(end, HOUR)
    return (first, after) if first <= after else (end, end)


def _events_of(series: Series, commit: Commit, start: int, end: int) -> Lasts:
    """Find the events of a series in one commit, each as the last of its hour."""
    batch = usage_of(commit)
    timestamps = timestamps_of(batch)
    is_ours = (timestamps >= start) & (timestamps < end)
    for column, word in (
        ("event_name", series.meter.event_name),
        ("customer", series.customer),
    ):
        encoded = batch.column(column)
        code = pc.index(encoded.dictionary, word).as_py()
        is_ours &= encoded.indices.to_numpy() == code
    rows = np.flatnonzero(is_ours)
    return Lasts.of_events(
        (timestamps[rows] // HOUR).astype(np.uint64),
        timestamps[rows],
        commit.first_position + rows,
        batch.column("value").take(pa.array(rows)),
    )


def _totals_by_window(totals: Totals, formula: Formula, length: int) -> dict[int, int]:
    windows = totals.key.astype(np.int64) * HOUR // length
    totals = Totals.combine([totals.with_key(windows)])
    return {
        window: count * UNITS_PER_ONE
        if formula is Formula.COUNT
        else totals.sum_units(at)
        for at, (window, count) in enumerate(
            zip(totals.key.tolist(), totals.count.tolist(), strict=True)
        )
        if count
    }
