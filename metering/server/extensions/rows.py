"""Answers of rows: a stream of Arrow, or a list in JSON, as the client prefers.

An answer can be large. It is sent in pieces, each made of some rows when the one before
is on its way. Sent uncompressed, a stream is read by every implementation of Arrow.
"""

import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from metering.arguments.clock import at_microseconds
from metering.arguments.times import time_of
from metering.server.api.routes import Content
from metering.server.grammar.media_types import ARROW, JSON, prefers_arrow

ROWS_AT_A_TIME = 8_192

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_HEAD = b'{"object":"list","data":['
_END = b'],"has_more":false,"url":"%s"}'


def content_of(table: pa.Table, accept: str, url: str) -> Content:
    """Answer with a table, which is in memory until all of it is sent."""
    batches = table.to_batches(max_chunksize=ROWS_AT_A_TIME)
    pieces = _pieces(table.schema, batches, accept, url)
    return Content(
        media_type=_media_type(accept),
        # What fits into one piece has a known length.
        body=b"".join(pieces) if table.num_rows <= ROWS_AT_A_TIME else pieces,
        held_bytes=table.nbytes,
    )


def content_read(reader: pa.RecordBatchReader, accept: str, url: str) -> Content:
    """Answer with a stream, which is read while it is sent."""
    return Content(
        media_type=_media_type(accept),
        body=_pieces(reader.schema, _cut(reader), accept, url),
    )


def _media_type(accept: str) -> str:
    return ARROW if prefers_arrow(accept) else JSON


def _pieces(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], accept: str, url: str
) -> Iterator[bytes]:
    return _stream(schema, batches) if prefers_arrow(accept) else _objects(batches, url)


def _cut(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        for start in range(0, batch.num_rows, ROWS_AT_A_TIME):
            yield batch.slice(start, ROWS_AT_A_TIME)


def _stream(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Write the stream of Arrow's inter-process format."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield _taken(sink)
    yield _taken(sink)


def _taken(sink: io.BytesIO) -> bytes:
    piece = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return piece


def _objects(batches: Iterable[pa.RecordBatch], url: str) -> Iterator[bytes]:
    """Write the rows as objects, one for each."""
    times: dict[int, str] = {}
    written = (_ENCODER.encode(_rows(each, times))[1:-1] for each in batches)
    is_first = True
    yield _HEAD
    for piece in filter(None, written):
        yield piece if is_first else b"," + piece
        is_first = False
    yield _END % url.encode()


def _rows(batch: pa.RecordBatch, times: dict[int, str]) -> list[dict[str, Any]]:
    names = batch.schema.names
    columns = [_plain(column, times) for column in batch.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(column: pa.Array, times: dict[int, str]) -> list[Any]:
    if pa.types.is_decimal(column.type):
        return [None if each is None else _number(each) for each in column.to_pylist()]
    if pa.types.is_timestamp(column.type):
        instants: list[int] = column.cast(pa.int64()).to_pylist()
        # Many rows, and few windows.
        for each in set(instants).difference(times):
            times[each] = time_of(at_microseconds(each))
        return [times[each] for each in instants]
    words: list[Any] = column.to_pylist()
    return words


def _number(value: Decimal) -> msgspec.Raw:
    """Write a number with all its digits, and no zeros behind them."""
    written = f"{value:f}"
    return msgspec.Raw(
        (written.rstrip("0").rstrip(".") if "." in written else written).encode()
    )
