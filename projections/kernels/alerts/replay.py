"""Replay: the usage of one series, event by event, where events replace each other.

They do on meters of formula last and on pre-aggregated ones. An event may replace
another, and a cancellation may bring one back, so all events that may count are kept in
order. On other meters usage is a sum, with which a replay can start.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from ledger.facts.meters import Formula


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """An event: the one of the greatest `rank` is the last; `units` is its value."""

    rank: tuple[int, int]
    position: int
    timestamp: int
    units: int


@dataclass(slots=True, kw_only=True)
class UsageReplay:
    """Usage by window, after the last step.

    Attributes:
        formula: of the meter: sum, count or last.
        cell_length: of the meter's windows, in which only the event of the greatest
            position counts; None where it is not pre-aggregated.
        window_of: returns the start of an instant's window of usage; None is all time.
    """

    formula: Formula
    cell_length: int | None
    window_of: Callable[[int], int | None]
    _cells: dict[int, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    _lasts: dict[int | None, list[Seen]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _totals: dict[int | None, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, position: int, timestamp: int, units: int) -> None:
        """Add an event."""
        self._change(position, timestamp, units, is_added=True)

    def start(self, window: int | None, usage: int) -> None:
        """Begin with the usage of a window, where every event adds to it."""
        self._totals[window] = usage

    def cancel(self, position: int, timestamp: int, units: int) -> None:
        """Take an event out, whether or not it still counts."""
        self._change(position, timestamp, units, is_added=False)

    def usage(self, window: int | None) -> int:
        """Return the usage of a window: units, or events where they are counted."""
        if self.formula is not Formula.LAST:
            return self._totals[window]
        lasts = self._lasts[window]
        return lasts[-1].units if lasts else 0

    def _change(
        self, position: int, timestamp: int, units: int, *, is_added: bool
    ) -> None:
        if self.cell_length is None and self.formula is not Formula.LAST:
            added = 1 if self.formula is Formula.COUNT else units
            self._totals[self.window_of(timestamp)] += added if is_added else -added
            return
        by_time = Seen((timestamp, position), position, timestamp, units)
        if self.cell_length is None:
            _put(self._lasts[self.window_of(timestamp)], by_time, is_added=is_added)
            return
        event = Seen((position, 0), position, timestamp, units)
        cell = self._cells[timestamp // self.cell_length]
        before = cell[-1] if cell else None
        _put(cell, event, is_added=is_added)
        after = cell[-1] if cell else None
        if before is not after:
            self._count(before, is_added=False)
            self._count(after, is_added=True)

    def _count(self, event: Seen | None, *, is_added: bool) -> None:
        """Let an event count from now on, or no longer."""
        if event is None:
            return
        window, sign = self.window_of(event.timestamp), 1 if is_added else -1
        units = 1 if self.formula is Formula.COUNT else event.units
        self._totals[window] += sign * units
        if self.formula is Formula.LAST:
            rank = event.timestamp, event.position
            by_time = Seen(rank, event.position, event.timestamp, event.units)
            _put(self._lasts[window], by_time, is_added=is_added)


def _put(events: list[Seen], event: Seen, *, is_added: bool) -> None:
    if is_added:
        insort(events, event)
        return
    at = bisect_left(events, event)
    if at < len(events) and events[at] == event:
        del events[at]
