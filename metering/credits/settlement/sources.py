"""Sources of billing runs and of reinstatements: Arrow tables and streams.

A billing run is cut between invoices.

A portion has whole invoices. The last row of a source may belong to the first invoice,
so that a source is read whole before the first portion.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc
from metering.arguments.arrow_types import (
    is_text,
    is_word,
    require_type,
    texts_of,
)
from metering.credits.settlement.gathering import are_together, invoices_of
from metering.errors import SourceError

_ROWS_AT_A_TIME = 100_000
_INVOICE = "invoice"
_TEXTS = (_INVOICE, "customer", "line", "currency", "price")
INVOICE_COLUMNS = (*_TEXTS, "period_end", "amount")


@dataclass(frozen=True, slots=True)
class InvoicePortion:
    """Some invoices of a source.

    Attributes:
        rows: of whole invoices, those of each one behind the other.
        begins: of each row, the number in the source of its invoice's first (int64).
    """

    rows: pa.Table
    begins: np.ndarray


@dataclass(frozen=True, slots=True)
class InvoiceSource:
    """A source that is being read.

    Attributes:
        total_rows: how many rows it has, or None where it does not say.
        portions: its invoices, in the order in which they begin.
    """

    total_rows: int | None
    portions: Iterator[InvoicePortion]


def open_invoices(source: object) -> InvoiceSource:
    """Open a source; a stream is read whole.

    Raises:
        SourceError: it is no Arrow data, lacks a column, or has one of a wrong type.
    """
    opened = open_arrow(source)
    if opened is None:
        raise SourceError(
            f"Cannot settle {type(source).__name__}: give an Arrow table or stream"
        )
    _check_schema(opened.schema)
    if isinstance(opened, pa.Table):
        return InvoiceSource(opened.num_rows, _portions(opened))
    return InvoiceSource(None, _portions(read_whole(opened, INVOICE_COLUMNS)))


def read_names(source: object) -> Sequence[object]:
    """Read the names of invoices: a column of Arrow data, or anything in a list.

    Raises:
        SourceError: it is neither, lacks the column, or has one of a wrong type.
    """
    opened = open_arrow(source)
    if opened is not None:
        _check_columns(opened.schema, (_INVOICE,))
        if not isinstance(opened, pa.Table):
            opened = read_whole(opened, (_INVOICE,))
        return texts_of(_texts(opened, _INVOICE).combine_chunks())
    if isinstance(source, Iterable) and not isinstance(source, str | bytes | Mapping):
        return list(source)
    raise SourceError(
        f"Cannot reinstate {type(source).__name__}: give an Arrow table or stream with"
        f" the column {_INVOICE}, or a list of their ids"
    )


def open_arrow(source: object) -> pa.Table | pa.RecordBatchReader | None:
    """Open Arrow data; return None for anything else."""
    match source:
        case pa.Table():
            return source
        case pa.RecordBatch():
            return pa.Table.from_batches([source])
        case _ if hasattr(source, "__arrow_c_stream__"):
            try:
                return pa.RecordBatchReader.from_stream(source)
            except (pa.ArrowException, OSError) as error:
                raise _unreadable(error) from error
        case _:
            return None


def together(portions: Iterable[InvoicePortion]) -> InvoicePortion | None:
    """Join the portions of a source; return None where there is none."""
    joined = [*portions]
    if not joined:
        return None
    rows = pa.concat_tables([each.rows for each in joined])
    begins = np.concatenate([each.begins for each in joined])
    return InvoicePortion(rows.combine_chunks(), begins)


def read_whole(reader: pa.RecordBatchReader, wanted: Sequence[str]) -> pa.Table:
    """Read those of some columns that a stream has.

    Raises:
        SourceError: it cannot be read.
    """
    names = [name for name in wanted if name in reader.schema.names]
    try:
        batches = [batch.select(names) for batch in reader]
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(error) from error
    return pa.Table.from_batches(batches, pa.schema(map(reader.schema.field, names)))


def _unreadable(error: Exception) -> SourceError:
    reason = " ".join(str(error).split())
    return SourceError(f"Cannot read the stream: {reason}")


def _portions(source: pa.Table) -> Iterator[InvoicePortion]:
    """Cut a source between invoices."""
    begins = invoices_of(_texts(source, "invoice"), _texts(source, "line"))
    rows, order = source, None
    if not are_together(begins):
        order = np.argsort(begins, kind="stable")
        begins, rows = begins[order], _plain(source).combine_chunks()
    start = 0
    while start < len(begins):
        end = _end_of_portion(begins, start)
        portion = (
            _plain(rows.slice(start, end - start))
            if order is None
            else rows.take(pa.array(order[start:end]))
        )
        yield InvoicePortion(portion.combine_chunks(), begins[start:end])
        start = end


def _end_of_portion(begins: np.ndarray, start: int) -> int:
    """Return the row behind a portion: as many invoices as fit, and at least one."""
    end = start + _ROWS_AT_A_TIME
    if end >= len(begins):
        return len(begins)
    cut = int(np.searchsorted(begins, begins[end]))
    if cut > start:
        return cut
    return int(np.searchsorted(begins, begins[end], side="right"))


def _plain(table: pa.Table) -> pa.Table:
    """Take the columns in our order; a price may be left out."""
    columns = [
        table.column(name) if name in table.schema.names else pa.nulls(table.num_rows)
        for name in INVOICE_COLUMNS
    ]
    return pa.table(
        [
            column.cast(pa.string()) if name in _TEXTS else _undictionaried(column)
            for name, column in zip(INVOICE_COLUMNS, columns, strict=True)
        ],
        INVOICE_COLUMNS,
    )


def _texts(source: pa.Table, name: str) -> pa.ChunkedArray:
    return source.column(name).cast(pa.string())


def _undictionaried(column: pa.ChunkedArray) -> pa.ChunkedArray:
    is_encoded = pa.types.is_dictionary(column.type)
    return pc.cast(column, column.type.value_type) if is_encoded else column


def _is_instant(kind: pa.DataType) -> bool:
    """Whether values are times that do not depend on where one is."""
    if pa.types.is_timestamp(kind):
        return kind.tz is not None
    return is_word(kind)


def _check_schema(schema: pa.Schema) -> None:
    _check_columns(schema, INVOICE_COLUMNS)
    hint = "give timestamps with a time zone, whole seconds since 1970, or strings"
    require_type(schema.field("period_end"), "instants", _is_instant, hint)
    hint = "give integers, in minor units of the currency"
    require_type(schema.field("amount"), "amounts", pa.types.is_integer, hint)


def _check_columns(schema: pa.Schema, names: Sequence[str]) -> None:
    for name in names:
        found = schema.get_all_field_indices(name)
        if len(found) > 1 or (not found and name != "price"):
            number = "no" if not found else "more than one"
            raise SourceError(f"There is {number} column {name!r}", param=name)
        if found and name in _TEXTS:
            require_type(schema.field(name), "names", is_text, "give strings")
