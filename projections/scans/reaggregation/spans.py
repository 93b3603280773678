"""Spans: some stretches of time, where a question is not about all between its bounds."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Half-open stretches of time, apart from each other; arrays (int64) of equal length.

    Attributes:
        starts: microseconds since 1970 UTC, ascending.
        ends: exclusive, each after its start and before the next one.
    """

    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, starts: np.ndarray, ends: np.ndarray) -> "Spans":
        """Return ascending spans that do not overlap, neighbours joined."""
        are_apart = starts[1:] != ends[:-1]
        is_first, is_last = np.ones(len(starts), bool), np.ones(len(starts), bool)
        is_first[1:] = is_last[:-1] = are_apart
        return cls(starts=starts[is_first], ends=ends[is_last])

    @classmethod
    def none(cls) -> "Spans":
        """Return no spans."""
        return cls(starts=np.zeros(0, np.int64), ends=np.zeros(0, np.int64))

    def __len__(self) -> int:
        """Return how many spans there are."""
        return len(self.starts)

    def meet(self, start: int, end: int) -> bool:
        """Whether a span has time in common with ``[start, end)``."""
        at = int(np.searchsorted(self.ends, start, side="right"))
        return at < len(self) and bool(self.starts[at] < end)
