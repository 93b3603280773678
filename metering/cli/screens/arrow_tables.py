"""Arrow tables as results: on the screen, as JSON lines, or in a file."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import typer

from ledger.usage.quantities import shortest
from metering.cli.errors import FileUnusableError, OutputFileError
from metering.cli.files import check_place, replacing
from metering.cli.screens.screen import ENCODER, Column, print_line, show, show_table
from metering.cli.screens.text import counted, number, quantities
from metering.cli.screens.values import plain_values, text_in_csv, text_on_screen
from projections.errors import QueryError

_OUTPUTS = (".parquet", ".csv")
_ROWS_SHOWN = 20
_ROWS_AT_A_TIME = 1 << 15


def check_output(path: Path | None) -> None:
    """Refuse a file that could not be written, before the work is done.

    Raises:
        BadParameter: the name says neither Parquet nor CSV.
        OutputFileError: its directory is not there, or may not be written to.
    """
    if path is None:
        return
    if path.suffix.lower() not in _OUTPUTS:
        reason = f"name a file that ends in {' or '.join(_OUTPUTS)}, not {path.name!r}"
        raise typer.BadParameter(reason, param_hint="--output")
    check_place(path, OutputFileError)


def give_rows(
    table: pa.Table, output: Path | None, limit: int | None, *, is_json: bool
) -> None:
    """Write all rows to a file, print all as lines of JSON, or show the first.

    Raises:
        OutputFileError: the file cannot be written.
        QueryError: that kind of file, or JSON, has no place for what is in the table.
    """
    if output is not None:
        write_table(table, output, OutputFileError)
        show(f"Wrote {counted(table.num_rows, 'row')} to {output}")
    elif is_json:
        print_rows(table)
    else:
        show_rows(table, limit)


def write_table(table: pa.Table, path: Path, error: type[FileUnusableError]) -> None:
    """Write a table as the name of the file says, as a whole or not at all.

    Raises:
        FileUnusableError: of that type; it cannot be written there.
        QueryError: that kind of file has no place for what is in it.
    """
    with replacing(path, error) as file:
        try:
            WRITERS[path.suffix.lower()](table, file)
        except pa.ArrowException as failure:
            raise error(path, " ".join(str(failure).split())) from failure


def print_rows(table: pa.Table) -> None:
    """Print each row as a line of JSON.

    Raises:
        QueryError: two columns have one name.
    """
    for row in _rows(table):
        print_line(row)


def show_rows(table: pa.Table, limit: int | None) -> None:
    """Show the first rows of a table."""
    if table.num_rows == 0:
        show("No rows.")
        return
    shown = table.slice(0, limit or _ROWS_SHOWN)
    cells = [
        _strings(*each) for each in zip(shown.columns, shown.column_names, strict=True)
    ]
    columns: list[Column[int]] = [
        Column(field.name, column.__getitem__, is_number=_is_number(field.type))
        for field, column in zip(shown.schema, cells, strict=True)
    ]
    show_table(columns, range(shown.num_rows))
    if shown.num_rows < table.num_rows:
        rest = f"{number(shown.num_rows)} of {counted(table.num_rows, 'row')}"
        show(f"{rest}; --limit, --output and --json give others.", style="dim")


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_floating(kind)
    )


def _strings(column: pa.ChunkedArray, name: str) -> list[str]:
    if pa.types.is_decimal(column.type):
        values = column.to_pylist()
        present = [shortest(each) for each in values if each is not None]
        given = iter(quantities(present))
        return ["" if each is None else next(given) for each in values]
    return [text_on_screen(value) for value in plain_values(column, name)]


def _check_names(table: pa.Table) -> None:
    for name, count in Counter(table.column_names).items():
        if count > 1:
            reason = f"its result has {count} columns named {name!r}"
            raise QueryError(f"{reason}; name them apart with AS")


def _rows(table: pa.Table) -> Iterator[dict[str, object]]:
    _check_names(table)
    for batch in table.to_batches(_ROWS_AT_A_TIME):
        names = batch.schema.names
        columns = map(plain_values, batch.columns, names)
        for row in zip(*columns, strict=True):
            yield dict(zip(names, row, strict=True))


def _write_lines(table: pa.Table, file: BinaryIO) -> None:
    file.writelines(ENCODER.encode(row) + b"\n" for row in _rows(table))


def _write_parquet(table: pa.Table, file: BinaryIO) -> None:
    _check_names(table)
    pq.write_table(table, file)


def _write_csv(table: pa.Table, file: BinaryIO) -> None:
    """Write exact decimals without exponents, times in ISO 8601, maps as JSON."""
    fields = [pa.field(field.name, _kind_in_csv(field.type)) for field in table.schema]
    schema = pa.schema(fields)
    with pc.CSVWriter(file, schema) as writer:
        for batch in table.to_batches(_ROWS_AT_A_TIME):
            columns: list[Column[int]] = [
                column if column.type == field.type else _csv_strings(column, field)
                for column, field in zip(batch.columns, schema, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _kind_in_csv(kind: pa.DataType) -> pa.DataType:
    is_plain = pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    return kind if is_plain else pa.string()


def _csv_strings(column: pa.Array, field: pa.Field) -> pa.Array:
    values = plain_values(column, field.name)
    return pa.array(map(text_in_csv, values), pa.string())


WRITERS: dict[str, Callable[[pa.Table, BinaryIO], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".ndjson": _write_lines,
}
