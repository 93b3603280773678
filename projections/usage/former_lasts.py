"""Former lasts: the last event of a window whose very last event was cancelled.

Cells hold the last event and not the one before it. Where the last one was cancelled,
the events of its window are read again; the result is kept until something happens to
the window.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from projections.kernels.usage.keys import HOURS, WINDOWED
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.series import CellShape, Series
from projections.usage.series_events import SeriesEvents, as_lasts
from projections.usage.view import UsageView
from projections.windows import DAY, HOUR

_WINDOWS_KEPT = 1 << 14
# Windows closer than this are read together: their events lie side by side.
_NEAR = DAY


class _Stamp(msgspec.Struct, frozen=True):
    """A state of a window.

    While no event is cancelled anywhere, a window's count grows with each of its events.
    So where both numbers are equal, nothing has happened to the window.

    Attributes:
        count: events that count in the window.
        cancellations: of all events of the log.
    """

    count: int
    cancellations: int


class _Remembered(msgspec.Struct, frozen=True):
    stamp: _Stamp
    last: Lasts


class FormerLasts:
    """Finds former lasts, and keeps the most recent. Thread-safe.

    Args:
        events: reads events.
        windows_kept: how many windows are kept.
    """

    def __init__(
        self, events: SeriesEvents, *, windows_kept: int = _WINDOWS_KEPT
    ) -> None:
        self._events = events
        self._windows_kept = windows_kept
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, str, int], _Remembered] = OrderedDict()

    def find(self, view: UsageView, series: Series, cancelled: Lasts) -> Lasts:
        """Return the last event that counts in some windows of a series.

        Args:
            view: of usage.
            series: whose windows.
            cancelled: their cancelled lasts, sorted by key, the hour in which each
                window begins; some other event counts in each window.

        Returns:
            As many lasts, in the same order.
        """
        cancellations = view.cancellations
        stamps = {
            hour: _Stamp(count, cancellations)
            for hour, count in zip(
                cancelled.key.tolist(), cancelled.count.tolist(), strict=True
            )
        }
        lasts = self._remembered(series, stamps)
        missing = [hour for hour in stamps if hour not in lasts]
        if missing:
            read = self._read(view, series, missing)
            self._remember(series, stamps, read)
            lasts |= read
        return Lasts.concatenate([lasts[hour] for hour in stamps])

    def _read(
        self, view: UsageView, series: Series, hours: Sequence[int]
    ) -> dict[int, Lasts]:
        meter = series.meter
        length = CellShape.of(meter.formula, meter.event_time_window).length
        flag = WINDOWED if series.is_windowed else np.uint64(0)
        lasts = {}
        for first, last in _stretches(hours):
            events = as_lasts(
                self._events.read(view, series, first * HOUR, last * HOUR + length)
            )
            begins = (events.timestamp - events.timestamp % length) // HOUR
            found = Lasts.combine([events.with_key(begins.astype(np.uint64) | flag)])
            found = found.with_key(found.key & HOURS)
            for at, hour in enumerate(found.key.tolist()):
                lasts[hour] = found.pick(slice(at, at + 1))
        return {hour: lasts[hour] for hour in hours}

    def _remembered(
        self, series: Series, stamps: Mapping[int, _Stamp]
    ) -> dict[int, Lasts]:
        remembered = {}
        with self._lock:
            for hour, stamp in stamps.items():
                key = series.meter.event_name, series.customer, hour
                found = self._found.get(key)
                if found is not None and found.stamp == stamp:
                    self._found.move_to_end(key)
                    remembered[hour] = found.last
        return remembered

    def _remember(
        self, series: Series, stamps: Mapping[int, _Stamp], lasts: Mapping[int, Lasts]
    ) -> None:
        with self._lock:
            for hour, last in lasts.items():
                key = series.meter.event_name, series.customer, hour
                self._found[key] = _Remembered(stamps[hour], last)
                self._found.move_to_end(key)
            while len(self._found) > self._windows_kept:
                self._found.popitem(last=False)


def _stretches(hours: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and last of ascending hours that are near each other."""
    first = last = hours[0]
    for hour in hours[1:]:
        if (hour - last) * HOUR > _NEAR:
            yield first, last
            first = hour
        last = hour
    yield first, last
