"""Sources: tables, streams, dicts and files, cut into pieces of bounded size.

A piece is either columns or rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from os import PathLike
from pathlib import Path

import pyarrow as pa

from metering.errors import SourceError
from metering.usage.ingest.bodies import EventsBody, open_body
from metering.usage.ingest.bounds.limits import ROWS_PER_PIECE
from metering.usage.ingest.bounds.pieces import NumberedBatch, in_pieces, pieces_of
from metering.usage.ingest.cloud_events import cloud_event_columns
from metering.usage.ingest.exports import Layout, row_of_any
from metering.usage.ingest.files import (
    BLANK,
    ColumnFile,
    LineFile,
    digest_of_content,
    numbered,
    open_file,
    readable,
)
from metering.usage.ingest.layout import (
    Columns,
    Constant,
    LocatedColumns,
)
from metering.usage.ingest.naming import Naming, NamingByFile
from metering.usage.ingest.options import IngestOptions
from metering.usage.ingest.receipts import CancelledRow, Rejection
from metering.usage.ingest.schemas import check_keys
from metering.usage.ingest.source_rows import SourceRow, row_of_dict

_STREAM = "the stream"

Piece = LocatedColumns | list[SourceRow | Rejection | CancelledRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source that is being read.

    Attributes:
        total_rows: how many rows it has, or None where it does not say.
        pieces: its rows in order.
        columns: where its rows have what.
        schema: of its columns; None where it has rows.
        naming: names for rows without an identifier; None where they are made up.
        path: of a file.
        has_columns: whether senders chose their names; CloudEvents name their own.
    """

    total_rows: int | None
    pieces: Iterator[Piece]
    columns: Columns
    schema: pa.Schema | None = None
    naming: Naming | None = None
    path: Path | None = None
    has_columns: bool = True


def open_source(source: object, columns: Columns, options: IngestOptions) -> Source:
    """Begin to read a source.

    Raises:
        SourceError: it cannot be read, lacks a column, or has one of a wrong type.
        InvalidRequestError: a constant timestamp is no time.
    """
    if isinstance(columns.timestamp, Constant):
        options.times.instant(columns.timestamp.text, "timestamp")
    match source:
        case pa.Table():
            return _of_table(source, columns, options)
        case pa.RecordBatch():
            return _of_table(pa.Table.from_batches([source]), columns, options)
        case EventsBody():
            return _of_body(source, columns, options)
        case str() | PathLike():
            return _of_file(Path(source), columns, options)
        case _ if hasattr(source, "__arrow_c_stream__"):
            with readable(_STREAM):
                reader = pa.RecordBatchReader.from_stream(source)
            return _of_reader(reader, columns, options)
        case Iterable() if not isinstance(source, bytes | Mapping):
            pieces = _of_objects(in_pieces(source), columns, options)
            return Source(total_rows=None, pieces=pieces, columns=columns)
        case _:
            raise SourceError(
                f"Cannot ingest {type(source).__name__}: give an Arrow table or stream,"
                " an iterable of dicts, or the path of a file"
            )


def _of_table(table: pa.Table, columns: Columns, options: IngestOptions) -> Source:
    layout = Layout.of(columns, table.schema, options, lambda: table)
    batches = numbered(_STREAM, lambda: iter(table.to_batches(ROWS_PER_PIECE)))
    return Source(
        total_rows=table.num_rows,
        pieces=_of_batches(_STREAM, table.schema, batches, layout),
        columns=layout.columns,
        schema=table.schema,
    )


def _of_reader(
    reader: pa.RecordBatchReader, columns: Columns, options: IngestOptions
) -> Source:
    with readable(_STREAM):
        layout = Layout.of(columns, reader.schema, options, lambda: next(reader, None))
    return Source(
        total_rows=None,
        pieces=_of_batches(
            _STREAM, reader.schema, numbered(_STREAM, lambda: reader), layout
        ),
        columns=layout.columns,
        schema=reader.schema,
    )


def _of_file(path: Path, columns: Columns, options: IngestOptions) -> Source:
    naming = NamingByFile(partial(digest_of_content, path))
    file = open_file(path, null_values=options.null_values)
    return replace(_of_opened(file, columns, options, naming), path=path)


def _of_body(body: EventsBody, columns: Columns, options: IngestOptions) -> Source:
    opened = open_body(body)
    if isinstance(opened, LineFile) and body.format.is_cloud_events:
        # They need not have all that a CloudEvent can have.
        rows = _of_rows(
            opened.pieces,
            lambda number, row: row_of_dict(number, row, cloud_event_columns(row)),
        )
        return Source(
            total_rows=None,
            pieces=rows,
            columns=columns,
            naming=body.naming,
            has_columns=False,
        )
    return _of_opened(opened, columns, options, body.naming)


def _of_opened(
    file: ColumnFile | LineFile,
    columns: Columns,
    options: IngestOptions,
    naming: Naming | None,
) -> Source:
    if isinstance(file, LineFile):
        pieces = _of_objects(file.pieces, columns, options)
        return Source(total_rows=None, pieces=pieces, columns=columns, naming=naming)

    def some_rows() -> pa.RecordBatch | None:
        return next((batch.rows for batch in file.batches), None)

    with readable(file.name):
        layout = Layout.of(columns, file.schema, options, some_rows)
    return Source(
        total_rows=file.total_rows,
        pieces=_of_batches(
            file.name, file.schema, file.batches, layout, file.unpacked_max
        ),
        columns=layout.columns,
        schema=file.schema,
        naming=naming,
    )


def _of_objects(
    pieces: Iterator[list[object]], columns: Columns, options: IngestOptions
) -> Iterator[Piece]:
    first = next(pieces, [])
    # A name that is misspelled is absent from the beginning.
    check_keys(columns, first, takes_now=options.now)
    yield from _of_rows(chain([first], pieces), partial(row_of_any, columns))


def _of_rows(
    pieces: Iterable[list[object]],
    row_of: Callable[[int, object], SourceRow | Rejection | CancelledRow],
) -> Iterator[Piece]:
    first = 0
    for piece in pieces:
        yield [
            row_of(number, row)
            for number, row in enumerate(piece, first)
            # A blank line is no row, but has a number.
            if row is not BLANK
        ]
        first += len(piece)


def _of_batches(
    name: object,
    schema: pa.Schema,
    batches: Iterable[NumberedBatch],
    layout: Layout,
    unpacked_max: int | None = None,
) -> Iterator[Piece]:
    with readable(name):
        pieces = pieces_of(name, schema, batches, unpacked_max)
        for rows, numbers, malformed in pieces:
            if malformed:
                yield [
                    Rejection(number, None, "row_invalid", f"Invalid row: {fault}")
                    for number, fault in malformed
                ]
            else:
                yield from layout.pieces(rows, numbers)
