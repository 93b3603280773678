"""Calendar: windows of local time in any zone, as stretches of equal windows.

Windows partition time into contiguous half-open ``[start, end)``. A day, week (from
Monday) or month begins at the first instant at which the zone's clocks have reached its
first midnight. Clocks may skip that midnight or reach it twice; a skipped date has no
window. An hour or minute begins at each full one of the local clock and at each change
of the zone's offset, so a day of 25 hours has 25 of them.

Between changes of offset, windows are equally long. So a few stretches hold them all, and
an instant's window is found by whole-number arithmetic; UTC has one stretch. Instants are
microseconds since 1970 UTC, and every boundary is a whole second.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np

from projections.windows import DAY, HOUR, ceil_to, floor_to

SECOND = 1_000_000
MINUTE = 60 * SECOND
WEEK = 7 * DAY

# 1970 began on a Thursday.
_FIRST_MONDAY = 4 * DAY
# More than a month and any offset, so that the bounds lie well within.
_MARGIN = 40 * DAY
# Twice in seven days is the fastest that any zone has changed its offset since 1970.
_SAMPLING_STEP = DAY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class WindowUnit(enum.Enum):
    """The windows that time can be split into."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Contiguous windows, as stretches of equally long ones.

    Attributes:
        starts: where each stretch begins, ascending.
        lengths: of the windows that fill each stretch.
        end: of the last window.
    """

    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    end: int

    def starts_of(self, instants: np.ndarray) -> np.ndarray:
        """Return where the window of each instant (int64) begins."""
        start, length = self._stretches_of(instants)
        found: np.ndarray = instants - start
        # In place: new memory would take longer than the numbers do.
        found //= length
        found *= length
        found += start
        return found

    def ends_of(self, instants: np.ndarray) -> np.ndarray:
        """Return where the window of each instant (int64) ends."""
        start, length = self._stretches_of(instants)
        return start + ((instants - start) // length + 1) * length

    def boundaries(self) -> np.ndarray:
        """Return where each window begins, and where the last one ends (int64)."""
        ends = (*self.starts[1:], self.end)
        parts = [
            np.arange(start, end, length)
            for start, end, length in zip(self.starts, ends, self.lengths, strict=True)
        ]
        return np.append(np.concatenate(parts), self.end)

    def _stretches_of(
        self, instants: np.ndarray
    ) -> tuple[np.ndarray | int, np.ndarray | int]:
        """Return start and window length of each instant's stretch, or of the one."""
        if len(instants) == 0:
            return 0, 1
        earliest, latest = int(instants.min()), int(instants.max())
        assert self.starts[0] <= earliest, "the windows begin before all instants"
        assert latest < self.end, "the windows end after all instants"
        starts = np.array(self.starts)
        first, last = np.searchsorted(starts, [earliest, latest], side="right") - 1
        if first == last:
            # Division by one number is several times faster than by many.
            return self.starts[first], self.lengths[first]
        at = np.searchsorted(starts[first + 1 : last + 1], instants, side="right")
        at += first
        return starts[at], np.array(self.lengths)[at]


def windows_between(unit: WindowUnit, zone: tzinfo, start: int, end: int) -> Windows:
    """Return the windows of a zone that cover ``[start, end)`` and time around it.

    Args:
        unit: how long they are.
        zone: `datetime.UTC` needs no rules of any zone.
        start: microseconds since 1970 UTC.
        end: exclusive, after `start`.
    """
    assert start < end, "there is some time to cover"
    periods = _periods(zone, start - _MARGIN, end + _MARGIN)
    match unit:
        case WindowUnit.MINUTE:
            return _windows(periods.clock_windows(MINUTE))
        case WindowUnit.HOUR:
            return _windows(periods.clock_windows(HOUR))
        case WindowUnit.DAY:
            return _windows(periods.calendar_windows(periods.midnights(DAY, 0)))
        case WindowUnit.WEEK:
            mondays = periods.midnights(WEEK, _FIRST_MONDAY)
            return _windows(periods.calendar_windows(mondays))
        case WindowUnit.MONTH:
            return _windows(periods.calendar_windows(periods.firsts_of_months()))


def one_window(start: int, end: int) -> Windows:
    """Return the one window that is ``[start, end)``."""
    return Windows(starts=(start,), lengths=(end - start,), end=end)


