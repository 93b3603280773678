"""Batches: the events of segments, a row group at a time.

Row groups that cannot hold an event that counts are not read, nor are positions where no
event can be cancelled or too late.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ledger.segments.layout import SEGMENT
from ledger.segments.parts import LocalFile
from projections.scans.reaggregation.columns import (
    Arrays,
    arrays_of,
    codes,
    column,
    constant,
    numbers,
    starts_of_groups,
)
from projections.scans.reaggregation.events import bounds_of, columns_for
from projections.scans.reaggregation.question import Question

_GROUPS_IN_A_PIECE = 8
_ROWS_IN_A_PIECE = 1 << 17
# Sorting pays where fewer neighbours than this are of one customer.
_NEIGHBOURS = 4
_WORDS = ("event_name", "customer")
_KNOWN = (*_WORDS, "timestamp", "position")


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Some events, the work of one thread.

    Attributes:
        rows: how many events.
        batches: reads the events that may count, in the order of a segment, with the
            columns that the question needs; can be called on any thread.
    """

    rows: int
    batches: Callable[[], Iterator[Arrays]]


def pieces_of(
    question: Question, events: Iterable[LocalFile] | pa.Table, cancelled: np.ndarray
) -> Iterator[Portion]:
    """Yield events in portions.

    Args:
        question: what is asked.
        events: local segments, or a table with the columns of one.
        cancelled: positions (int64, ascending) of events that do not count.
    """
    if isinstance(events, pa.Table):
        yield from _pieces_of_table(question, events)
    else:
        for file in events:
            yield from _pieces_of_file(question, file, cancelled)


def _pieces_of_table(question: Question, events: pa.Table) -> Iterator[Portion]:
    names = dict.fromkeys([*columns_for(question), "position"])
    columns = _in_order(arrays_of(events.select(list(names))))
    for start in range(0, events.num_rows, _ROWS_IN_A_PIECE):
        part = {
            name: values[start : start + _ROWS_IN_A_PIECE]
            for name, values in columns.items()
        }
        rows = len(part["position"])
        yield Portion(rows=rows, batches=partial(iter, [part]))


def _in_order(events: Arrays) -> Arrays:
    """Return events sorted by name, customer and timestamp, if that pays."""
    for name in _WORDS:
        if not pa.types.is_dictionary(events[name].type):
            events[name] = events[name].dictionary_encode()
    series = [codes(events[name]) for name in _WORDS]
    length = len(events["timestamp"])
    if len(starts_of_groups(series)) * _NEIGHBOURS <= length:
        return events
    order = column(np.lexsort((numbers(events["timestamp"]), *reversed(series))))
    return {name: values.take(order) for name, values in events.items()}


def _pieces_of_file(
    question: Question, file: LocalFile, cancelled: np.ndarray
) -> Iterator[Portion]:
    metadata = file.metadata
    for start in range(0, metadata.num_row_groups, _GROUPS_IN_A_PIECE):
        end = min(start + _GROUPS_IN_A_PIECE, metadata.num_row_groups)
        groups = [_Group(at, metadata.row_group(at)) for at in range(start, end)]
        to_read = [group for group in groups if group.may_count(question)]
        yield Portion(
            rows=sum(group.rows for group in groups),
            batches=partial(_read, file, to_read, question, cancelled),
        )


def _read(
    file: LocalFile,
    groups: Sequence["_Group"],
    question: Question,
    cancelled: np.ndarray,
) -> Iterator[Arrays]:
    with file.opened() as parts:
        for group in groups:
            columns = dict.fromkeys(columns_for(question))
            if group.may_be_excluded(question, cancelled):
                columns["position"] = None
            constants = group.constants()
            to_read = [name for name in columns if name not in constants]
            yield arrays_of(parts.read([group.index], to_read)) | constants


class _Group:
    """A row group, and its statistics in the file."""

    def __init__(self, index: int, metadata: pq.RowGroupMetaData) -> None:
        self.index = index
        self.rows: int = metadata.num_rows
        self._known = {
            name: metadata.column(SEGMENT.names.index(name)).statistics
            for name in _KNOWN
        }

    def may_count(self, question: Question) -> bool:
        """Whether an event in it may have a name, customer and time asked for."""
        if self.rows == 0:
            return False
        if not self._has_customer(question.customers):
            return False
        names, times = self._known["event_name"], self._known["timestamp"]
        least, greatest = names.min, names.max
        earliest, latest = times.min_raw, times.max_raw
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
        known = self._known["customer"]
        return wanted is None or any(known.min <= each <= known.max for each in wanted)

    def may_be_excluded(self, question: Question, cancelled: np.ndarray) -> bool:
        """Whether an event in it may be cancelled or too late."""
        positions = self._known["position"]
        first, last = positions.min_raw, positions.max_raw
        low, high = np.searchsorted(cancelled, [first, last + 1])
        return last > question.up_to or bool(low < high)

    def constants(self) -> Arrays:
        """Return the columns of strings with one value, which need no reading."""
        return {
            name: constant(known.min, self.rows)
            for name in _WORDS
            if (known := self._known[name]).min_raw == known.max_raw
        }
