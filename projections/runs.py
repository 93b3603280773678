"""Runs of cells: what was folded at different times, merged in levels.

A run is sorted by key, with one cell a key. New runs gather in the first level; as soon
as a level has eight, they are merged into one of the next: however long the log, there
is a handful of runs, and a cell is moved a handful of times.
"""

from collections.abc import Sequence
from typing import Generic, Protocol, Self, TypeVar

_RUNS_IN_A_LEVEL = 8


class Cells(Protocol):
    """Cells that add up: totals or lasts."""

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add up cells of equal keys, sorted by key."""

    @classmethod
    def none(cls) -> Self:
        """Make no cells at all."""

    def __len__(self) -> int:
        """Count the cells."""

    def between(self, low: int, high: int) -> Self:
        """Pick the cells with keys in ``[low, high)``."""


CellsT = TypeVar("CellsT", bound=Cells)


class Runs(Generic[CellsT]):
    """All cells of one kind."""

    def __init__(self, kind: type[CellsT]) -> None:
        self._kind = kind
        self._levels: list[list[CellsT]] = [[]]

    def add(self, cells: CellsT) -> None:
        """Add cells, sorted or not."""
        run = self._kind.combine([cells])
        for level in self._levels:
            level.append(run)
            if len(level) < _RUNS_IN_A_LEVEL:
                return
            run = self._kind.combine(level)
            level.clear()
        self._levels.append([run])

    def between(self, low: int, high: int) -> CellsT:
        """Add up the cells with keys in ``[low, high)``, sorted by key."""
        parts = [part for run in self._runs() if len(part := run.between(low, high))]
        return self._kind.combine(parts) if parts else self._kind.none()

    def all(self) -> CellsT:
        """Add up all cells, sorted by key."""
        runs = self._runs()
        return self._kind.combine(runs) if runs else self._kind.none()

    def _runs(self) -> list[CellsT]:
        return [run for level in reversed(self._levels) for run in level]
