"""Reading segments: by series, by position, by commit. Nothing in a file is trusted.

`ledger.segments.parts` checks files as they are read, and `ledger.segments.open_files`
judges what cannot be read.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ledger.errors import SegmentDamagedError
from ledger.segments.entry import Segment, overlapping
from ledger.segments.files import EVENTS, KEYS, RowMap, SegmentFile, SegmentRows
from ledger.segments.layout import (
    SEGMENT,
    Boundaries,
    read_boundaries,
    read_inscription,
    usage_batch_of,
    usage_of_commits,
)
from ledger.segments.open_files import OpenFiles, keep
from ledger.segments.parts import LocalFile, checksums_of, read_metadata
from ledger.segments.store import SegmentStore
from ledger.usage.arrow import compute as pc
from ledger.usage.columns import take_rows, timestamps_of
from ledger.usage.rows import UsageEvents

SERIES = ("position", "timestamp", "value")

_NOT_SEALED = "what is stored is not what was sealed"
_ROW_MAPS_KEPT = 16
_ROWS_FOUND_KEPT = 16
_GROUPS_KEPT = 8

_RowsAsked = tuple[str, str | None, str | None, tuple[int, int]]


class SegmentReader:
    """Reads the segments of one store. Thread-safe; can be sent to other processes.

    Args:
        store: where the files are.
    """

    def __init__(self, store: SegmentStore) -> None:
        self._store = store
        self._files = OpenFiles(store)
        self._lock = threading.Lock()
        self._rows: OrderedDict[str, RowMap] = OrderedDict()
        self._found: OrderedDict[_RowsAsked, SegmentRows] = OrderedDict()
        self._groups: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()

    def __reduce__(self) -> tuple[type["SegmentReader"], tuple[SegmentStore]]:
        """Pickle as the store, which opens itself again."""
        return SegmentReader, (self._store,)

    @property
    def store(self) -> SegmentStore:
        """What holds the files, and may hold others beside them."""
        return self._store

    @property
    def url(self) -> str:
        """Where the files are."""
        return self._store.url

    def content(self, segment: Segment) -> pa.Buffer:
        """Read a whole file as it is stored, unchecked.

        Raises:
            SegmentMissingError: the file is not there.
            SegmentStoreUnavailableError: it cannot be read now.
        """
        return self._files.judged(segment, lambda: self._files.content(segment))

    def table(self, segment: Segment, columns: Sequence[str]) -> pa.Table:
        """Read columns of a whole segment, in its own order.

        Raises:
            SegmentMissingError: the file is not there.
            SegmentDamagedError: the file is not what was sealed.
            SegmentStoreUnavailableError: it cannot be read now.
        """
        return self._files.read(segment, lambda file: file.read(columns))

    def is_local(self, segment: Segment) -> bool:
        """Whether the file of a segment is on this machine.

        Raises:
            SegmentMissingError: the file is not there.
        """
        return self._store.path(segment.name) is not None

    def address(self, segment: Segment) -> str | None:
        """Return the path or URL by which other programs read a segment's file.

        None where it lies in the database, which they cannot read.

        Raises:
            SegmentMissingError: the file is not there.
        """
        return self._store.address(segment.name)

    def local_file(self, segment: Segment) -> LocalFile | None:
        """Find the file of a segment on this machine; None where it is elsewhere.

        Raises:
            SegmentMissingError: the file is not there.
            SegmentDamagedError: its size or its footer is not what was sealed.
        """
        path = self._store.path(segment.name)
        if path is None:
            return None

        def found() -> LocalFile:
            with self._files.source(segment) as source:
                return LocalFile(
                    path=path,
                    name=segment.name,
                    checksums=segment.checksums,
                    metadata=read_metadata(source, segment.name, segment.checksums),
                )

        return self._files.judged(segment, found)

    def source(self, segment: Segment) -> pa.NativeFile:
        """Open a segment's file for another reader; all of a local one is checked."""
        path = self._store.path(segment.name)

        def opened() -> pa.NativeFile:
            source = self._files.source(segment)
            if path is not None:
                # Mapped, which needs no copy.
                with pa.memory_map(path) as mapped:
                    _check_parts(segment, mapped.read_buffer())
            return source

        return self._files.judged(segment, opened)

    def of_series(
        self,
        segments: Sequence[Segment],
        event_name: str,
        customer: str,
        start: int,
        end: int,
        columns: Sequence[str] = SERIES,
    ) -> pa.Table:
        """Read the events of a series in ``[start, end)``, microseconds since 1970 UTC.

        Returns:
            The columns asked for; rows segment by segment, in each by timestamp and
            position.
        """
        parts = [
            self.where(segment, event_name, customer, (start, end), columns)
            for segment in overlapping(segments, start, end)
        ]
        return pa.concat_tables(parts) if parts else _no_rows(columns)

    def where(
        self,
        segment: Segment,
        event_name: str | None,
        customer: str | None,
        times: tuple[int, int],
        columns: Sequence[str],
    ) -> pa.Table:
        """Read the events of a segment in ``[start, end)``, of a name, of a customer.

        Groups of rows that cannot hold any are not read.
        """

        def read(file: SegmentFile) -> tuple[pa.Table, str | None, str | None] | None:
            groups = file.groups_that_may_hold(event_name, customer, times)
            if not groups:
                return None
            # A word that every row has does not select.
            names, customers = file.words_of(groups)
            name = None if names == {event_name} else event_name
            whose = None if customers == {customer} else customer
            keys = [
                "timestamp",
                *(["event_name"] if name is not None else []),
                *(["customer"] if whose is not None else []),
            ]
            wanted = list(dict.fromkeys((*columns, *keys)))
            return file.read(wanted, groups), name, whose

        found = self._files.read(segment, read)
        if found is None:
            return _no_rows(columns)
        table, name, whose = found
        (batch,) = table.unify_dictionaries().combine_chunks().to_batches()
        rows = row_numbers(batch, timestamps_of(batch), name, whose, times)
        return pa.Table.from_batches([batch.take(pa.array(rows))]).select(list(columns))

    def rows_where(
        self,
        segment: Segment,
        event_name: str | None,
        customer: str | None,
        times: tuple[int, int],
    ) -> SegmentRows:
        """Find which rows `where` reads; those found last are kept for the next page."""
        wanted = segment.name, event_name, customer, times
        with self._lock:
            found = self._found.get(wanted)
        if found is None:
            found = self._find_rows(segment, event_name, customer, times)
        with self._lock:
            keep(self._found, wanted, found, _ROWS_FOUND_KEPT)
        return found

    def _find_rows(
        self,
        segment: Segment,
        event_name: str | None,
        customer: str | None,
        times: tuple[int, int],
    ) -> SegmentRows:

        def read(file: SegmentFile) -> tuple[pa.Table, np.ndarray]:
            groups = file.groups_that_may_hold(event_name, customer, times)
            return file.read(("position", *KEYS), groups), file.rows_of(groups)

        table, numbers = self._files.read(segment, read)
        if not len(numbers):
            return SegmentRows(positions=numbers, rows=numbers)
        (batch,) = table.unify_dictionaries().combine_chunks().to_batches()
        rows = row_numbers(batch, timestamps_of(batch), event_name, customer, times)
        positions = batch.column("position").to_numpy()[rows]
        order = np.argsort(positions, kind="stable")
        return SegmentRows(positions=positions[order], rows=numbers[rows[order]])

    def at_rows(
        self, segment: Segment, rows: np.ndarray
    ) -> tuple[pa.RecordBatch, np.ndarray]:
        """Read few rows of a segment, in the order given, and when each was recorded.

        The groups of rows that were read last are kept: the next page is likely there.
        """

        def read(file: SegmentFile) -> tuple[list[pa.Table], list[np.ndarray]]:
            parts, places = [], []
            for group, at, within in file.groups_of(rows):
                kept = segment.name, group
                with self._lock:
                    table = self._groups.get(kept)
                if table is None:
                    table = file.read(EVENTS, [group])
                with self._lock:
                    keep(self._groups, kept, table, _GROUPS_KEPT)
                parts.append(table.take(pa.array(within)))
                places.append(at)
            return parts, places

        parts, places = self._files.read(segment, read)
        order = np.argsort(np.concatenate(places), kind="stable")
        found = pa.concat_tables(parts).unify_dictionaries().take(pa.array(order))
        recorded_at = found.column("recorded_at").cast(pa.int64()).to_numpy()
        return usage_batch_of(found), recorded_at

    def at_positions(
        self, segment: Segment, positions: np.ndarray
    ) -> tuple[pa.RecordBatch, np.ndarray]:
        """Read the events at some positions (int64, ascending) of a segment.

        Returns:
            The events, canonical, in order; and when each was recorded.

        Raises:
            LogDamagedError: a position holds no meter event.
        """
        rows = self._rows_of(segment).find(positions)
        table = self._files.read(segment, lambda file: file.at_rows(rows))
        recorded_at = table.column("recorded_at").combine_chunks().view(pa.int64())
        return (
            take_rows(usage_batch_of(table), np.arange(len(rows))),
            recorded_at.to_numpy(),
        )

    def boundaries(self, segment: Segment) -> Boundaries:
        """Read where the commits of a segment begin."""

        def read(file: SegmentFile) -> Boundaries:
            inscription = read_inscription(file.metadata, segment.name)
            if (inscription.after, inscription.up_to) != (segment.after, segment.up_to):
                raise SegmentDamagedError(segment.name, "it holds other positions")
            return read_boundaries(inscription)

        return self._files.read(segment, read)

    def commits(self, segment: Segment) -> Iterator[tuple[int, int, UsageEvents]]:
        """Read the commits of a segment in the log's order.

        Returns:
            For each its first position, when it was recorded, and its events.
        """
        boundaries = self.boundaries(segment)
        table = self.table(segment, EVENTS)
        yield from zip(
            boundaries.first_positions.tolist(),
            boundaries.recorded_at.tolist(),
            usage_of_commits(table, boundaries, segment.name),
            strict=True,
        )

    def _rows_of(self, segment: Segment) -> RowMap:
        with self._lock:
            rows = self._rows.get(segment.name)
        if rows is None:
            rows = RowMap(self.table(segment, ["position"]).column(0).to_numpy())
        with self._lock:
            keep(self._rows, segment.name, rows, _ROW_MAPS_KEPT)
        return rows


