"""Sources: where the events of a question are, and how a query reads them.

Files that can hold no event that counts are left out. Of one that can hold few, their
groups of rows are read here; all other files are read by DuckDB, once all is checked
that it may read of them: what it leaves out by statistics of its own is its own matter.
Positions are read where an event can be cancelled or too late, or a measure needs them.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial as bound
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ledger.segments.layout import SEGMENT
from ledger.segments.open_files import keep
from ledger.segments.parts import LocalFile
from ledger.usage.columns import column_of
from projections.scans.reaggregation.expressions import (
    files_read,
    is_storable,
    select,
    where,
)
from projections.scans.reaggregation.question import Question, bounds_of, columns_for
from projections.scans.reaggregation.spans import Spans
from projections.scans.reaggregation.threads import in_threads
from projections.scans.recorded import ends_of
from projections.windows import HOUR

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData

_CANCELLED, _CUSTOMER, _SPAN = "cancellation", "wanted_customer", "span"
_KNOWN = ("event_name", "customer", "timestamp", "position", "value")
# What is read here of all files together is in memory at once.
_FEW_ROWS = 1 << 20
# Reading some groups here is faster than checking all where there are so many fewer.
_FEWER = 8
_FILES_KNOWN = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """Events, as a query reads them.

    Attributes:
        query: selects those of the customers, up to the position and in the spans that
            are asked for, with the columns that `columns_for` names; empty where there
            can be none.
        tables: that the query reads, by name.
        files: that it reads.
        rows: how many events there are.
        earliest: none is before; microseconds since 1970 UTC.
        latest: none is after.
        has_nulls: whether a value may be null.
        has_other_names: whether an event may be of no measure.
    """

    query: str
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    files: Sequence[LocalFile] = ()
    rows: int = 0
    earliest: int
    latest: int
    has_nulls: bool = True
    has_other_names: bool = True

    def check(self, question: Question, threads: int) -> None:
        """Check what is read of the files.

        Raises:
            SegmentDamagedError: it is not what was sealed.
            SegmentStoreUnavailableError: it cannot be read now.
        """
        columns = columns_for(question)
        for _ in in_threads(lambda file: file.check(columns), self.files, threads):
            pass


def source_of(
    question: Question,
    events: Iterable[LocalFile | pa.Table],
    cancelled: np.ndarray,
    threads: int,
) -> EventSource:
    """Find where the events of a question are. What DuckDB will read is not checked yet.

    Args:
        question: what is asked.
        events: local segments, and tables with the columns of a segment.
        cancelled: positions (int64) of events that do not count.
        threads: how many to use.

    Raises:
        SegmentDamagedError: what is read here is not what was sealed.
        SegmentStoreUnavailableError: it cannot be read now.
    """
    columns = list(dict.fromkeys([*columns_for(question), "position"]))
    known, given = [], []
    for each in events:
        if isinstance(each, LocalFile):
            known.append(_Scanned(each, question))
        elif each.num_rows:
            given.append(each.select(columns))
    few, many = _few_and_many(known)
    read = list(in_threads(lambda each: each.read(columns), few, threads))
    registered = _limits(question, cancelled)
    part = bound(_part, question, has_cancelled=len(cancelled) > 0)
    parts = []
    for is_limited in (False, True):
        paths = [
            each.file.path
            for each in many
            if each.is_limited(question, cancelled) is is_limited
        ]
        if paths:
            parts.append(part(files_read(paths), is_limited=is_limited))
    for at, table in enumerate([*given, *([pa.concat_tables(read)] if read else [])]):
        registered[f"events_{at}"] = table
        parts.append(part(f"events_{at}", is_limited=True))
    times = [each.times() for each in (*few, *many)] + [ends_of(each) for each in given]
    return EventSource(
        query="\nUNION ALL\n".join(parts),
        tables=registered,
        files=[each.file for each in many],
        rows=sum(each.rows for each in known) + sum(each.num_rows for each in given),
        earliest=min((earliest for earliest, _ in times), default=0),
        latest=max((latest for _, latest in times), default=0),
        has_nulls=any(each.has_nulls() for each in (*few, *many))
        or any("value" in columns and each["value"].null_count for each in given),
        has_other_names=not question.has_every_name,
    )


def _part(
    question: Question, place: str, *, is_limited: bool, has_cancelled: bool
) -> str:
    """Return the query that reads one place.

    Args:
        question: what is asked.
        place: what it reads.
        is_limited: whether an event there can be cancelled or too late.
        has_cancelled: whether any event is cancelled.
    """
    parts = [select(columns_for(question)), f"FROM {place}"]
    if is_limited and has_cancelled:
        parts.append(f"ANTI JOIN {_CANCELLED} USING (position)")
    if question.customers is not None:
        parts.append(f"SEMI JOIN {_CUSTOMER} USING (customer)")
    if question.spans is not None:
        instant = "epoch_us(timestamp)"
        parts.append(
            f"SEMI JOIN {_SPAN} ON {instant} // {HOUR} = hour"
            f" AND {instant} >= begins AND {instant} < ends"
        )
    conditions = [f"position <= {question.up_to}"] if is_limited else []
    return "\n".join(parts) + where(conditions)


def _limits(question: Question, cancelled: np.ndarray) -> dict[str, pa.Table]:
    """Return the tables of what limits which events count."""
    tables = {}
    if len(cancelled):
        tables[_CANCELLED] = pa.table({"position": column_of(cancelled)})
    if question.customers is not None:
        words = sorted(filter(is_storable, question.customers))
        tables[_CUSTOMER] = pa.table({"customer": pa.array(words, pa.string())})
    if question.spans is not None:
        tables[_SPAN] = pa.table(dict(zip(*_hours_of(question.spans), strict=True)))
    return tables


def _hours_of(spans: Spans) -> tuple[Sequence[str], Sequence[pa.Array]]:
    """Return spans cut by the hour, so that events are looked up by theirs."""
    first = spans.starts // HOUR
    counts = (spans.ends - 1) // HOUR - first + 1
    hours = np.repeat(first - (np.cumsum(counts) - counts), counts)
    hours += np.arange(len(hours))
    begins = np.maximum(hours * HOUR, np.repeat(spans.starts, counts))
    ends = np.minimum((hours + 1) * HOUR, np.repeat(spans.ends, counts))
    return ("hour", "begins", "ends"), [
        column_of(each) for each in (hours, begins, ends)
    ]


def _few_and_many(
    files: Iterable["_Scanned"],
) -> tuple[list["_Scanned"], list["_Scanned"]]:
    """Return files of which few rows may count, and the other ones that have any."""
    few, many, rows = [], [], 0
    for each in files:
        is_few = len(each.groups) * _FEWER <= each.file.metadata.num_row_groups
        if is_few and rows + each.rows_that_may_count <= _FEW_ROWS:
            few.append(each)
            rows += each.rows_that_may_count
        else:
            many.append(each)
    return [each for each in few if each.groups], many


class _Scanned:
    """A file, and which groups of its rows may hold an event that counts."""

    def __init__(self, file: LocalFile, question: Question) -> None:
        self.file = file
        self.rows: int = file.metadata.num_rows
        self.groups = [each for each in _GROUPS.of(file) if each.may_count(question)]

    @property
    def rows_that_may_count(self) -> int:
        """How many rows the groups have."""
        return sum(each.rows for each in self.groups)

    def times(self) -> tuple[int, int]:
        """Return the least and the greatest timestamp of the groups."""
        times = [each.times for each in self.groups]
        return min(low for low, _ in times), max(high for _, high in times)

    def has_nulls(self) -> bool:
        """Whether the groups may have a value that is null."""
        return any(each.has_nulls for each in self.groups)

    def is_limited(self, question: Question, cancelled: np.ndarray) -> bool:
        """Whether an event in the groups may be cancelled or too late."""
        positions = [each.positions for each in self.groups]
        first, last = (
            min(low for low, _ in positions),
            max(high for _, high in positions),
        )
        is_cancelled = (cancelled >= first) & (cancelled <= last)
        return last > question.up_to or bool(is_cancelled.any())

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read the groups."""
        with self.file.opened() as parts:
            return parts.read([each.index for each in self.groups], columns)


