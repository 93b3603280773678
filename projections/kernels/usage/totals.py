"""Totals: the number of events for a key, and their exact sum.

An event is a total of one, a cancellation takes one away, and `combine` adds totals up.
The same function folds a batch, merges earlier folds and answers a read, in any order
and however the log was cut.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from projections.kernels.usage.decimals import (
    are_equal_numbers,
    gather_limbs,
    limbs_of,
    number_of_limbs,
    words_of,
)
from projections.kernels.usage.keys import added, groups, signs_of


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Totals by key, as columns of equal length.

    Attributes:
        key: uint64.
        count: int64, events less cancellations.
        limbs: of the sums of the values, less those of cancelled events; see
            `projections.kernels.usage.decimals`.
    """

    key: np.ndarray
    count: np.ndarray
    limbs: np.ndarray

    @classmethod
    def of_events(cls, key: np.ndarray, values: pa.Array) -> "Totals":
        """Return a total for each event; a null value counts as 0."""
        return cls.of_words(key, words_of(values))

    @classmethod
    def of_words(cls, key: np.ndarray, words: np.ndarray) -> "Totals":
        """Return a total for each event, given the words of its value."""
        return cls(key=key, count=np.ones(len(key), np.int64), limbs=limbs_of(words))

    @classmethod
    def of_one(cls, key: int, values: pa.Array) -> "Totals":
        """Return the one total of events of one key, none without any."""
        if not len(values):
            return cls.none()
        return cls(
            key=np.array([key], np.uint64),
            count=np.array([len(values)], np.int64),
            limbs=limbs_of(words_of(values)).sum(axis=1, keepdims=True),
        )

    @classmethod
    def of_cancellations(
        cls, key: np.ndarray, values: pa.Array, are_restored: np.ndarray | None = None
    ) -> "Totals":
        """Return for each cancelled event a total that takes it away, or brings it back."""
        count = signs_of(len(key), are_restored)
        return cls(key=key, count=count, limbs=limbs_of(words_of(values)) * count)

    @classmethod
    def none(cls) -> "Totals":
        """Return no totals."""
        nothing = np.zeros(0, np.int64)
        return cls(
            key=nothing.astype(np.uint64),
            count=nothing,
            limbs=np.zeros((2, 0), np.int64),
        )

    @classmethod
    def combine(cls, parts: Sequence["Totals"]) -> "Totals":
        """Return one total for each key, sorted by key."""
        key, order, starts = groups([part.key for part in parts])
        count = np.concatenate([part.count for part in parts])[order]
        limbs = gather_limbs([part.limbs for part in parts])
        if len(starts) == len(key):
            return cls(key=key, count=count, limbs=limbs[:, order])
        summed = np.empty((len(limbs), len(starts)), np.int64)
        for limb, out in zip(limbs, summed, strict=True):
            out[:] = added(limb[order], starts)
        return cls(key=key[starts], count=added(count, starts), limbs=summed)

    def __len__(self) -> int:
        """Return how many totals there are."""
        return len(self.key)

    def between(self, low: int, high: int) -> "Totals":
        """Return the totals with keys in ``[low, high)`` of totals sorted by key."""
        start, end = np.searchsorted(self.key, np.array([low, high], np.uint64))
        return self.pick(slice(start, end))

    def pick(self, at: np.ndarray | slice) -> "Totals":
        """Return totals by index, mask or slice."""
        return Totals(key=self.key[at], count=self.count[at], limbs=self.limbs[:, at])

    def with_key(self, key: np.ndarray) -> "Totals":
        """Return the totals under other keys."""
        return Totals(
            key=key.astype(np.uint64, copy=False), count=self.count, limbs=self.limbs
        )

    def sum_units(self, at: int) -> int:
        """Return the sum of one total, in units of 10**-12."""
        return number_of_limbs(self.limbs[:, at])

    def equals(self, other: "Totals") -> bool:
        """Whether both hold the same totals in the same order."""
        return (
            np.array_equal(self.key, other.key)
            and np.array_equal(self.count, other.count)
            and are_equal_numbers(self.limbs, other.limbs)
        )
