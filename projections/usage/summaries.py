"""Summaries: the usage of one customer on one meter in a window.

Whole hours come from cells. Events are read where a bound cuts an hour's in two, for
windows whose last event was cancelled, and for formulas that do not add up by the hour.
So every formula is exact for every ``[start, end)``.
"""

import enum
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from ledger.facts.meters import Formula
from ledger.usage.arrow import compute as pc
from ledger.usage.quantities import UNITS_PER_ONE, units_from_quantity
from projections.kernels.usage.aggregates import units_of_total
from projections.kernels.usage.decimals import decimals_of
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.series import Series
from projections.kernels.usage.totals import Totals
from projections.usage.former_lasts import FormerLasts
from projections.usage.hourly import HourlyUsage
from projections.usage.series_events import (
    PAYLOADS,
    SeriesEvents,
    as_lasts,
    timestamps_in,
)
from projections.usage.view import UsageView
from projections.windows import DAY, END, HOUR, LENGTHS, ceil_to, floor_to


class GroupingWindow(enum.Enum):
    """The UTC windows that a summary can be split into."""

    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> int:
        """Microseconds in the window."""
        return HOUR if self is GroupingWindow.HOUR else DAY


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Aggregated usage in ``[start, end)``, microseconds since 1970 UTC.

    `units` counts 10**-12 of the meter's unit, or of one event where events are counted.
    """

    start: int
    end: int
    units: int


class PartSource(enum.Enum):
    """What the usage of a part of a summary is read from."""

    HOURS = "hours"
    WINDOWS = "windows"
    EVENTS = "events"


class SummaryPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a summary, in ``[start, end)``, microseconds since 1970 UTC.

    Attributes:
        source: hourly usage, the last events of windows, or events.
        units: the formula over the events that count; of an average, their sum.
        count: how many events count.
    """

    start: int
    end: int
    source: PartSource
    units: int
    count: int


