"""Exports: events that came out of a store, and come into one again.

They have one of two shapes: rows of the table `events` and of a segment's file, or meter
events as resources. Their customer and value are read from where the shape has them. What
the store wrote about an event, such as its position, is no part of the usage and is left
out. An event that was cancelled does not come to life: its row is left aside. A segment's
file cannot say which those are, as it was written before.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pyarrow as pa

from metering.arguments.arrow_types import texts_of
from metering.errors import shown
from metering.usage.ingest.layout import Columns, LocatedColumns, locate, named_columns
from metering.usage.ingest.options import IngestOptions
from metering.usage.ingest.receipts import CancelledRow, Rejection
from metering.usage.ingest.schemas import check_schema
from metering.usage.ingest.source_rows import SourceRow, row_of_dict

_TABLE = frozenset({"position", "recorded_at"})
_RESOURCE = frozenset({"object", "position", "livemode"})
_WRITTEN_BY_STORES = frozenset(
    {
        *("position", "recorded_at", "identifier_hash", "content_hash"),
        *("object", "created", "livemode", "duplicate"),
    }
)
_CANCELLED = "cancelled"
_NAMES_KEPT = 100
_VALUE = "value"
_YES = frozenset({"true", "t", "1"})
_NO = frozenset({"false", "f", "0", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the columns of a source are read, or the keys of a row.

    Attributes:
        columns: where rows have what.
        without_value: that of rows of an export without a value. Their meter counts, and
            their payload may have a label under the key of the value.
        is_export: whether it is that of an export.
        left_out: names of columns that are left out and counted.
        says_cancelled: whether a column says which events were cancelled.
    """

    columns: Columns
    without_value: Columns
    is_export: bool = False
    left_out: tuple[str, ...] = ()
    says_cancelled: bool = False

    @classmethod
    def of(
        cls,
        columns: Columns,
        schema: pa.Schema,
        options: IngestOptions,
        read_some: Callable[[], pa.RecordBatch | pa.Table | None],
    ) -> "Layout":
        """Return the layout of a source.

        Args:
            columns: as the caller named them.
            schema: of the source.
            options: how rows are read.
            read_some: reads some rows, which only a refusal looks at.

        Raises:
            SourceError: a column is absent, occurs twice, or is of a type that cannot
                hold what it is for.
        """
        layout = _layout(columns, tuple(schema.names))
        check_schema(schema, layout.columns, options, read_some)
        return layout

    def pieces(
        self, batch: pa.RecordBatch, numbers: np.ndarray
    ) -> Iterator[LocatedColumns | list[SourceRow | Rejection | CancelledRow]]:
        """Find the columns of a batch.

        Args:
            batch: some rows of the source.
            numbers: of the rows (int64, ascending).

        Yields:
            Rows that are not to be recorded, and columns of the others.
        """
        if self.says_cancelled:
            aside = list(_left_aside(batch.column(_CANCELLED), numbers))
            if aside:
                yield [*aside]
                is_live = ~np.isin(numbers, [each.row for each in aside])
                batch, numbers = batch.filter(pa.array(is_live)), numbers[is_live]
        located = locate(self.columns, batch, numbers)
        if self.is_export:
            located = replace(located, left_out=self.left_out, may_lack_value=True)
        yield located

    def row(
        self, number: int, row: Mapping[str, object]
    ) -> SourceRow | Rejection | CancelledRow:
        """Read a row that has these keys."""
        if self.says_cancelled:
            aside = _aside(number, row[_CANCELLED])
            if aside is not None:
                return aside
        is_without = row.get(_VALUE) is None
        found = row_of_dict(
            number, row, self.without_value if is_without else self.columns
        )
        if isinstance(found, Rejection):
            return found
        return replace(found, left_out=self.left_out)


def row_of_any(
    columns: Columns, number: int, row: object
) -> SourceRow | Rejection | CancelledRow:
    """Read an object as a row, which is one of an export where it looks like it."""
    if isinstance(row, Mapping) and "position" in row and _is_export(row):
        # What is kept is kept for good: rows of that many names are no export of ours.
        layout_of = _layout if len(row) <= _NAMES_KEPT else _layout.__wrapped__
        return layout_of(columns, tuple(row)).row(number, row)
    return row_of_dict(number, row, columns)


def _is_export(names: Collection[str]) -> bool:
    return all(name in names for name in _TABLE) or all(
        name in names for name in _RESOURCE
    )


@lru_cache(maxsize=64)
def _layout(columns: Columns, names: tuple[str, ...]) -> Layout:
    """Return the layout of a source with some names; what the caller named goes first."""
    if not _is_export(names):
        return Layout(columns=columns, without_value=columns)
    asked_for = named_columns(columns) | {*(columns.payload_keys or ())}
    left_out = tuple(
        name for name in names if name in _WRITTEN_BY_STORES and name not in asked_for
    )
    is_table = "recorded_at" in names
    if is_table and columns.customer is None and "customer" in names:
        columns = replace(columns, customer="customer")
    without_value = columns
    if is_table and columns.value is None and _VALUE in names:
        columns = replace(columns, value=_VALUE)
    if columns.payload_keys is None and columns.payload not in names:
        none = {*left_out, _CANCELLED, *named_columns(columns)}
        keys = tuple(name for name in names if name not in none)
        columns = replace(columns, payload_keys=keys)
        without_value = replace(without_value, payload_keys=keys)
    return Layout(
        columns=columns,
        without_value=without_value,
        is_export=True,
        left_out=left_out,
        says_cancelled=_CANCELLED in names,
    )


def _left_aside(
    column: pa.Array, numbers: np.ndarray
) -> Iterator[CancelledRow | Rejection]:
    texts = column.cast(pa.string())
    if all((text or "").lower() in _NO for text in texts_of(texts.unique())):
        return
    for number, text in zip(numbers.tolist(), texts_of(texts), strict=True):
        aside = _aside(number, text)
        if aside is not None:
            yield aside


def _aside(number: int, given: object) -> CancelledRow | Rejection | None:
    """Return what becomes of a row that is not recorded; None where it is.

    Args:
        number: of the row.
        given: whether its event was cancelled, as the row says it.
    """
    is_text = isinstance(given, str | bool)
    text = "" if given is None else str(given).lower() if is_text else None
    if text in _NO:
        return None
    if text in _YES:
        return CancelledRow(number)
    reason = f"expected true or false, found {shown(given)}"
    return Rejection(number, None, "row_invalid", f"Invalid {_CANCELLED}: {reason}")
