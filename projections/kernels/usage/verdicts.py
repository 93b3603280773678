"""Verdicts: which recorded events count in a summary, and why the others do not.

An event that does not count has one reason, the first that holds: its timestamp lies
outside, it was recorded later, it was cancelled, or another one stands in its place.
"""

import enum
from collections.abc import Iterable

import msgspec
import numpy as np


class Reason(enum.IntEnum):
    """Why an event does not count."""

    NONE = 0
    OUTSIDE = 1
    LATER = 2
    CANCELLED = 3
    REPLACED = 4


class JudgedEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded events of a series, cancelled ones among them: columns of equal length (int64), in log order.

    Attributes:
        position: where each is in the log.
        timestamp: microseconds since 1970 UTC.
        cancellation: position of its cancellation, 0 where it has none.
    """

    position: np.ndarray
    timestamp: np.ndarray
    cancellation: np.ndarray


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which events can count.

    Attributes:
        start: microseconds since 1970 UTC, inclusive.
        end: exclusive.
        position: entries up to it are known.
        length: of the windows of which the last recorded event counts; None where all
            events count.
        is_last: whether only the event with the greatest timestamp counts.
    """

    start: int
    end: int
    position: int
    length: int | None
    is_last: bool

    @property
    def has_standing(self) -> bool:
        """Whether some events stand for others."""
        return self.length is not None or self.is_last

    def are_inside(self, events: JudgedEvents) -> np.ndarray:
        """Return (bool) which events lie in the bounds."""
        timestamp = events.timestamp
        inside: np.ndarray = (timestamp >= self.start) & (timestamp < self.end)
        return inside

    def are_cancelled(self, events: JudgedEvents) -> np.ndarray:
        """Return (bool) which events are known to be cancelled."""
        cancellation = events.cancellation
        cancelled: np.ndarray = (cancellation > 0) & (cancellation <= self.position)
        return cancelled

    def are_valid(self, events: JudgedEvents) -> np.ndarray:
        """Return (bool) which events are known, and not to be cancelled."""
        is_known = events.position <= self.position
        valid: np.ndarray = is_known & ~self.are_cancelled(events)
        return valid


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The events that stand for others.

    Attributes:
        windows: by the number of a window, the position of its last recorded event.
        last: the one that counts of all, 0 where there is none.
    """

    windows: dict[int, int]
    last: int


def standing_of(scope: Scope, parts: Iterable[JudgedEvents]) -> Standing:
    """Find the events that stand for others.

    Args:
        scope: which events can count.
        parts: the events of the series in all windows that the bounds meet, or in the
            bounds where there are no windows, in log order.
    """
    windows: dict[int, tuple[int, int]] = {}
    last = (0, 0)
    for events in parts:
        valid = scope.are_valid(events)
        if scope.length is None:
            valid &= scope.are_inside(events)
        timestamps = events.timestamp[valid].tolist()
        found = list(zip(timestamps, events.position[valid].tolist(), strict=True))
        if scope.length is None:
            last = max([last, *found])
        else:
            windows |= {each[0] // scope.length: each for each in found}
    for timestamp, position in windows.values():
        if scope.start <= timestamp < scope.end:
            last = max(last, (timestamp, position))
    return Standing(
        windows={number: position for number, (_, position) in windows.items()},
        last=last[1],
    )


def judge(
    scope: Scope, standing: Standing, events: JudgedEvents
) -> tuple[np.ndarray, np.ndarray]:
    """Return why each event does not count, and by which entry.

    Returns:
        Reasons (int8), 0 for an event that counts; and positions (int64) of the
        cancellation, or of the event in its place, 0 where it is for neither.
    """
    reason = np.zeros(len(events.position), np.int8)
    by = np.zeros(len(events.position), np.int64)
    if scope.is_last:
        by[:] = standing.last
    if scope.length is not None:
        numbers = (events.timestamp // scope.length).tolist()
        stands = np.array([standing.windows.get(n, 0) for n in numbers], np.int64)
        by = np.where(stands == events.position, by, stands)
    if scope.has_standing:
        # One that stands for its window may have to give way to the last of all.
        is_replaced = (by != 0) & (by != events.position)
        reason[is_replaced] = Reason.REPLACED
        by[~is_replaced] = 0
    cancelled = scope.are_cancelled(events)
    reason[cancelled], by[cancelled] = Reason.CANCELLED, events.cancellation[cancelled]
    for rows, why in (
        (events.position > scope.position, Reason.LATER),
        (~scope.are_inside(events), Reason.OUTSIDE),
    ):
        reason[rows], by[rows] = why, 0
    return reason, by
