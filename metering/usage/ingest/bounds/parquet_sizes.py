"""Sizes of Parquet files: what its pages unpack to, and how many rows to read at a time.

A column may be tiny in its file and huge in memory: a word of a dictionary stands in any
number of rows, and a page says itself how long it is decompressed. A footer is a claim,
and what is read goes by the headers of the pages; so those of a body are read first.

Source: https://github.com/apache/parquet-format, ``parquet.thrift`` and
``Encodings.md``, and the compact protocol of Thrift, in which headers are written.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from metering.usage.ingest.bounds.limits import (
    BODY_PAGES_MAX,
    BYTES_PER_PIECE,
    FOOTER_BYTES_MAX,
    ROWS_PER_PIECE,
)
from metering.usage.ingest.bounds.page_headers import PageHeader, PageKind, page_headers
from metering.usage.ingest.bounds.sizes import SourceSizes

_DICTIONARY_ENCODINGS = {"PLAIN_DICTIONARY", "RLE_DICTIONARY"}
_DELTA_STRINGS_CODE, _DICTIONARY_CODES = 7, {2, 8}
_STRINGS, _FIXED_BYTES = "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"
_BYTES_OF_A_VALUE = 8
_BYTES_AT_A_TIME = 2 * BYTES_PER_PIECE
_TAIL_BYTES = 8


@dataclass(slots=True)
class _Chunk:
    """A column of a row group.

    Attributes:
        unpacked: bytes of its pages.
        values: how many it has.
        dictionary: bytes of its dictionary.
        page: bytes of its largest other page.
        density: most bytes of a value on average over a page.
        has_words: whether values are words of the dictionary.
        has_delta: whether strings say only how they differ from the one before.
    """

    unpacked: int = 0
    values: int = 0
    dictionary: int = 0
    page: int = 0
    density: int = 0
    has_words: bool = False
    has_delta: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetReading:
    """How a file is read in bounded memory.

    Attributes:
        sizes: what it asks for.
        rows_at_a_time: how many rows to read together.
        dictionary_columns: paths of columns to be read as dictionaries.
    """

    sizes: SourceSizes
    rows_at_a_time: int
    dictionary_columns: tuple[str, ...]


def reading_of_file(metadata: pq.FileMetaData) -> ParquetReading:
    """Plan to read a file by what its footer says."""
    planning = _Planning(metadata)
    for group in range(metadata.num_row_groups):
        chunks = metadata.row_group(group)
        planning.add_group(
            _claimed(chunks.column(each)) for each in range(metadata.num_columns)
        )
    return planning.reading()


def reading_of_body(body: pa.Buffer) -> ParquetReading:
    """Plan to read a body by the headers of its pages.

    Raises:
        ArrowInvalid: it is no Parquet file, or its pages are not where it says, or too
            many, or it says too much about them.
    """
    length = int.from_bytes(body[-_TAIL_BYTES:].to_pybytes()[:4], "little")
    if length > FOOTER_BYTES_MAX:
        reason = f"Its footer has {length} bytes; must be at most {FOOTER_BYTES_MAX}"
        raise pa.ArrowInvalid(f"{reason}; write fewer row groups or columns")
    metadata = pq.read_metadata(pa.BufferReader(body))
    planning = _Planning(metadata)
    content = memoryview(body).cast("B")
    for group in range(metadata.num_row_groups):
        chunks = metadata.row_group(group)
        planning.add_group(
            planning.walked(content, chunks.column(each))
            for each in range(metadata.num_columns)
        )
    return planning.reading()


@dataclass(slots=True)
class _Planning:
    """A plan in the making."""

    metadata: pq.FileMetaData
    unpacked: int = 0
    at_once: int = 0
    widest: int = 1
    pages: int = 0
    dictionary_columns: dict[str, None] = field(default_factory=dict)

    def add_group(self, chunks: Iterable[_Chunk]) -> None:
        """Add the columns of a row group, in the order of the schema."""
        width = at_once = 0
        for number, chunk in enumerate(chunks):
            column = self.metadata.schema.column(number)
            self.unpacked += chunk.unpacked + chunk.values
            at_once += chunk.dictionary + chunk.page
            is_strings = column.physical_type == _STRINGS
            if is_strings and chunk.has_words:
                self.dictionary_columns[column.path] = None
            if is_strings:
                width += max(_BYTES_OF_A_VALUE, chunk.density)
                width += chunk.page if chunk.has_delta else 0
            elif column.physical_type == _FIXED_BYTES:
                width += max(_BYTES_OF_A_VALUE, column.length)
            else:
                width += _BYTES_OF_A_VALUE
            if column.max_repetition_level:
                # One row may have all of them.
                at_once += chunk.values * _BYTES_OF_A_VALUE
        self.at_once = max(self.at_once, at_once)
        self.widest = max(self.widest, width)

    def walked(self, body: memoryview, chunk: pq.ColumnChunkMetaData) -> _Chunk:
        """Go through the headers of a column's pages."""
        found = _Chunk()
        for header in _headers(body, chunk):
            self.pages += 1
            if self.pages > BODY_PAGES_MAX:
                reason = f"It has more than {BODY_PAGES_MAX} pages; write larger ones"
                raise pa.ArrowInvalid(reason)
            found.unpacked += header.unpacked
            if header.kind is PageKind.DICTIONARY:
                found.dictionary += header.unpacked
                continue
            found.values += header.values
            found.page = max(found.page, header.unpacked)
            if header.encoding in _DICTIONARY_CODES:
                found.has_words = True
            else:
                density = header.unpacked // max(1, header.values)
                found.density = max(found.density, density)
                found.has_delta |= header.encoding == _DELTA_STRINGS_CODE
        return found

    def reading(self) -> ParquetReading:
        """Return the plan."""
        rows = max(1, min(ROWS_PER_PIECE, _BYTES_AT_A_TIME // self.widest))
        return ParquetReading(
            sizes=SourceSizes(
                rows=self.metadata.num_rows,
                columns=self.metadata.num_columns,
                unpacked=self.unpacked,
                at_once=self.at_once,
            ),
            rows_at_a_time=rows,
            dictionary_columns=tuple(self.dictionary_columns),
        )


def _headers(body: memoryview, chunk: pq.ColumnChunkMetaData) -> Iterator[PageHeader]:
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
        start = chunk.dictionary_page_offset
    return page_headers(body, start, start + chunk.total_compressed_size)


def _claimed(chunk: pq.ColumnChunkMetaData) -> _Chunk:
    """Return what a footer says of a column; it says nothing of pages."""
    return _Chunk(
        unpacked=chunk.total_uncompressed_size,
        values=chunk.num_values,
        density=chunk.total_uncompressed_size // max(1, chunk.num_values),
        has_words=not _DICTIONARY_ENCODINGS.isdisjoint(chunk.encodings),
    )
