"""Lasts: the number of events for a key, and the last of them.

The last event has the greatest (timestamp, position), or the greatest position where the
key says that the meter is pre-aggregated. It may have been cancelled since: readers
check. As with totals, an event is a last of one and a cancellation takes one away.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from projections.kernels.usage.decimals import numbers_of_words, words_of
from projections.kernels.usage.keys import WINDOWED, added, groups, signs_of

_NEVER = np.iinfo(np.int64).min


class Lasts(msgspec.Struct, frozen=True, kw_only=True):
    """Last events by key, as columns of equal length.

    Attributes:
        key: uint64.
        count: int64, events less cancellations.
        timestamp: int64, of the last event, microseconds since 1970 UTC.
        position: int64, of the last event; 0 where there is none.
        words: int64, two words by lasts: the last event's value, in units of 10**-12.
    """

    key: np.ndarray
    count: np.ndarray
    timestamp: np.ndarray
    position: np.ndarray
    words: np.ndarray

    @classmethod
    def of_events(
        cls,
        key: np.ndarray,
        timestamp: np.ndarray,
        position: np.ndarray,
        values: pa.Array,
    ) -> "Lasts":
        """Return a last for each event; a null value counts as 0."""
        return cls(
            key=key,
            count=np.ones(len(key), np.int64),
            timestamp=timestamp,
            position=position,
            words=words_of(values),
        )

    @classmethod
    def of_cancellations(
        cls, key: np.ndarray, are_restored: np.ndarray | None = None
    ) -> "Lasts":
        """Return for each cancelled event a last that takes it away, or brings it back."""
        none = np.zeros(len(key), np.int64)
        return cls(
            key=key,
            count=signs_of(len(key), are_restored),
            timestamp=none,
            position=none,
            words=np.zeros((2, len(key)), np.int64),
        )

    @classmethod
    def none(cls) -> "Lasts":
        """Return no lasts."""
        return cls.of_cancellations(np.zeros(0, np.uint64))

    @classmethod
    def combine(cls, parts: Sequence["Lasts"]) -> "Lasts":
        """Return one last for each key, sorted by key."""
        key, order, starts = groups([part.key for part in parts])
        ordered = cls.concatenate(parts).pick(order)
        if len(starts) == len(key):
            return ordered
        rank = np.where(key >= WINDOWED, 0, ordered.timestamp)
        rank[ordered.position == 0] = _NEVER
        sizes = np.diff(starts, append=len(key))
        greatest = np.repeat(np.maximum.reduceat(rank, starts), sizes)
        # Positions differ, so at most one event of a group has both.
        position = np.where(rank == greatest, ordered.position, -1)
        greatest = np.repeat(np.maximum.reduceat(position, starts), sizes)
        at = np.where(position == greatest, np.arange(len(key)), -1)
        last = ordered.pick(np.maximum.reduceat(at, starts))
        return cls(
            key=last.key,
            count=added(ordered.count, starts),
            timestamp=last.timestamp,
            position=last.position,
            words=last.words,
        )

    @classmethod
    def concatenate(cls, parts: Sequence["Lasts"]) -> "Lasts":
        """Return all lasts of some parts, in their order."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            key=np.concatenate([part.key for part in parts]),
            count=np.concatenate([part.count for part in parts]),
            timestamp=np.concatenate([part.timestamp for part in parts]),
            position=np.concatenate([part.position for part in parts]),
            words=np.concatenate([part.words for part in parts], axis=1),
        )

    def __len__(self) -> int:
        """Return how many lasts there are."""
        return len(self.key)

    def pick(self, at: np.ndarray | slice) -> "Lasts":
        """Return lasts by index, mask or slice."""
        return Lasts(
            key=self.key[at],
            count=self.count[at],
            timestamp=self.timestamp[at],
            position=self.position[at],
            words=self.words[:, at],
        )

    def between(self, low: int, high: int) -> "Lasts":
        """Return the lasts with keys in ``[low, high)`` of lasts sorted by key."""
        start, end = np.searchsorted(self.key, np.array([low, high], np.uint64))
        return self.pick(slice(start, end))

    def with_key(self, key: np.ndarray) -> "Lasts":
        """Return the lasts under other keys."""
        return Lasts(
            key=key.astype(np.uint64, copy=False),
            count=self.count,
            timestamp=self.timestamp,
            position=self.position,
            words=self.words,
        )

    def without_last(self, are_without: np.ndarray) -> "Lasts":
        """Return the lasts, some of them (bool) with a count and no event."""
        return Lasts(
            key=self.key,
            count=self.count,
            timestamp=self.timestamp,
            position=np.where(are_without, 0, self.position),
            words=self.words,
        )

    def value_units(self, at: int) -> int:
        """Return the value of one last event, in units of 10**-12."""
        return numbers_of_words(self.words[:, at : at + 1])[0]

    def equals(self, other: "Lasts") -> bool:
        """Whether both hold the same lasts in the same order."""
        return all(
            np.array_equal(ours, theirs)
            for ours, theirs in (
                (self.key, other.key),
                (self.count, other.count),
                (self.timestamp, other.timestamp),
                (self.position, other.position),
                (self.words, other.words),
            )
        )
