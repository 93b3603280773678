"""The routes of usage and of re-aggregation: tables of all customers, in Arrow or JSON.

An answer can be large. It is sent in pieces, each made of some rows when the one before
is on its way: what is held is the table alone. Sent uncompressed, a stream is read by
every implementation of Arrow.
"""

import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pyarrow as pa

from metering.arguments.clock import at_microseconds
from metering.arguments.times import time_of
from metering.reaggregation.requests import Reaggregate, SumUsage
from metering.server.api.routes import Answer, Call, Content, Route
from metering.server.grammar.dialects import EXTENSION
from metering.server.grammar.media_types import ARROW, JSON, prefers_arrow

REAGGREGATE = "/metering/v1/reaggregate"
USAGE = "/metering/v1/usage"
_METHODS: tuple[Literal["GET", "POST"], ...] = ("GET", "POST")
_ROWS_AT_A_TIME = 8_192
_TIMES = ("window_start", "window_end")
_VALUE = "value"
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_HEAD = b'{"object":"list","data":['
_END = b'],"has_more":false,"url":"%s"}'


def _reaggregate(call: Call) -> Answer:
    # What is recorded from here on may count or not.
    position = call.m.position
    table = call.m.reaggregate(**call.given)
    return _answer(table, position, call.accept, REAGGREGATE)


def _usage(call: Call) -> Answer:
    table = call.m.usage(**call.given)
    position = int(table.schema.metadata[b"position"])
    return _answer(table, position, call.accept, USAGE)


def _answer(table: pa.Table, position: int, accept: str, url: str) -> Answer:
    is_arrow = prefers_arrow(accept)
    pieces = _stream(table) if is_arrow else _rows(table, url)
    content = Content(
        media_type=ARROW if is_arrow else JSON,
        # What fits into one piece has a known length.
        body=b"".join(pieces) if table.num_rows <= _ROWS_AT_A_TIME else pieces,
        held_bytes=table.nbytes,
    )
    return Answer(content=content, position=position)


def _stream(table: pa.Table) -> Iterator[bytes]:
    """Write the stream of Arrow's inter-process format."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=_ROWS_AT_A_TIME):
            writer.write_batch(batch)
            yield _taken(sink)
    yield _taken(sink)


def _taken(sink: io.BytesIO) -> bytes:
    piece = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return piece


def _rows(table: pa.Table, url: str) -> Iterator[bytes]:
    """Write the rows as objects, one for each."""
    times: dict[int, str] = {}
    batches = table.to_batches(max_chunksize=_ROWS_AT_A_TIME)
    written = (_ENCODER.encode(_objects(each, times))[1:-1] for each in batches)
    is_first = True
    yield _HEAD
    for piece in filter(None, written):
        yield piece if is_first else b"," + piece
        is_first = False
    yield _END % url.encode()


def _objects(batch: pa.RecordBatch, times: dict[int, str]) -> list[dict[str, Any]]:
    names = batch.schema.names
    columns = [_plain(name, batch.column(name), times) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(name: str, column: pa.Array, times: dict[int, str]) -> list[Any]:
    if name == _VALUE:
        return [None if each is None else _number(each) for each in column.to_pylist()]
    if name in _TIMES:
        instants: list[int] = column.cast(pa.int64()).to_pylist()
        # Many rows, and few windows.
        for each in set(instants).difference(times):
            times[each] = time_of(at_microseconds(each))
        return [times[each] for each in instants]
    words: list[Any] = column.to_pylist()
    return words


def _number(value: Decimal) -> msgspec.Raw:
    """Write a number with all its digits, and no zeros behind them."""
    return msgspec.Raw(f"{value:f}".rstrip("0").rstrip(".").encode())


ROUTES = tuple(
    Route(
        method=method,
        dialect=EXTENSION,
        path=path,
        scope="read",
        summary=summary,
        handler=handler,
        is_heavy=True,
        # It has no effect, and an answer is too large to be kept.
        keeps_answers=False,
        takes=takes,
        answers_in=(JSON, ARROW),
    )
    for path, handler, takes, summary in (
        (USAGE, _usage, SumUsage, "Sum up the usage of all customers."),
        (
            REAGGREGATE,
            _reaggregate,
            Reaggregate,
            "Recompute the summaries of all customers from the events alone.",
        ),
    )
    for method in _METHODS
)