_EqualWindows = tuple[int, int, int]
"""Where they begin, how many there are, and how long each is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Periods:
    """Times of constant offset, contiguous; arrays (int64) of equal length.

    Attributes:
        starts: where each begins.
        ends: exclusive.
        offsets: by how much local clocks are ahead of UTC.
    """

    starts: np.ndarray
    ends: np.ndarray
    offsets: np.ndarray

    def clock_windows(self, length: int) -> Iterator[_EqualWindows]:
        """Yield each period, split at the full hours or minutes of its clock."""
        for start, end, offset in zip(
            self.starts.tolist(),
            self.ends.tolist(),
            self.offsets.tolist(),
            strict=True,
        ):
            first = min(end, start + -(start + offset) % length)
            count, rest = divmod(end - first, length)
            yield start, 1, first - start
            yield first, count, length
            yield end - rest, 1, rest

    def calendar_windows(self, locals_: np.ndarray) -> Iterator[_EqualWindows]:
        """Yield time, split at the first instants at which clocks reach local times.

        Args:
            locals_: local times, ascending, as if they were UTC.
        """
        reached = np.maximum.accumulate(self.ends + self.offsets)
        # The margin has local times that no period reaches.
        locals_ = locals_[locals_ < reached[-1]]
        period = np.searchsorted(reached, locals_, side="right")
        instants = np.maximum(self.starts[period], locals_ - self.offsets[period])
        # Local times that were skipped together are reached together.
        instants = instants[np.diff(instants, prepend=instants[:1] - 1) > 0]
        lengths = np.diff(instants)
        heads = np.flatnonzero(np.diff(lengths, prepend=0))
        counts = np.diff(heads, append=len(lengths))
        yield from zip(
            instants[heads].tolist(),
            counts.tolist(),
            lengths[heads].tolist(),
            strict=True,
        )

    def midnights(self, length: int, phase: int) -> np.ndarray:
        """Return every local midnight, or one in seven; `phase` is one of them."""
        start, end = self._local_bounds()
        return np.arange(start + (phase - start) % length, end, length)

    def firsts_of_months(self) -> np.ndarray:
        """Return the midnights at which months begin."""
        start, end = (
            np.datetime64(bound, "us").astype("M8[M]") for bound in self._local_bounds()
        )
        months = np.arange(start + 1, end + 1)
        return months.astype("M8[us]").astype(np.int64)

    def _local_bounds(self) -> tuple[int, int]:
        return (
            int(self.starts[0] + self.offsets[0]),
            int(self.ends[-1] + self.offsets[-1]),
        )


def _windows(stretches: Iterator[_EqualWindows]) -> Windows:
    """Return windows, with neighbours of equally long ones joined."""
    starts: list[int] = []
    lengths: list[int] = []
    reached: int | None = None
    for start, count, length in stretches:
        if count * length == 0:
            continue
        assert reached in (None, start), "stretches are contiguous"
        reached = start + count * length
        if not lengths or lengths[-1] != length:
            starts.append(start)
            lengths.append(length)
    assert reached is not None, "there is a window"
    return Windows(starts=tuple(starts), lengths=tuple(lengths), end=reached)


def _periods(zone: tzinfo, start: int, end: int) -> _Periods:
    """Return the times of constant offset in ``[start, end)``, whole days of UTC."""
    start, end = floor_to(start, DAY), ceil_to(end, DAY)
    starts, offsets = [start], [_offset(zone, start)]
    low = start
    while zone is not UTC and low < end:
        high = min(low + _SAMPLING_STEP, end)
        offset = _offset(zone, high)
        if offset != offsets[-1]:
            starts.append(_change(zone, low, high))
            offsets.append(offset)
        low = high
    return _Periods(
        starts=np.array(starts),
        ends=np.array([*starts[1:], end]),
        offsets=np.array(offsets),
    )


def _change(zone: tzinfo, low: int, high: int) -> int:
    """Return the first instant after `low` with the offset of `high`."""
    offset = _offset(zone, high)
    while high - low > SECOND:
        middle = low + (high - low) // (2 * SECOND) * SECOND
        if _offset(zone, middle) == offset:
            high = middle
        else:
            low = middle
    return high


def _offset(zone: tzinfo, instant: int) -> int:
    offset = (_EPOCH + instant * _MICROSECOND).astimezone(zone).utcoffset()
    assert offset is not None, "a zone has an offset at any time"
    return offset // _MICROSECOND
