"""One segment's file, open: which groups of its rows may hold what, and reading them."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from ledger.errors import LogDamagedError, SegmentDamagedError
from ledger.segments.entry import Segment
from ledger.segments.layout import SEGMENT
from ledger.segments.parts import PartsFile

if TYPE_CHECKING:
    from pyarrow.parquet import RowGroupMetaData

EVENTS = tuple(name for name in SEGMENT.names if not name.endswith("_hash"))
"""What a segment holds of its events, its hashes aside."""

KEYS = ("event_name", "customer", "timestamp")


class SegmentFile:
    """One segment's file, open, with what its footer says of its groups of rows."""

    def __init__(self, parts: PartsFile, segment: Segment) -> None:
        self.lock = threading.Lock()
        self.metadata = parts.metadata
        self._parts = parts
        found = parts.schema
        if [(each.name, each.type) for each in found] != [
            (each.name, each.type) for each in SEGMENT
        ]:
            reason = f"expected the columns {SEGMENT.names}, found {found.names}"
            raise SegmentDamagedError(segment.name, reason)
        rows = self.metadata.num_rows
        if rows != segment.rows:
            reason = f"{segment.rows} rows were sealed, {rows} are stored"
            raise SegmentDamagedError(segment.name, reason)
        self._groups = [self._ends(group) for group in range(self._group_count)]
        sizes = [self._metadata(group).num_rows for group in range(self._group_count)]
        self._starts = np.cumsum([0, *sizes])

    def read(
        self, columns: Sequence[str], groups: Sequence[int] | None = None
    ) -> pa.Table:
        """Read columns of some groups of rows, or of all.

        Raises:
            SegmentDamagedError: they are not what was sealed.
        """
        if groups is None:
            groups = range(self._group_count)
        return self._parts.read(list(groups), columns)

    def groups_that_may_hold(
        self, event_name: str | None, customer: str | None, times: tuple[int, int]
    ) -> list[int]:
        """Find the groups of rows that may hold events of a name, customer and time."""
        start, end = times
        return [
            group
            for group, (names, customers, (earliest, latest)) in enumerate(self._groups)
            if (event_name is None or names[0] <= event_name <= names[1])
            and (customer is None or customers[0] <= customer <= customers[1])
            and earliest < end
            and latest >= start
            and self._may_hold_series(group, event_name, customer)
        ]

    def _may_hold_series(
        self, group: int, event_name: str | None, customer: str | None
    ) -> bool:
        """Look at the neighbours of a group in which one event name follows another.

        Its least and greatest customer are of different names, and say nothing.
        """
        names, _, _ = self._groups[group]
        if names[0] == names[1] or event_name is None or customer is None:
            return True
        if event_name == names[0] and group > 0:
            before, customers, _ = self._groups[group - 1]
            if before == (event_name, event_name) and customer < customers[1]:
                return False
        if event_name == names[1] and group + 1 < len(self._groups):
            after, customers, _ = self._groups[group + 1]
            if after == (event_name, event_name) and customer > customers[0]:
                return False
        return True

    def words_of(self, groups: Sequence[int]) -> tuple[set[str], set[str]]:
        """Find the least and greatest event names of groups, and their customers."""
        ends = [self._groups[group] for group in groups]
        return (
            {name for names, _, _ in ends for name in names},
            {customer for _, customers, _ in ends for customer in customers},
        )

    def at_rows(self, rows: np.ndarray) -> pa.Table:
        """Read the rows with some numbers, in the order given."""
        groups = np.searchsorted(self._starts, rows, side="right") - 1
        wanted = np.unique(groups)
        table = self.read(EVENTS, wanted.tolist())
        sizes = np.diff(self._starts)[wanted]
        shifts = self._starts[wanted] - (np.cumsum(sizes) - sizes)
        return table.take(pa.array(rows - shifts[np.searchsorted(wanted, groups)]))

    def rows_of(self, groups: Sequence[int]) -> np.ndarray:
        """Return the numbers (int64, ascending) of the rows of some groups, in order."""
        starts = self._starts.tolist()
        parts = [np.arange(starts[group], starts[group + 1]) for group in groups]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def groups_of(self, rows: np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Return which groups hold some rows.

        Returns:
            For each group its number, the indexes of its rows in `rows`, and the numbers
            of these rows in the group.
        """
        groups = np.searchsorted(self._starts, rows, side="right") - 1
        found = []
        for group in np.unique(groups).tolist():
            at = np.flatnonzero(groups == group)
            found.append((group, at, rows[at] - int(self._starts[group])))
        return found

    @property
    def _group_count(self) -> int:
        return int(self.metadata.num_row_groups)

    def _metadata(self, group: int) -> "RowGroupMetaData":
        return self.metadata.row_group(group)

    def _ends(
        self, group: int
    ) -> tuple[tuple[str, str], tuple[str, str], tuple[int, int]]:
        """Read least and greatest event name, customer and timestamp of a group."""
        columns = [SEGMENT.names.index(name) for name in KEYS]
        names, customers, times = (
            self._metadata(group).column(column).statistics for column in columns
        )
        return (
            (names.min, names.max),
            (customers.min, customers.max),
            (times.min_raw, times.max_raw),
        )


class RowMap:
    """In which row of a segment each of its positions is."""

    def __init__(self, positions: np.ndarray) -> None:
        self._order = np.argsort(positions, kind="stable").astype(np.uint32)
        self._ascending = positions[self._order]

    def find(self, positions: np.ndarray) -> np.ndarray:
        """Find the rows (int64) of positions, in their order.

        Raises:
            LogDamagedError: a position holds no meter event.
        """
        at = np.searchsorted(self._ascending, positions)
        at[at == len(self._ascending)] = 0
        absent = self._ascending[at] != positions
        if absent.any():
            position = int(positions[absent][0])
            raise LogDamagedError(position, "no meter event is there")
        rows: np.ndarray = self._order[at].astype(np.int64)
        return rows


class SegmentRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a segment in the order of the log: columns (int64) of equal length.

    Attributes:
        positions: ascending.
        rows: the number of each in the segment.
    """

    positions: np.ndarray
    rows: np.ndarray

    def after(self, position: int) -> "SegmentRows":
        """Return those at later positions."""
        start = int(np.searchsorted(self.positions, position, side="right"))
        return SegmentRows(positions=self.positions[start:], rows=self.rows[start:])
