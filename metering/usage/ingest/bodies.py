"""Bodies: events in memory, as they came over a wire, in a format that was named.

They are read in place. A wire is not to be trusted: batches of an Arrow stream are checked
before anything looks into them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import pyarrow as pa
import pyarrow.parquet as pq

from ledger.usage.arrow import compute as pc
from metering.arguments.arrow_types import is_text
from metering.decoding.compression import Compression, decompressed, opened_pieces
from metering.errors import SourceError, SourceTooLargeError
from metering.usage.ingest.bounds.arrow_sizes import arrow_sizes
from metering.usage.ingest.bounds.limits import BODY_ROWS_MAX, UNPACK_FACTOR
from metering.usage.ingest.bounds.parquet_sizes import batches_of, plan_of_body
from metering.usage.ingest.bounds.pieces import in_pieces
from metering.usage.ingest.bounds.sizes import check_sizes, unpacked_max
from metering.usage.ingest.cloud_events import (
    event_in,
    event_of_data,
    events_in,
)
from metering.usage.ingest.files import (
    ColumnFile,
    LineFile,
    lines_of,
    numbered,
    readable,
)
from metering.usage.ingest.naming import Naming

_LONGEST_WORD = 4 << 10


class Format(Enum):
    """What a body can be; the value is what it is called."""

    ARROW = "an Arrow stream"
    PARQUET = "a Parquet file"
    NDJSON = "newline-delimited JSON"
    CLOUD_EVENT = "a CloudEvent"
    CLOUD_EVENTS = "a batch of CloudEvents"

    @property
    def is_cloud_events(self) -> bool:
        """Whether it is one of them, or many."""
        return self in {Format.CLOUD_EVENT, Format.CLOUD_EVENTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsBody:
    """Events in memory, to be ingested.

    Attributes:
        packed: how the content is compressed, None where it is not.
        attributes: of a CloudEvent in binary mode, whose data the content is.
        naming: names for rows without an identifier; None where they are made up.
        unpack_factor: how many times as long as it is it may be unpacked.
    """

    content: bytes
    format: Format
    packed: Compression | None = None
    attributes: Mapping[str, str] | None = None
    naming: Naming | None = None
    unpack_factor: int = UNPACK_FACTOR

    @property
    def name(self) -> str:
        """What it is called where it cannot be read."""
        return f"the body as {self.format.value}"

    def is_longer_than(self, most: int) -> bool:
        """Whether the content has more bytes than that, decompressed."""
        length = 0
        for piece in self.pieces():
            length += len(piece)
            if length > most:
                return True
        return False

    def pieces(self) -> Iterator[bytes]:
        """Return the content, decompressed piece by piece."""
        if self.packed is None:
            return iter([self.content])
        return decompressed(self.content, self.packed)

    def whole(self) -> bytes:
        """Return the content, decompressed."""
        return self.content if self.packed is None else b"".join(self.pieces())

    def opened(self) -> pa.NativeFile:
        """Return the content as a file, which is decompressed as it is read."""
        if self.packed is None:
            return pa.BufferReader(self.content)
        return pa.PythonFile(opened_pieces(self.pieces()), mode="r")


def open_body(body: EventsBody) -> ColumnFile | LineFile:
    """Begin to read a body.

    Raises:
        SourceError: it is not of its format.
        SourceTooLargeError: it asks for more than a body may.
    """
    match body.format:
        case Format.ARROW:
            return _open_arrow(body, pa.py_buffer(body.whole()))
        case Format.PARQUET:
            return _open_parquet(body, pa.py_buffer(body.whole()))
        case Format.NDJSON:
            lines = lines_of(body.name, body.opened)
            return LineFile(pieces=_counted(body.name, lines))
        case Format.CLOUD_EVENTS:
            return LineFile(pieces=in_pieces(events_in(body.whole())))
        case Format.CLOUD_EVENT if body.attributes is not None:
            return LineFile(
                pieces=in_pieces(event_of_data(body.attributes, body.whole()))
            )
        case Format.CLOUD_EVENT:
            return LineFile(pieces=in_pieces(event_in(body.whole())))


def _counted(name: str, pieces: Iterator[list[object]]) -> Iterator[list[object]]:
    """Refuse more lines than a body may have rows: blank ones take time, too."""
    lines = 0
    for piece in pieces:
        lines += len(piece)
        if lines > BODY_ROWS_MAX:
            raise SourceTooLargeError(
                name,
                f"more than {BODY_ROWS_MAX} rows",
                BODY_ROWS_MAX,
                "send it in several bodies",
            )
        yield piece


def _open_parquet(body: EventsBody, buffer: pa.Buffer) -> ColumnFile:
    most = unpacked_max(len(body.content), body.unpack_factor)
    with readable(body.name):
        plan = plan_of_body(buffer)
        check_sizes(body.name, plan.sizes, most)

        def opened(dictionaries: Sequence[str]) -> pq.ParquetFile:
            return pq.ParquetFile(
                pa.BufferReader(buffer),
                metadata=plan.metadata,
                read_dictionary=dictionaries,
                pre_buffer=False,
            )

        schema = opened(()).schema_arrow
        _check_names(schema)
    return ColumnFile(
        name=body.name,
        schema=schema,
        total_rows=plan.metadata.num_rows,
        batches=numbered(body.name, lambda: batches_of(plan, opened)),
        unpacked_max=most,
    )


def _open_arrow(body: EventsBody, buffer: pa.Buffer) -> ColumnFile:
    source = pa.BufferReader(buffer)
    most = unpacked_max(len(body.content), body.unpack_factor)
    with readable(body.name):
        check_sizes(body.name, arrow_sizes(buffer), most)
        stream = pa.ipc.open_stream(source)
        _check_names(stream.schema)

    def checked() -> Iterator[pa.RecordBatch]:
        for batch in stream:
            batch.validate(full=True)
            _check_words(body.name, batch)
            yield batch
        rest = buffer.size - source.tell()
        if rest:
            # Such as another stream, whose rows would be lost without a word.
            raise SourceError(f"Cannot read {body.name}: {rest} bytes follow its end")

    return ColumnFile(
        name=body.name,
        schema=stream.schema,
        total_rows=None,
        batches=numbered(body.name, checked),
        unpacked_max=most,
    )


def _check_words(name: str, batch: pa.RecordBatch) -> None:
    """Refuse words so long that a few bytes become gigabytes, a copy for each row."""
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if not pa.types.is_dictionary(column.type) or not len(column.dictionary):
            continue
        if not is_text(column.type.value_type):
            continue
        longest = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
        if longest > _LONGEST_WORD:
            raise SourceError(
                f"Cannot read {name}: a string of column {field.name!r} has {longest}"
                f" bytes; must be at most {_LONGEST_WORD}, or no dictionary",
                param=field.name,
            )


def _check_names(fields: Iterable[pa.Field]) -> None:
    """Check that the names of columns are strings, which Arrow takes on trust.

    Raises:
        UnicodeDecodeError: one of them is not.
    """
    for field in fields:
        # It is decoded whenever it is asked for.
        field.name.encode()
        if pa.types.is_struct(field.type):
            _check_names(field.type.fields)
