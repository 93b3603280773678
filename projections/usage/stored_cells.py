"""Stored cells: totals and lasts in the narrow columns of runs.

Numbers are stored as words of 64 bits, word by word, as few as hold the greatest of the
column; counts have 32 bits, as a run has fewer than 2**31 events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from ledger.runs.files import MappedRun
from projections.kernels.usage.decimals import (
    limbs_of,
    narrowed,
    widened,
    words_of_limbs,
)
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.totals import Totals
from projections.usage.layers import CellsT


class StoredCells(Protocol[CellsT]):
    """Cells of one kind, one a key, sorted by key."""

    @classmethod
    def of(cls, cells: CellsT) -> Self:
        """Store cells."""

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return all cells of some parts, in their order."""

    def columns(self) -> Mapping[str, np.ndarray]:
        """Return the columns of a run, by name."""

    def pick(self, rows: slice | np.ndarray, key: np.ndarray) -> CellsT:
        """Return the cells in some rows, under other keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTotals:
    """Totals.

    Attributes:
        key: uint64.
        count: int32.
        words: int64, words of the sums by numbers, the lowest word first.
    """

    key: np.ndarray
    count: np.ndarray
    words: np.ndarray

    @classmethod
    def of(cls, cells: Totals) -> "StoredTotals":
        """Store totals."""
        return cls(
            key=cells.key,
            count=_as_int32(cells.count),
            words=words_of_limbs(cells.limbs),
        )

    @classmethod
    def mapped(cls, file: MappedRun) -> "StoredTotals":
        """View the totals of a run."""
        key = file.numbers("total_key")
        return cls(
            key=key,
            count=file.numbers("total_count"),
            words=_by_words(file.numbers("total_sum"), len(key)),
        )

    @classmethod
    def concatenate(cls, parts: Sequence["StoredTotals"]) -> "StoredTotals":
        """Return all totals of some parts, in their order."""
        return cls(
            key=np.concatenate([part.key for part in parts]),
            count=np.concatenate([part.count for part in parts]),
            words=_gathered([part.words for part in parts]),
        )

    def columns(self) -> Mapping[str, np.ndarray]:
        """Return the columns of a run, by name."""
        return {
            "total_key": self.key,
            "total_count": self.count,
            "total_sum": self.words.reshape(-1),
        }

    def pick(self, rows: slice | np.ndarray, key: np.ndarray) -> Totals:
        """Return the totals in some rows, under other keys."""
        return Totals(
            key=key,
            count=self.count[rows].astype(np.int64),
            limbs=limbs_of(self.words[:, rows]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLasts:
    """Lasts.

    Attributes:
        key: uint64.
        count: int32.
        timestamp: int64.
        position: int64.
        words: int64, words of the values by numbers, the lowest word first.
    """

    key: np.ndarray
    count: np.ndarray
    timestamp: np.ndarray
    position: np.ndarray
    words: np.ndarray

    @classmethod
    def of(cls, cells: Lasts) -> "StoredLasts":
        """Store lasts."""
        return cls(
            key=cells.key,
            count=_as_int32(cells.count),
            timestamp=cells.timestamp,
            position=cells.position,
            words=narrowed(cells.words),
        )

    @classmethod
    def mapped(cls, file: MappedRun) -> "StoredLasts":
        """View the lasts of a run."""
        key = file.numbers("last_key")
        return cls(
            key=key,
            count=file.numbers("last_count"),
            timestamp=file.numbers("last_timestamp"),
            position=file.numbers("last_position"),
            words=_by_words(file.numbers("last_value"), len(key)),
        )

    @classmethod
    def concatenate(cls, parts: Sequence["StoredLasts"]) -> "StoredLasts":
        """Return all lasts of some parts, in their order."""
        return cls(
            key=np.concatenate([part.key for part in parts]),
            count=np.concatenate([part.count for part in parts]),
            timestamp=np.concatenate([part.timestamp for part in parts]),
            position=np.concatenate([part.position for part in parts]),
            words=_gathered([part.words for part in parts]),
        )

    def columns(self) -> Mapping[str, np.ndarray]:
        """Return the columns of a run, by name."""
        return {
            "last_key": self.key,
            "last_count": self.count,
            "last_timestamp": self.timestamp,
            "last_position": self.position,
            "last_value": self.words.reshape(-1),
        }

    def pick(self, rows: slice | np.ndarray, key: np.ndarray) -> Lasts:
        """Return the lasts in some rows, under other keys."""
        return Lasts(
            key=key,
            count=self.count[rows].astype(np.int64),
            timestamp=self.timestamp[rows],
            position=self.position[rows],
            words=widened(self.words[:, rows], 2),
        )


def _as_int32(counts: np.ndarray) -> np.ndarray:
    narrow = counts.astype(np.int32)
    assert (narrow == counts).all(), "a run has fewer than 2**31 events"
    return narrow


def _by_words(numbers: np.ndarray, count: int) -> np.ndarray:
    return numbers.reshape(-1, count) if count else np.zeros((1, 0), np.int64)


def _gathered(parts: Sequence[np.ndarray]) -> np.ndarray:
    widest = max(len(part) for part in parts)
    return np.concatenate([widened(part, widest) for part in parts], axis=1)
