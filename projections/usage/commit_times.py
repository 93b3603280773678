"""Commit times: when the usage of each commit of the tail happened."""

import msgspec
import numpy as np

_COMMITS_AT_FIRST = 64


class CommitTimes(msgspec.Struct, frozen=True, kw_only=True):
    """When the usage of commits happened: columns of equal length, in log order.

    Attributes:
        first_position: int64.
        earliest: int64, least timestamp of its events, microseconds since 1970 UTC.
        latest: int64, greatest timestamp of its events.
    """

    first_position: np.ndarray
    earliest: np.ndarray
    latest: np.ndarray

    def between(self, start: int, end: int) -> np.ndarray:
        """Return the first positions of commits that may have events in a span."""
        found = (self.earliest < end) & (self.latest >= start)
        first_positions: np.ndarray = self.first_position[found]
        return first_positions


class GrowingCommitTimes:
    """Commit times that are only added to. For one thread at a time.

    What there was at some moment is the beginning of what there is, so a view of it
    needs no copy.
    """

    def __init__(self) -> None:
        self._count = 0
        self._columns = np.zeros((3, _COMMITS_AT_FIRST), np.int64)

    def extend(
        self, first_positions: np.ndarray, earliest: np.ndarray, latest: np.ndarray
    ) -> None:
        """Append commits (int64)."""
        end = self._count + len(first_positions)
        if end > self._columns.shape[1]:
            grown = np.zeros((3, 2 * end), np.int64)
            grown[:, : self._count] = self._columns[:, : self._count]
            self._columns = grown
        self._columns[:, self._count : end] = first_positions, earliest, latest
        self._count = end

    def so_far(self) -> CommitTimes:
        """View the commits so far; later ones do not show."""
        first_position, earliest, latest = self._columns[:, : self._count]
        return CommitTimes(
            first_position=first_position, earliest=earliest, latest=latest
        )