class Summaries:
    """Summaries of series, from hourly usage and from events. Thread-safe.

    Args:
        usage: hourly usage.
        events: reads events.
    """

    def __init__(self, usage: HourlyUsage, events: SeriesEvents) -> None:
        self._usage = usage
        self._events = events
        self._former = FormerLasts(self._events)

    def between(
        self, series: Series, start: int, end: int, grouping: GroupingWindow | None
    ) -> tuple[list[Summary], int]:
        """Summarise a series in ``[start, end)``.

        Args:
            series: whose usage.
            start: microseconds since 1970 UTC, inclusive.
            end: exclusive, after `start`.
            grouping: one summary for each window with usage, cut to the bounds; None is
                one summary of everything, 0 where there is no usage.

        Returns:
            The summaries, oldest first, and the position to which they are current.
        """
        assert 0 <= start < end <= END, "a window lies in recorded time"
        view = self._usage.view()
        # One window as long as all of recorded time holds everything.
        length = END if grouping is None else grouping.length
        units = self._units(view, series, start, end, length)
        if grouping is None:
            total = units.get(0, 0)
            return [Summary(start=start, end=end, units=total)], view.position
        return [
            Summary(
                start=max(start, window * length),
                end=min(end, (window + 1) * length),
                units=value,
            )
            for window, value in units.items()
        ], view.position

    def units(self, view: UsageView, series: Series, start: int, end: int) -> int:
        """Return the meter's formula of a series in ``[start, end)``, in a view."""
        return self._units(view, series, start, end, END).get(0, 0)

    def parts(
        self, view: UsageView, series: Series, start: int, end: int
    ) -> list[SummaryPart]:
        """Return what a summary in ``[start, end)`` is made of, oldest first."""
        formula = series.meter.formula
        first, after = start, end
        source = PartSource.WINDOWS if series.is_windowed else PartSource.EVENTS
        adds_up = formula in {Formula.SUM, Formula.COUNT, Formula.AVG}
        if not series.is_windowed and (adds_up or formula is Formula.LAST):
            first, after = _whole_hours(view, series, start, end)
            first, after = max(first, start), min(after, end)
            source = PartSource.HOURS
        spans = (
            (start, first, PartSource.EVENTS),
            (first, after, source),
            (after, end, PartSource.EVENTS),
        )
        parts = [
            self._part(view, series, low, high, kind)
            for low, high, kind in spans
            if low < high
        ]
        return _only_latest(parts) if formula is Formula.LAST else parts

    def _part(
        self, view: UsageView, series: Series, start: int, end: int, source: PartSource
    ) -> SummaryPart:
        units, count = self._measured(view, series, start, end)
        return SummaryPart(
            start=start, end=end, source=source, units=units, count=count
        )

    def _measured(
        self, view: UsageView, series: Series, start: int, end: int
    ) -> tuple[int, int]:
        """Return the formula in ``[start, end)``, and how many events count.

        Of an average it is the sum, which averages are made of.
        """
        formula = series.meter.formula
        match formula:
            case Formula.LAST:
                found = _lasts_by_window(self._lasts(view, series, start, end), END)
                return found.get(0, 0), len(found)
            case Formula.SUM | Formula.COUNT | Formula.AVG:
                totals = self._totals(view, series, start, end)
                totals = Totals.combine([totals.with_key(totals.key * np.uint64(0))])
                if not len(totals):
                    return 0, 0
                total, count = totals.sum_units(0), int(totals.count[0])
                is_count = formula is Formula.COUNT
                return (count * UNITS_PER_ONE if is_count else total), count
            case Formula.MIN | Formula.MAX:
                events = self._counted(view, series, start, end)
                one = np.zeros(len(events), np.int64)
                values = decimals_of(events.words)
                extremes = _extremes_by_window(one, values, formula)
                return extremes.get(0, 0), len(events)
            case Formula.UNIQUE_COUNT:
                windows, strings = self._strings(view, series, start, end, END)
                found = _distinct_by_window(windows, strings)
                return found.get(0, 0), len(windows)

    def standing(self, view: UsageView, series: Series) -> Lasts:
        """Return the one event that counts of each cell of a series, in a view.

        A cell is an hour, or a window of a pre-aggregated meter.
        """
        return self._lasts(view, series, 0, END)

    def every_event(
        self, view: UsageView, series: Series, start: int = 0, end: int = END
    ) -> Lasts:
        """Return the events of a series in ``[start, end)`` that are not cancelled."""
        return as_lasts(self._events.read(view, series, start, end))

    def _units(
        self, view: UsageView, series: Series, start: int, end: int, length: int
    ) -> dict[int, int]:
        """Return the meter's formula of each window of a length that has usage."""
        formula = series.meter.formula
        match formula:
            case Formula.LAST:
                lasts = self._lasts(view, series, start, end)
                return _lasts_by_window(lasts, length)
            case Formula.SUM | Formula.COUNT | Formula.AVG:
                totals = self._totals(view, series, start, end)
                return _totals_by_window(totals, formula, length)
            case Formula.MIN | Formula.MAX:
                events = self._counted(view, series, start, end)
                windows = events.timestamp // length
                return _extremes_by_window(windows, decimals_of(events.words), formula)
            case Formula.UNIQUE_COUNT:
                windows, strings = self._strings(view, series, start, end, length)
                return _distinct_by_window(windows, strings)

    def _totals(self, view: UsageView, series: Series, start: int, end: int) -> Totals:
        """Return the totals of the events that count, by hour."""
        if series.is_windowed:
            survivors = self._survivors(view, series, start, end)
            hours = (survivors.timestamp // HOUR).astype(np.uint64)
            return Totals.combine([Totals.of_words(hours, survivors.words)])
        first, after = _whole_hours(view, series, start, end)
        parts = [view.totals_of(series, first // HOUR, after // HOUR)]
        for low, high in ((start, first), (after, end)):
            if low < high:
                # Within one hour, as all hours between the edges are whole.
                values = self._events.read(view, series, low, high).column("value")
                parts.append(Totals.of_one(low // HOUR, values.combine_chunks()))
        return Totals.combine(parts)

    def _lasts(self, view: UsageView, series: Series, start: int, end: int) -> Lasts:
        """Return the last event that counts of every hour with usage."""
        if series.is_windowed:
            return self._survivors(view, series, start, end)
        first, after = _whole_hours(view, series, start, end)
        lasts = view.lasts_of(series, first // HOUR, after // HOUR)
        parts = [self._without_cancelled(view, series, lasts)]
        for low, high in ((start, first), (after, end)):
            if low < high:
                parts.append(as_lasts(self._events.read(view, series, low, high)))
        return Lasts.concatenate(parts)

    def _counted(self, view: UsageView, series: Series, start: int, end: int) -> Lasts:
        """Return every event that counts, each as the last of its hour."""
        if series.is_windowed:
            return self._survivors(view, series, start, end)
        return as_lasts(self._events.read(view, series, start, end))

    def _strings(
        self, view: UsageView, series: Series, start: int, end: int, length: int
    ) -> tuple[np.ndarray, pa.Array]:
        """Return the window of every event that counts, and its string of the value."""
        events = self._events.read(view, series, start, end, PAYLOADS)
        if series.is_windowed:
            survivors = self._survivors(view, series, start, end)
            positions = events.column("position").to_numpy()
            events = events.filter(pa.array(np.isin(positions, survivors.position)))
        payload = events.column("payload").combine_chunks()
        key = series.meter.value_payload_key
        strings = pc.map_lookup(payload, query_key=key, occurrence="first")
        return timestamps_in(events) // length, strings

    def _survivors(
        self, view: UsageView, series: Series, start: int, end: int
    ) -> Lasts:
        """Return the one event that counts of each window of a pre-aggregated meter.

        It has the greatest position of its whole window, and counts where its own
        timestamp lies.
        """
        window = series.meter.event_time_window
        assert window is not None, "the meter is pre-aggregated"
        length = LENGTHS[window]
        lasts = view.lasts_of(
            series, floor_to(start, length) // HOUR, ceil_to(end, length) // HOUR
        )
        survivors = self._without_cancelled(view, series, lasts)
        inside = (survivors.timestamp >= start) & (survivors.timestamp < end)
        return survivors.pick(inside)

    def _without_cancelled(
        self, view: UsageView, series: Series, lasts: Lasts
    ) -> Lasts:
        """Return lasts with the last event that counts in place of a cancelled one."""
        are_cancelled = view.are_cancelled(lasts.position)
        if not are_cancelled.any():
            return lasts
        parts = [lasts.pick(~are_cancelled)]
        left = lasts.pick(are_cancelled & (lasts.count > 0))
        if len(left):
            parts.append(self._former.find(view, series, left))
        return Lasts.concatenate(parts)


def _whole_hours(
    view: UsageView, series: Series, start: int, end: int
) -> tuple[int, int]:
    """Return the span of hours in ``[start, end)``, empty at `end` without any.

    An hour counts as whole where the bounds cut off no event of the series: "so far"
    needs no event of the hour that is not over.
    """
    first, after = floor_to(start, HOUR), ceil_to(end, HOUR)
    if not view.has_none_between(series, first, start):
        first = ceil_to(start, HOUR)
    if not view.has_none_between(series, end, after):
        after = floor_to(end, HOUR)
    return (first, after) if first <= after else (end, end)


def _only_latest(parts: list[SummaryPart]) -> list[SummaryPart]:
    """Let the latest part with an event count, of those of which one counts at most."""
    latest = max((at for at, part in enumerate(parts) if part.count), default=0)
    return [
        part if at == latest else msgspec.structs.replace(part, units=0, count=0)
        for at, part in enumerate(parts)
    ]


def _lasts_by_window(lasts: Lasts, length: int) -> dict[int, int]:
    lasts = Lasts.combine([lasts.with_key(lasts.timestamp // length)])
    return {
        window: lasts.value_units(at) for at, window in enumerate(lasts.key.tolist())
    }


def _totals_by_window(totals: Totals, formula: Formula, length: int) -> dict[int, int]:
    windows = totals.key.astype(np.int64) * HOUR // length
    totals = Totals.combine([totals.with_key(windows)])
    return {
        window: units_of_total(formula, totals.sum_units(at), count)
        for at, (window, count) in enumerate(
            zip(totals.key.tolist(), totals.count.tolist(), strict=True)
        )
        if count
    }


def _extremes_by_window(
    windows: np.ndarray, values: pa.Array, formula: Formula
) -> dict[int, int]:
    function = "min" if formula is Formula.MIN else "max"
    found = _aggregated(windows, values, function)
    return {window: units_from_quantity(value) for window, value in found}


def _distinct_by_window(windows: np.ndarray, strings: pa.Array) -> dict[int, int]:
    found = _aggregated(windows, strings, "count_distinct")
    return {window: count * UNITS_PER_ONE for window, count in found}


def _aggregated(
    windows: np.ndarray, values: pa.Array, function: str
) -> list[tuple[int, Any]]:
    """Return an Arrow function of the values of each window, oldest first."""
    table = pa.table({"window": windows, "value": values})
    found = table.group_by("window").aggregate([("value", function)]).sort_by("window")
    return list(
        zip(
            found.column("window").to_pylist(),
            found.column(f"value_{function}").to_pylist(),
            strict=True,
        )
    )
