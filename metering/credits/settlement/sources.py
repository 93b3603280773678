"""Sources of a billing run: Arrow tables and streams, cut between invoices.

A portion has whole invoices: the rows of one are neighbours.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metering.arguments.arrow_types import is_text, is_word, require_type
from metering.errors import SourceError

_ROWS_AT_A_TIME = 50_000
_TEXTS = ("invoice", "customer", "line", "currency", "price")
_NAMES = (*_TEXTS, "period_end", "amount")


@dataclass(frozen=True, slots=True)
class InvoiceSource:
    """A source that is being read.

    Attributes:
        total_rows: how many rows it has, or None where it does not say.
        portions: tables of whole invoices in order.
    """

    total_rows: int | None
    portions: Iterator[pa.Table]


def open_invoices(source: object) -> InvoiceSource:
    """Begin to read a source.

    Raises:
        SourceError: it is no Arrow data, lacks a column, or has one of a wrong type.
    """
    match source:
        case pa.Table():
            _check_schema(source.schema)
            batches = iter(source.to_batches(max_chunksize=_ROWS_AT_A_TIME))
            return InvoiceSource(source.num_rows, _portions(batches, source.schema))
        case pa.RecordBatch():
            return open_invoices(pa.Table.from_batches([source]))
        case _ if hasattr(source, "__arrow_c_stream__"):
            try:
                reader = pa.RecordBatchReader.from_stream(source)
            except (pa.ArrowException, OSError) as error:
                raise _unreadable(error) from error
            _check_schema(reader.schema)
            return InvoiceSource(None, _portions(_batches(reader), reader.schema))
        case _:
            raise SourceError(
                f"Cannot settle {type(source).__name__}: give an Arrow table or stream"
            )


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> SourceError:
    reason = " ".join(str(error).split())
    return SourceError(f"Cannot read the stream: {reason}")


def _portions(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema
) -> Iterator[pa.Table]:
    """Cut a stream of batches of any size between invoices."""
    waiting = _plain(schema.empty_table())
    for batch in batches:
        waiting = pa.concat_tables(
            [waiting, _plain(pa.Table.from_batches([batch], schema))]
        )
        if waiting.num_rows >= _ROWS_AT_A_TIME:
            waiting = waiting.combine_chunks()
            cut = int(first_rows(waiting)[-1])
            if cut:
                yield waiting.slice(0, cut)
                waiting = waiting.slice(cut)
    if waiting.num_rows:
        yield waiting.combine_chunks()


def first_rows(table: pa.Table) -> np.ndarray:
    """Return the rows at which the invoices of a table begin (int64)."""
    names = table.column("invoice").combine_chunks().fill_null("")
    # A row that names no invoice has no neighbours: it is refused by itself.
    others = pc.or_(pc.not_equal(names[1:], names[:-1]), pc.equal(names[1:], ""))
    is_first = np.ones(len(names), bool)
    is_first[1:] = others.to_numpy(zero_copy_only=False)
    return np.flatnonzero(is_first)


def _plain(table: pa.Table) -> pa.Table:
    """Take the columns in our order; a price may be left out."""
    columns = [
        table.column(name) if name in table.schema.names else pa.nulls(table.num_rows)
        for name in _NAMES
    ]
    return pa.table(
        [
            column.cast(pa.string()) if name in _TEXTS else _undictionaried(column)
            for name, column in zip(_NAMES, columns, strict=True)
        ],
        _NAMES,
    )


def _undictionaried(column: pa.ChunkedArray) -> pa.ChunkedArray:
    is_encoded = pa.types.is_dictionary(column.type)
    return pc.cast(column, column.type.value_type) if is_encoded else column


def _is_instant(kind: pa.DataType) -> bool:
    """Whether values are times that do not depend on where one is."""
    if pa.types.is_timestamp(kind):
        return kind.tz is not None
    return is_word(kind)


def _check_schema(schema: pa.Schema) -> None:
    for name in _NAMES:
        found = schema.get_all_field_indices(name)
        if len(found) > 1 or (not found and name != "price"):
            number = "no" if not found else "more than one"
            raise SourceError(f"There is {number} column {name!r}", param=name)
    for name in set(_TEXTS) & set(schema.names):
        require_type(schema.field(name), "names", is_text, "give strings")
    hint = "give timestamps with a time zone, whole seconds since 1970, or strings"
    require_type(schema.field("period_end"), "instants", _is_instant, hint)
    hint = "give integers, in minor units of the currency"
    require_type(schema.field("amount"), "amounts", pa.types.is_integer, hint)
