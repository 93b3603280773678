"""Spools: the parts of a correction in files of their own, until they are recorded.

A correction may change any number of events. What it comes to is found out before the
log's lock is taken, and held on disk, so that it takes little memory however long it is.
"""

import tempfile
from collections.abc import Iterator
from typing import IO, Self

import numpy as np
import pyarrow as pa

from ledger.usage.columns import column_of, concatenate


class SpooledEvents:
    """Batches of one schema, written first and read afterwards. Used as a context."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed below
        self._writer: pa.RecordBatchStreamWriter | None = None
        self.rows = 0

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the file."""
        self._file.close()

    def add(self, batch: pa.RecordBatch) -> None:
        """Write the next batch."""
        if self._writer is None:
            self._writer = pa.ipc.new_stream(self._file, batch.schema)
        self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read all batches, from the first one on."""
        if self._writer is None:
            return
        self._writer.close()
        self._file.seek(0)
        yield from pa.ipc.open_stream(self._file)


def with_positions(positions: np.ndarray, events: pa.RecordBatch) -> pa.RecordBatch:
    """Return events with their positions in a column more."""
    return events.append_column("position", column_of(positions))


def without_positions(placed: pa.RecordBatch) -> tuple[np.ndarray, pa.RecordBatch]:
    """Return what was given to `with_positions`."""
    names = placed.schema.names[:-1]
    return placed.column("position").to_numpy(), placed.select(names)


def in_commits(
    batches: Iterator[pa.RecordBatch], rows: int
) -> Iterator[pa.RecordBatch]:
    """Put small batches of events together, of so many rows or somewhat more."""
    gathered: list[pa.RecordBatch] = []
    for batch in batches:
        gathered.append(batch)
        if sum(each.num_rows for each in gathered) >= rows:
            yield concatenate(gathered)
            gathered = []
    if gathered:
        yield concatenate(gathered)
