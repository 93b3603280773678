"""Stored cells: totals and lasts in the narrow columns of runs.

Numbers are stored as words of 64 bits, word by word, as few as hold the greatest of the
column; counts have 32 bits, as a run has fewer than 2**31 events.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic

import msgspec
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


class StoredForm(msgspec.Struct, Generic[CellsT], frozen=True, kw_only=True):
    """How cells of one kind are stored.

    Attributes:
        prefix: of the names of a run's columns.
        number: name of the sums or values.
        others: attributes stored as they are (int64).
        words: returns the words of the sums or values.
        cells: returns cells, given their keys, counts, words and others.
    """

    prefix: str
    number: str
    others: tuple[str, ...]
    words: Callable[[CellsT], np.ndarray]
    cells: Callable[..., CellsT]

    def store(self, cells: CellsT) -> "StoredCells[CellsT]":
        """Return cells as they are stored."""
        count = cells.count.astype(np.int32)
        assert (count == cells.count).all(), "a run has fewer than 2**31 events"
        return StoredCells(
            form=self,
            key=cells.key,
            count=count,
            words=self.words(cells),
            others=tuple(getattr(cells, name) for name in self.others),
        )

    def mapped(self, file: MappedRun) -> "StoredCells[CellsT]":
        """View the cells of a run."""
        key, count, number, *others = (
            file.numbers(f"{self.prefix}_{name}")
            for name in ("key", "count", self.number, *self.others)
        )
        words = number.reshape(-1, len(key)) if len(key) else np.zeros((1, 0), np.int64)
        return StoredCells(
            form=self, key=key, count=count, words=words, others=tuple(others)
        )

    def concatenate(
        self, parts: Sequence["StoredCells[CellsT]"]
    ) -> "StoredCells[CellsT]":
        """Return all cells of some parts, in their order."""
        widest = max(len(part.words) for part in parts)
        words = [widened(part.words, widest) for part in parts]
        columns = zip(*(part.others for part in parts), strict=True)
        return StoredCells(
            form=self,
            key=np.concatenate([part.key for part in parts]),
            count=np.concatenate([part.count for part in parts]),
            words=np.concatenate(words, axis=1),
            others=tuple(np.concatenate(column) for column in columns),
        )


class StoredCells(msgspec.Struct, Generic[CellsT], frozen=True, kw_only=True):
    """Cells of one kind, one a key, sorted by key.

    Attributes:
        key: uint64.
        count: int32.
        words: of the sums or values.
        others: int64, in the form's order.
    """

    form: StoredForm[CellsT]
    key: np.ndarray
    count: np.ndarray
    words: np.ndarray
    others: tuple[np.ndarray, ...]

    def columns(self) -> Mapping[str, np.ndarray]:
        """Return the columns of a run, by name."""
        form = self.form
        named = {
            "key": self.key,
            "count": self.count,
            **dict(zip(form.others, self.others, strict=True)),
            form.number: self.words.reshape(-1),
        }
        return {f"{form.prefix}_{name}": column for name, column in named.items()}

    def at(self, rows: slice | np.ndarray) -> "StoredCells[CellsT]":
        """Return the cells in some rows, ascending."""
        return StoredCells(
            form=self.form,
            key=self.key[rows],
            count=self.count[rows],
            words=self.words[:, rows],
            others=tuple(column[rows] for column in self.others),
        )

    def pick(self, rows: slice | np.ndarray, key: np.ndarray) -> CellsT:
        """Return the cells in some rows, under other keys."""
        count = self.count[rows].astype(np.int64)
        others = [column[rows] for column in self.others]
        return self.form.cells(key, count, self.words[:, rows], *others)


def _totals(key: np.ndarray, count: np.ndarray, words: np.ndarray) -> Totals:
    return Totals(key=key, count=count, limbs=limbs_of(words))


def _lasts(
    key: np.ndarray,
    count: np.ndarray,
    words: np.ndarray,
    timestamp: np.ndarray,
    position: np.ndarray,
) -> Lasts:
    return Lasts(
        key=key,
        count=count,
        timestamp=timestamp,
        position=position,
        words=widened(words, 2),
    )


STORED_TOTALS: StoredForm[Totals] = StoredForm(
    prefix="total",
    number="sum",
    others=(),
    words=lambda totals: words_of_limbs(totals.limbs),
    cells=_totals,
)
STORED_LASTS: StoredForm[Lasts] = StoredForm(
    prefix="last",
    number="value",
    others=("timestamp", "position"),
    words=lambda lasts: narrowed(lasts.words),
    cells=_lasts,
)
