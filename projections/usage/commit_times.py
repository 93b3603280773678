"""Commit times: when the usage of each commit of the tail happened.

They are only ever added to, so that what there was at some moment is the beginning of
what there is, and is looked at without a copy.
"""

from dataclasses import dataclass

import numpy as np

_AT_FIRST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitTimes:
    """Commits of usage, as columns of equal length, in the order of the log.

    Attributes:
        first_position: int64.
        earliest: int64, least timestamp of its events, microseconds since 1970 UTC.
        latest: int64, greatest timestamp of its events.
    """

    first_position: np.ndarray
    earliest: np.ndarray
    latest: np.ndarray

    def between(self, start: int, end: int) -> list[int]:
        """Find the commits that may have timestamps in ``[start, end)``.

        Returns:
            Their first positions, ascending.
        """
        found = (self.earliest < end) & (self.latest >= start)
        return list(self.first_position[found].tolist())


class GrowingCommitTimes:
    """Commit times that are added to. For one thread at a time."""

    def __init__(self) -> None:
        self._count = 0
        self._columns = np.zeros((3, _AT_FIRST), np.int64)

    def extend(
        self, first_positions: np.ndarray, earliest: np.ndarray, latest: np.ndarray
    ) -> None:
        """Add commits (int64) after those there are."""
        end = self._count + len(first_positions)
        if end > self._columns.shape[1]:
            grown = np.zeros((3, 2 * end), np.int64)
            grown[:, : self._count] = self._columns[:, : self._count]
            self._columns = grown
        self._columns[:, self._count : end] = first_positions, earliest, latest
        self._count = end

    def so_far(self) -> CommitTimes:
        """View what there is now; what is added later does not show."""
        first_position, earliest, latest = self._columns[:, : self._count]
        return CommitTimes(
            first_position=first_position, earliest=earliest, latest=latest
        )