def check_content(segment: Segment, content: pa.Buffer) -> None:
    """Check a whole file, to the last byte.

    Raises:
        SegmentDamagedError: it is not what was sealed.
    """
    if hashlib.sha256(content).digest() != segment.sha256:
        raise SegmentDamagedError(segment.name, _NOT_SEALED)


def _check_parts(segment: Segment, content: pa.Buffer) -> None:
    """Check a whole file five times as fast, but for what `parts` says."""
    if checksums_of(content) != segment.checksums:
        raise SegmentDamagedError(segment.name, _NOT_SEALED)


def _no_rows(columns: Sequence[str]) -> pa.Table:
    return pa.Table.from_batches([], schema=SEGMENT).select(list(columns))


def row_numbers(
    batch: pa.RecordBatch,
    timestamps: np.ndarray,
    event_name: str | None,
    customer: str | None,
    times: tuple[int, int],
) -> np.ndarray:
    """Find the rows of a name, of a customer, in ``[start, end)`` (int64, ascending)."""
    matches = (timestamps >= times[0]) & (timestamps < times[1])
    for column, word in (("event_name", event_name), ("customer", customer)):
        if word is not None:
            encoded = batch.column(column)
            code = pc.index(encoded.dictionary, word).as_py()
            if code < 0:
                return np.zeros(0, np.int64)
            matches &= encoded.indices.to_numpy() == code
    return np.flatnonzero(matches)
