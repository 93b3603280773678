"""Gathering: cells of one measure that come bit by bit, in memory of their final size."""

import pyarrow as pa

from projections.scans.reaggregation.cells import CellSchema, reduce

_ROWS_WORTH_REDUCING = 1 << 18


class Gathering:
    """The cells gathered so far, reduced whenever as many have come again.

    Args:
        shape: theirs.
    """

    def __init__(self, shape: CellSchema) -> None:
        self._shape = shape
        self._parts: list[pa.Table] = []
        self._waiting_rows = 0
        self._reduced_rows = 0

    def add(self, cells: pa.Table) -> None:
        """Add cells."""
        self._parts.append(cells)
        self._waiting_rows += cells.num_rows
        if self._waiting_rows >= max(_ROWS_WORTH_REDUCING, self._reduced_rows):
            self._reduce()

    def add_reduced(self, cells: pa.Table) -> None:
        """Add cells that are one for each key, sorted by key."""
        if self._parts:
            self.add(cells)
        else:
            self._parts, self._reduced_rows = [cells], cells.num_rows

    def all(self) -> pa.Table | None:
        """Get all cells, one for each key, sorted by key; None where none was added."""
        if self._waiting_rows:
            self._reduce()
        return self._parts[0] if self._reduced_rows else None

    def _reduce(self) -> None:
        self._parts = [reduce(self._take_all(), self._shape)]
        self._waiting_rows, self._reduced_rows = 0, self._parts[0].num_rows

    def _take_all(self) -> pa.Table:
        """Let go of all cells, so that they are in memory no longer than needed."""
        parts, self._parts = self._parts, []
        # Limbs that only some parts have are null in the others.
        return pa.concat_tables(parts, promote_options="default")
