"""Files of invoices: a row a line, read whole as the library takes them.

An invoice of which a row cannot be read would be settled without a line. So a file with
such a row is refused.
"""

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa

from metering.credits.settlement.sources import INVOICE_COLUMNS
from metering.errors import SourceError, shown
from metering.usage.ingest.files import BLANK, ColumnFile, open_file, readable

_AMOUNT = "amount"
_DIGITS_MAX = 18
_ROWS_AT_A_TIME = 50_000


def read_invoices(path: Path) -> pa.Table:
    """Read the rows of a Parquet, Arrow, CSV or NDJSON file.

    Raises:
        SourceError: it cannot be read, or a row of it.
    """
    opened = open_file(path, null_values=())
    with readable(path):
        if isinstance(opened, ColumnFile):
            table = pa.Table.from_batches(_batches(path, opened), opened.schema)
        else:
            table = _table(_objects(path, chain.from_iterable(opened.pieces)))
    return _with_amounts(path, table)


def _batches(path: Path, opened: ColumnFile) -> Iterator[pa.RecordBatch]:
    for batch, _, malformed in opened.batches:
        for row, fault in malformed:
            raise _unreadable(path, row, f"Invalid row: {fault}")
        yield batch


def _objects(path: Path, objects: Iterator[object]) -> Iterator[dict[str, object]]:
    for row, found in enumerate(each for each in objects if each is not BLANK):
        if isinstance(found, ValueError):
            raise _unreadable(path, row, str(found))
        if not isinstance(found, dict):
            raise _unreadable(path, row, f"{shown(found)} is no JSON object")
        amount = found.get(_AMOUNT)
        if isinstance(amount, int) and abs(amount) >= 10**_DIGITS_MAX:
            raise _unreadable(path, row, f"its amount {shown(amount)} is too large")
        yield found


def _table(objects: Iterator[dict[str, object]]) -> pa.Table:
    """Return objects as columns; one that none has is left out."""
    seen: set[str] = set()
    parts = []
    while rows := list(islice(objects, _ROWS_AT_A_TIME)):
        seen.update(*rows)
        columns = {name: [row.get(name) for row in rows] for name in INVOICE_COLUMNS}
        parts.append(pa.table(columns))
    if not parts:
        return pa.table({})
    # A column of nothing is of no type yet.
    table = pa.concat_tables(parts, promote_options="default")
    return table.select([name for name in INVOICE_COLUMNS if name in seen])


def _with_amounts(path: Path, table: pa.Table) -> pa.Table:
    """Read amounts that are text, as they are in CSV."""
    at = table.schema.get_field_index(_AMOUNT)
    if at < 0 or not pa.types.is_string(table.schema.field(at).type):
        return table
    amounts: list[int | None] = []
    for row, text in enumerate(table.column(at).to_pylist()):
        digits = (text or "").removeprefix("-")
        is_whole = digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX
        if text is not None and not is_whole:
            fault = f"its amount {shown(text)} is no whole number of minor units"
            raise _unreadable(path, row, f"Invalid row: {fault}")
        amounts.append(None if text is None else int(text))
    column = pa.array(amounts, pa.int64())
    return table.set_column(at, _AMOUNT, column)


def _unreadable(path: Path, row: int, fault: str) -> SourceError:
    return SourceError(f"Cannot read row {row} of {path}: {fault}")
