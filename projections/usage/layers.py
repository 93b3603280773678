"""Layers of cells: folds of different times, merged by eights.

A layer has one cell a key, sorted by key, and never changes. New layers gather in the
first level; eight layers of a level are merged into one of the next. So there is a
handful of layers, and a cell moves a handful of times.
"""

from collections.abc import Sequence
from typing import Generic, Protocol, Self, TypeVar

import numpy as np

_LAYERS_IN_A_LEVEL = 8


class Layer(Protocol):
    """What can be merged."""

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Return everything that parts hold."""

    def __len__(self) -> int:
        """Return how much it holds."""


class Cells(Layer, Protocol):
    """Cells that add up: totals or lasts."""

    @property
    def key(self) -> np.ndarray:
        """The keys (uint64)."""

    @property
    def count(self) -> np.ndarray:
        """Events less cancellations (int64)."""

    @classmethod
    def none(cls) -> Self:
        """Return no cells."""

    def between(self, low: int, high: int) -> Self:
        """Return the cells with keys in ``[low, high)``."""

    def pick(self, at: np.ndarray | slice) -> Self:
        """Return cells by index, mask or slice."""

    def with_key(self, key: np.ndarray) -> Self:
        """Return the cells under other keys."""


LayerT = TypeVar("LayerT", bound=Layer)
CellsT = TypeVar("CellsT", bound=Cells)


class Levels(Generic[LayerT]):
    """All layers of one kind."""

    def __init__(self, kind: type[LayerT]) -> None:
        self._kind = kind
        self._levels: list[list[LayerT]] = [[]]

    def add(self, layer: LayerT) -> None:
        """Add a layer."""
        if not len(layer):
            return
        for level in self._levels:
            level.append(layer)
            if len(level) < _LAYERS_IN_A_LEVEL:
                return
            layer = self._kind.combine(level)
            level.clear()
        self._levels.append([layer])

    def layers(self) -> tuple[LayerT, ...]:
        """Return the layers, the oldest first; together they are all there is."""
        return tuple(layer for level in reversed(self._levels) for layer in level)


def cells_between(
    kind: type[CellsT], layers: Sequence[CellsT], low: int, high: int
) -> CellsT:
    """Add up the cells of layers with keys in ``[low, high)``, sorted by key."""
    return cells_together(kind, [layer.between(low, high) for layer in layers])


def cells_together(kind: type[CellsT], parts: Sequence[CellsT]) -> CellsT:
    """Add up parts, each with one cell a key, sorted by key."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return kind.none()
    return parts[0] if len(parts) == 1 else kind.combine(parts)