class _Group:
    """A group of rows, and its statistics in the file."""

    def __init__(self, metadata: "FileMetaData", index: int) -> None:
        group = metadata.row_group(index)
        self.index = index
        self.rows: int = group.num_rows
        names, customers, times, positions, values = (
            group.column(SEGMENT.names.index(name)).statistics for name in _KNOWN
        )
        if self.rows:
            self._names = names.min, names.max
            self._customers = customers.min, customers.max
            self.times: tuple[int, int] = times.min_raw, times.max_raw
            self.positions: tuple[int, int] = positions.min_raw, positions.max_raw
            self.has_nulls = not values or values.null_count != 0

    def may_count(self, question: Question) -> bool:
        """Whether an event in it may have a name, customer and time asked for."""
        if self.rows == 0 or not self._has_customer(question.customers):
            return False
        least, greatest = self._names
        earliest, latest = self.times
        spans = question.spans
        if spans is not None and not spans.meet(earliest, latest + 1):
            return False
        return any(
            least <= measure.event_name <= greatest
            and earliest < end
            and latest >= start
            for measure in question.measures
            for start, end in [bounds_of(question, measure)]
        )

    def _has_customer(self, wanted: frozenset[str] | None) -> bool:
        """Whether a customer of an event in it may be among some; None is everybody."""
        least, greatest = self._customers
        return wanted is None or any(least <= each <= greatest for each in wanted)


class _KnownGroups:
    """Groups of files that were looked at last, which takes as long as to plan a query.

    A file is known by its checksums, of which that of the footer is compared whenever the
    file is found: what it says of the groups is the same. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, list[_Group]] = OrderedDict()

    def of(self, file: LocalFile) -> list[_Group]:
        """Return the groups of a file."""
        with self._lock:
            groups = self._known.get(file.checksums)
        if groups is None:
            metadata = file.metadata
            groups = [_Group(metadata, at) for at in range(metadata.num_row_groups)]
        with self._lock:
            keep(self._known, file.checksums, groups, _FILES_KNOWN)
        return groups


_GROUPS = _KnownGroups()
