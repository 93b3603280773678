"""Events of the tail by series, so that any stretch of time is found without the log.

Rows are sorted by series, timestamp and position. They wait until somebody asks, are
sorted together then, and gather in layers, as cells do. An event takes 40 bytes, and
its payload besides where the meter counts distinct values.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Self, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from ledger.segments.layout import SEGMENT
from ledger.usage.columns import TIMESTAMP, column_of
from projections.usage.layers import Levels

_TIMES_WORTH_COPYING = 2

Positions: TypeAlias = Callable[[], np.ndarray]
"""Returns positions (int64), if they matter."""


class SortedEvents(msgspec.Struct, frozen=True):
    """Events in columns of equal length, sorted by series, timestamp and position.

    Attributes:
        series: uint64, key of the series' hour 0.
        timestamp: int64, microseconds since 1970 UTC.
        position: int64.
        content: a column of usage.
    """

    series: np.ndarray
    timestamp: np.ndarray
    position: np.ndarray
    content: pa.Array

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Return the events of parts that are in the order of the log."""
        series = np.concatenate([part.series for part in parts])
        timestamp = np.concatenate([part.timestamp for part in parts])
        position = np.concatenate([part.position for part in parts])
        # Stable, so that positions stay in order.
        order = np.lexsort((timestamp, series))
        return cls(
            series[order],
            timestamp[order],
            position[order],
            pa.concat_arrays([part.content for part in parts]).take(pa.array(order)),
        )

    def __len__(self) -> int:
        """Return how many events there are."""
        return len(self.series)

    def rows_between(self, series: np.uint64, start: int, end: int) -> slice:
        """Return the rows of a series in ``[start, end)``."""
        first = int(self.series.searchsorted(series))
        after = int(self.series.searchsorted(series, "right"))
        timestamps = self.timestamp[first:after]
        low, high = timestamps.searchsorted((start, end)).tolist()
        return slice(first + low, first + high)


class TailEvents:
    """One column of the events taken in. Thread-safe.

    Args:
        column: its name.
    """

    def __init__(self, column: str) -> None:
        self._schema = pa.schema(
            [SEGMENT.field(name) for name in ("position", "timestamp", column)]
        )
        self._lock = threading.Lock()
        self._layers = Levels(SortedEvents)
        self._waiting: list[tuple[np.ndarray, np.ndarray, Positions, pa.Array]] = []
        self._latest = -1

    def add(
        self,
        series: np.ndarray,
        timestamp: np.ndarray,
        positions: Positions,
        content: pa.Array,
    ) -> None:
        """Add the next events of the log.

        Args:
            series: uint64, see `SortedEvents`.
            timestamp: int64.
            positions: returns their positions (int64).
            content: the column.
        """
        if len(timestamp):
            # Views keep all that they were cut from, such as the body of a request.
            timestamp = timestamp.copy()
            if content.get_total_buffer_size() > _TIMES_WORTH_COPYING * content.nbytes:
                content = content.take(column_of(np.arange(len(content))))
            with self._lock:
                self._waiting.append((series, timestamp, positions, content))
                self._latest = max(self._latest, int(timestamp.max()))

    def are_none_between(self, series: int, start: int, end: int) -> bool:
        """Whether a series has no event in ``[start, end)``."""
        # Most ask about the end of the hour that is not over yet.
        return start > self._latest or not self._found(series, start, end)

    def between(self, series: int, start: int, end: int, up_to: int) -> pa.Table:
        """Return the events of a series in ``[start, end)`` up to a position.

        Returns:
            The columns position, timestamp and the one that is kept, typed as in
            segments; rows in no order.
        """
        parts = [pa.Table.from_batches([], self._schema)]
        for layer, rows in self._found(series, start, end):
            position = layer.position[rows]
            count = len(position)
            events = pa.table(
                [
                    column_of(position),
                    column_of(layer.timestamp[rows]).view(TIMESTAMP),
                    layer.content.slice(rows.start, count),
                ],
                schema=self._schema,
            )
            are_known = position <= up_to
            if not are_known.all():
                events = events.filter(pa.array(are_known))
            parts.append(events)
        return pa.concat_tables(parts)

    def _found(
        self, series: int, start: int, end: int
    ) -> list[tuple[SortedEvents, slice]]:
        key = np.uint64(series)
        found = []
        for layer in self._sorted():
            rows = layer.rows_between(key, start, end)
            if rows.start < rows.stop:
                found.append((layer, rows))
        return found

    def _sorted(self) -> tuple[SortedEvents, ...]:
        with self._lock:
            if self._waiting:
                parts = [
                    SortedEvents(series, timestamp, positions(), content)
                    for series, timestamp, positions, content in self._waiting
                ]
                self._layers.add(SortedEvents.combine(parts))
                self._waiting = []
            return self._layers.layers()
