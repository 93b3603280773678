"""Reading segments: by series, by position, by commit. Nothing in a file is trusted.

`ledger.segments.parts` checks files as they are read.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.errors import (
    SegmentDamagedError,
    SegmentStoreUnavailableError,
)
from ledger.segments.directory import DirectoryStore
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
from ledger.segments.parts import LocalFile, PartsFile, checksums_of, read_metadata
from ledger.segments.store import SegmentStore
from ledger.usage.columns import take_rows, timestamps_of
from ledger.usage.rows import UsageEvents

SERIES = ("position", "timestamp", "value")

_FILES_KEPT_OPEN = 256
_ROW_MAPS_KEPT = 16
_ROWS_FOUND_KEPT = 16
_GROUPS_KEPT = 8
_NameT = TypeVar("_NameT")
_KeptT = TypeVar("_KeptT")
# What reading a file that was changed may raise.
_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError)


_RowsAsked = tuple[str, str | None, str | None, tuple[int, int]]


class SegmentReader:
    """Reads the segments of one store. Thread-safe; can be sent to other processes.

    Args:
        store: where the files are.
    """

    def __init__(self, store: SegmentStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._files: OrderedDict[str, SegmentFile] = OrderedDict()
        self._rows: OrderedDict[str, RowMap] = OrderedDict()
        self._found: OrderedDict[_RowsAsked, SegmentRows] = OrderedDict()
        self._groups: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()

    def __reduce__(self) -> tuple[type["SegmentReader"], tuple[SegmentStore]]:
        """Pickle as the store, which opens itself again."""
        return SegmentReader, (self._store,)

    @property
    def url(self) -> str:
        """Where the files are."""
        return self._store.url

    def content(self, segment: Segment) -> pa.Buffer:
        """Read a whole file as it is stored, unchecked.

        Raises:
            SegmentMissingError: the file is not there.
        """
        with self._store.open(segment.name) as file:
            return file.read_buffer()

    def table(self, segment: Segment, columns: Sequence[str]) -> pa.Table:
        """Read columns of a whole segment, in its own order.

        Raises:
            SegmentMissingError: the file is not there.
            SegmentDamagedError: the file is not what was sealed.
        """
        with self._reading(segment) as file:
            return file.read(columns)

    def is_local(self, segment: Segment) -> bool:
        """Whether the file of a segment is on this machine.

        Raises:
            SegmentMissingError: the file is not there.
        """
        return self._store.path(segment.name) is not None

    def local_file(self, segment: Segment) -> LocalFile | None:
        """Find the file of a segment on this machine; None where it is elsewhere.

        Raises:
            SegmentMissingError: the file is not there.
            SegmentDamagedError: its size or its footer is not what was sealed.
        """
        path = self._store.path(segment.name)
        if path is None:
            return None
        with self._translated(segment), self._source(segment) as source:
            return LocalFile(
                path=path,
                name=segment.name,
                checksums=segment.checksums,
                metadata=read_metadata(source, segment.name, segment.checksums),
            )

    def source(self, segment: Segment) -> pa.NativeFile:
        """Open a segment's file for another reader; all of a local one is checked."""
        source, path = self._source(segment), self._store.path(segment.name)
        if path is not None:
            # Mapped, which needs no copy.
            with self._translated(segment), pa.memory_map(path) as mapped:
                check_content(segment, mapped.read_buffer())
        return source

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
        with self._reading(segment) as file:
            groups = file.groups_that_may_hold(event_name, customer, times)
            if not groups:
                return _no_rows(columns)
            # A word that every row has does not select.
            names, customers = file.words_of(groups)
            event_name = None if names == {event_name} else event_name
            customer = None if customers == {customer} else customer
            keys = [
                "timestamp",
                *(["event_name"] if event_name is not None else []),
                *(["customer"] if customer is not None else []),
            ]
            wanted = list(dict.fromkeys((*columns, *keys)))
            table = file.read(wanted, groups)
        (batch,) = table.unify_dictionaries().combine_chunks().to_batches()
        rows = row_numbers(batch, timestamps_of(batch), event_name, customer, times)
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
            _keep(self._found, wanted, found, _ROWS_FOUND_KEPT)
        return found

    def _find_rows(
        self,
        segment: Segment,
        event_name: str | None,
        customer: str | None,
        times: tuple[int, int],
    ) -> SegmentRows:
        with self._reading(segment) as file:
            groups = file.groups_that_may_hold(event_name, customer, times)
            numbers = file.rows_of(groups)
            table = file.read(("position", *KEYS), groups)
        if not groups:
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
        parts, places = [], []
        with self._reading(segment) as file:
            for group, at, within in file.groups_of(rows):
                kept = segment.name, group
                with self._lock:
                    table = self._groups.get(kept)
                if table is None:
                    table = file.read(EVENTS, [group])
                with self._lock:
                    _keep(self._groups, kept, table, _GROUPS_KEPT)
                parts.append(table.take(pa.array(within)))
                places.append(at)
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
        with self._reading(segment) as file:
            table = file.at_rows(rows)
        recorded_at = table.column("recorded_at").combine_chunks().view(pa.int64())
        return (
            take_rows(usage_batch_of(table), np.arange(len(rows))),
            recorded_at.to_numpy(),
        )

    def boundaries(self, segment: Segment) -> Boundaries:
        """Read where the commits of a segment begin."""
        with self._reading(segment) as file:
            inscription = read_inscription(file.metadata, segment.name)
            if (inscription.after, inscription.up_to) != (segment.after, segment.up_to):
                raise SegmentDamagedError(segment.name, "it holds other positions")
            return read_boundaries(inscription)

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
            _keep(self._rows, segment.name, rows, _ROW_MAPS_KEPT)
        return rows

    @contextmanager
    def _reading(self, segment: Segment) -> Iterator[SegmentFile]:
        with self._translated(segment):
            file = self._open(segment)
            with file.lock:
                yield file

    @contextmanager
    def _translated(self, segment: Segment) -> Iterator[None]:
        try:
            yield
        except _UNREADABLE as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            if self._is_out_of_reach(segment, error):
                raise SegmentStoreUnavailableError(self.url, reason) from error
            raise SegmentDamagedError(segment.name, reason) from error

    def _is_out_of_reach(self, segment: Segment, error: Exception) -> bool:
        """Distinguish a lost connection from a broken file.

        Both are an `OSError` without a number, so the whole file is read once more.
        """
        if isinstance(self._store, DirectoryStore) or not isinstance(error, OSError):
            return False
        try:
            content = self.content(segment)
        except OSError:
            return True
        return hashlib.sha256(content).digest() == segment.sha256

    def _open(self, segment: Segment) -> SegmentFile:
        with self._lock:
            file = self._files.get(segment.name)
        if file is None:
            source = self._source(segment)
            parts = PartsFile(
                source,
                name=segment.name,
                checksums=segment.checksums,
                metadata=read_metadata(source, segment.name, segment.checksums),
                is_local=self._store.path(segment.name) is not None,
            )
            file = SegmentFile(parts, segment)
        with self._lock:
            _keep(self._files, segment.name, file, _FILES_KEPT_OPEN)
        return file

    def _source(self, segment: Segment) -> pa.NativeFile:
        """Open a file, of the size that was sealed."""
        source = self._store.open(segment.name)
        if source.size() != segment.byte_count:
            size = source.size()
            source.close()
            reason = f"{segment.byte_count} bytes were sealed, {size} are stored"
            raise SegmentDamagedError(segment.name, reason)
        return source


def check_content(segment: Segment, content: pa.Buffer) -> None:
    """Check a whole file.

    Raises:
        SegmentDamagedError: it is not what was sealed.
    """
    if checksums_of(content) != segment.checksums:
        raise SegmentDamagedError(segment.name, "what is stored is not what was sealed")


def _keep(
    kept: OrderedDict[_NameT, _KeptT], name: _NameT, value: _KeptT, most: int
) -> None:
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > most:
        kept.popitem(last=False)


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
