"""Slots: which window of a question each hour of UTC lies in, as a whole.

Windows begin where clocks of any zone say, and bounds where a caller says. An hour that
one of them cuts in two is in no slot: its events are read. Where a bound cuts off no
event, the hour is whole: "so far" needs no event of the hour that is not over.
"""

from dataclasses import dataclass

import numpy as np

from projections.calendar import Windows
from projections.scans.reaggregation.spans import Spans
from projections.windows import DAY, HOUR, ceil_to, floor_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The slots of the hours ``[first, end)`` since 1970.

    Attributes:
        first: the first hour.
        slot: int64, the slot of each hour since 1970, ascending; -1 for none, as for
            `end`, the last.
        starts: int64, where the window of each slot begins, microseconds since 1970 UTC.
        cut: the time in hours that are cut, between the bounds of the question.
    """

    first: int
    slot: np.ndarray
    starts: np.ndarray
    cut: Spans

    @property
    def end(self) -> int:
        """The hour after the last."""
        return len(self.slot) - 1

    def of_hours(self, hours: np.ndarray) -> np.ndarray:
        """Return the slot (int64) of any hours since 1970 (int64); -1 for none."""
        return self.slot.take(hours, mode="clip")


def slots_of_windows(
    windows: Windows, start: int, end: int, ends: tuple[int, int]
) -> Slots:
    """Return the slots of hours between the bounds of a question.

    Args:
        windows: cover the bounds.
        start: microseconds since 1970 UTC.
        end: exclusive.
        ends: the least and the greatest timestamp of all events.
    """
    earliest, latest = ends
    # A bound beyond all events cuts nothing off, and there is nothing to ask beyond.
    low = floor_to(earliest, HOUR) if start <= earliest else start
    high = ceil_to(latest + 1, HOUR) if end > latest else end
    if low >= high:
        return _slots(0, np.zeros(0, np.int64), np.zeros(0, bool), Spans.none())
    first, after = low // HOUR, ceil_to(high, HOUR) // HOUR
    hours = np.arange(first, after) * HOUR
    begins, finishes = np.maximum(hours, start), np.minimum(hours + HOUR, end)
    starts = windows.starts_of(begins)
    is_whole = starts == windows.starts_of(finishes - 1)
    is_whole &= (hours >= low) & (hours + HOUR <= high)
    cut = Spans.of(begins[~is_whole], finishes[~is_whole])
    return _slots(first, starts, is_whole, cut)


def slots_of_cells(start: int, end: int, ends: tuple[int, int]) -> Slots:
    """Return slots that are one hour each: those in which cells begin.

    Args:
        start: microseconds since 1970 UTC, where a cell begins.
        end: where the last one ends.
        ends: see `slots_of_windows`.
    """
    first = max(start, floor_to(ends[0], DAY)) // HOUR
    after = min(end, ceil_to(ends[1] + 1, HOUR)) // HOUR
    starts = np.arange(first, max(first, after)) * HOUR
    return _slots(first, starts, np.ones(len(starts), bool), Spans.none())


def _slots(first: int, starts: np.ndarray, is_whole: np.ndarray, cut: Spans) -> Slots:
    """Number the windows in which whole hours lie; `starts` are those of the hours'."""
    is_new = np.append(True, starts[1:] != starts[:-1])[: len(starts)]
    slot = np.full(first + len(starts) + 1, -1, np.int64)
    slot[first:-1] = np.where(is_whole, np.cumsum(is_new) - 1, -1)
    return Slots(first=first, slot=slot, starts=starts[is_new], cut=cut)
