"""Pieces: batches of any size, cut and put together so that each takes bounded memory.

How rows are cut decides nothing about them: a row keeps the number that it has in its
source, and has the same outcome in any piece. A row that is too large is in none.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from metering.errors import SourceTooLargeError
from metering.usage.ingest.bounds.limits import (
    BYTES_PER_PIECE,
    ROW_BYTES_MAX,
    ROWS_PER_PIECE,
)
from metering.usage.ingest.bounds.row_sizes import row_sizes


class NumberedBatch(NamedTuple):
    """Some rows of a source.

    Attributes:
        rows: one batch.
        numbers: of each row in the source (int64, ascending).
        malformed: number and fault of rows that are not in the batch.
    """

    rows: pa.RecordBatch
    numbers: np.ndarray
    malformed: list[tuple[int, str]]


def pieces_of(
    name: object,
    schema: pa.Schema,
    batches: Iterable[NumberedBatch],
    unpacked_max: int | None = None,
) -> Iterator[NumberedBatch]:
    """Cut batches into pieces of so many rows, or fewer where these are large.

    Args:
        name: what the source is called where it is too large.
        schema: what the columns become, where they are encoded by dictionaries.
        batches: with these columns, in the order of their rows.
        unpacked_max: how many bytes all rows may take together; None is any number.

    Raises:
        SourceTooLargeError: they take more.
    """
    held = _RowsInWait(schema)
    unpacked = 0
    for batch, numbers, malformed in batches:
        if malformed:
            yield NumberedBatch(batch[:0], numbers[:0], malformed)
        for start in range(0, batch.num_rows, ROWS_PER_PIECE):
            part = slice(start, start + ROWS_PER_PIECE)
            rows, at, sizes, too_large = _without_large(batch[part], numbers[part])
            if too_large:
                yield NumberedBatch(rows[:0], at[:0], too_large)
            unpacked += int(sizes.sum())
            if unpacked_max is not None and unpacked > unpacked_max:
                raise SourceTooLargeError(
                    name,
                    f"more than {unpacked_max} bytes, the strings of each row in full",
                    unpacked_max,
                    "send it in several bodies",
                )
            yield from held.fill(rows, at, sizes)
    yield from held.flush()


def in_pieces(objects: Iterable[object]) -> Iterator[list[object]]:
    """Cut objects into pieces of so many."""
    iterator = iter(objects)
    while piece := list(islice(iterator, ROWS_PER_PIECE)):
        yield piece


class _RowsInWait:
    """Rows that wait for others to make a piece."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._parts: list[pa.RecordBatch] = []
        self._numbers: list[np.ndarray] = []
        self._rows = self._bytes = 0

    def fill(
        self, rows: pa.RecordBatch, numbers: np.ndarray, sizes: np.ndarray
    ) -> Iterator[NumberedBatch]:
        """Add rows of some sizes, and return the pieces that are full."""
        ends, start = np.cumsum(sizes), 0
        while start < rows.num_rows:
            begin = int(ends[start - 1]) if start else 0
            room = begin + BYTES_PER_PIECE - self._bytes
            end = min(
                int(np.searchsorted(ends, room, side="right")),
                start + ROWS_PER_PIECE - self._rows,
                rows.num_rows,
            )
            if end > start:
                self._parts.append(rows[start:end])
                self._numbers.append(numbers[start:end])
                self._rows += end - start
                self._bytes += int(ends[end - 1]) - begin
            if end < rows.num_rows or self._rows == ROWS_PER_PIECE:
                yield from self.flush()
            start = end

    def flush(self) -> Iterator[NumberedBatch]:
        """Return what waits as a piece."""
        if self._rows:
            yield NumberedBatch(
                _together(self._parts, self._schema), np.concatenate(self._numbers), []
            )
        self._parts, self._numbers = [], []
        self._rows = self._bytes = 0


def _without_large(
    rows: pa.RecordBatch, numbers: np.ndarray
) -> tuple[pa.RecordBatch, np.ndarray, np.ndarray, list[tuple[int, str]]]:
    """Set aside rows that are too large, and return the others with their sizes."""
    sizes = row_sizes(rows)
    if not len(sizes) or sizes.max() <= ROW_BYTES_MAX:
        return rows, numbers, sizes, []
    fits = sizes <= ROW_BYTES_MAX
    faults = [
        (number, f"the row has {size} bytes; must be at most {ROW_BYTES_MAX}")
        for number, size in zip(
            numbers[~fits].tolist(), sizes[~fits].tolist(), strict=True
        )
    ]
    return rows.filter(pa.array(fits)), numbers[fits], sizes[fits], faults


def _together(parts: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    if len(parts) > 1:
        table = pa.Table.from_batches(parts).unify_dictionaries()
        [rows] = table.combine_chunks().to_batches()
    else:
        [rows] = parts
    columns = [
        _decoded(column, kind)
        for column, kind in zip(rows.columns, schema.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=rows.schema.names)


def _decoded(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column with no more words of a dictionary than it needs."""
    if pa.types.is_dictionary(column.type):
        is_wanted = pa.types.is_dictionary(kind)
        # Of far more words than rows, each step would go through all of them.
        if not is_wanted or len(column.dictionary) > len(column):
            return column.dictionary_decode()
        return column
    # Only within others are words left.
    return column if column.type.equals(kind) else column.cast(kind)
