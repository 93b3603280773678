"""Sizes of Parquet files: what its pages unpack to, and how many rows to read at a time.

A column may be tiny in its file and huge in memory: a word of a dictionary stands in any
number of rows, and a page says itself how long it is decompressed. A footer is a claim,
and what is read goes by the headers of the pages; so those of a body are read first.

Source: https://github.com/apache/parquet-format, ``parquet.thrift`` and
``Encodings.md``, and the compact protocol of Thrift, in which headers are written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from ledger.usage.arrow import compute as pc
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
_BYTES_AT_A_TIME = 4 * BYTES_PER_PIECE
# Longer ones are not written out for each row until it is known how many that are.
_LONG_WORD = 256
# Strings that say how they differ are decoded before they are copied.
_TIMES_DECODED = 4
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
class RowGroup:
    """A row group, as it is read.

    Attributes:
        rows: how many it has.
        width: most bytes of a row, but for columns with dictionaries.
        words: paths of columns with dictionaries, each with the bytes of its pages.
    """

    rows: int
    width: int
    words: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetPlan:
    """What a file asks for, and how it is read in bounded memory."""

    metadata: pq.FileMetaData
    sizes: SourceSizes
    groups: tuple[RowGroup, ...]


def plan_of_file(metadata: pq.FileMetaData) -> ParquetPlan:
    """Plan to read a file by what its footer says."""
    planning = _Planning(metadata)
    for group in range(metadata.num_row_groups):
        chunks = metadata.row_group(group)
        planning.add_group(
            chunks.num_rows,
            (_claimed(chunks.column(each)) for each in range(metadata.num_columns)),
        )
    return planning.plan()


def plan_of_body(body: pa.Buffer) -> ParquetPlan:
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
            chunks.num_rows,
            (
                planning.walked(content, chunks.column(each))
                for each in range(metadata.num_columns)
            ),
        )
    return planning.plan()


def batches_of(
    plan: ParquetPlan, open_file: Callable[[Sequence[str]], pq.ParquetFile]
) -> Iterator[pa.RecordBatch]:
    """Read the rows of a file, few at a time where they are wide.

    Columns with long words come as dictionaries.

    Args:
        plan: how.
        open_file: opens it, with columns of some paths to be read as dictionaries.
    """
    for number, group in enumerate(plan.groups):
        width = group.width
        long: tuple[str, ...] = ()
        if sum(group.words.values()) * group.rows > _BYTES_AT_A_TIME:
            longest = _longest_words(open_file, number, group.words)
            long = tuple(path for path, each in longest.items() if each > _LONG_WORD)
            width += sum(min(each, _LONG_WORD) for each in longest.values())
        rows = max(1, min(ROWS_PER_PIECE, _BYTES_AT_A_TIME // width))
        yield from open_file(long).iter_batches(rows, row_groups=[number])


def _longest_words(
    open_file: Callable[[Sequence[str]], pq.ParquetFile],
    group: int,
    paths: Mapping[str, int],
) -> dict[str, int]:
    """Return by path how long a word can be, in bytes."""
    found: dict[str, int] = {}
    for path in paths:
        # A dictionary comes whole, with the first row.
        batches = open_file([path]).iter_batches(1, row_groups=[group], columns=[path])
        batch = next(batches, None)
        if batch is None:
            # The footer claims rows that no page has.
            continue
        column = batch.column(0)
        while pa.types.is_nested(column.type):
            column = _inner(column)
        found[path] = paths[path]
        if pa.types.is_dictionary(column.type):
            found[path] = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
    return found


def _inner(column: pa.Array) -> pa.Array:
    """Return what the one column that was read of a nested one lies in."""
    if pa.types.is_map(column.type):
        is_keys = pa.types.is_dictionary(column.type.key_type)
        return column.keys if is_keys else column.items
    return column.field(0) if pa.types.is_struct(column.type) else column.values


@dataclass(slots=True)
class _Planning:
    """A plan in the making."""

    metadata: pq.FileMetaData
    unpacked: int = 0
    at_once: int = 0
    pages: int = 0
    groups: list[RowGroup] = field(default_factory=list)

    def add_group(self, rows: int, chunks: Iterable[_Chunk]) -> None:
        """Add the columns of a row group, in the order of the schema."""
        width = 1
        at_once = 0
        words: dict[str, int] = {}
        for number, chunk in enumerate(chunks):
            column = self.metadata.schema.column(number)
            self.unpacked += chunk.unpacked + chunk.values
            at_once += chunk.dictionary + chunk.page
            if column.physical_type == _STRINGS:
                width += max(_BYTES_OF_A_VALUE, chunk.density)
                width += _TIMES_DECODED * chunk.page if chunk.has_delta else 0
                if chunk.has_words and column.logical_type.type != "DECIMAL":
                    words[column.path] = chunk.unpacked
            elif column.physical_type == _FIXED_BYTES:
                width += max(_BYTES_OF_A_VALUE, column.length)
            else:
                width += _BYTES_OF_A_VALUE
            if column.max_repetition_level:
                # One row may have all of them.
                at_once += chunk.values * _BYTES_OF_A_VALUE
        self.at_once = max(self.at_once, at_once)
        self.groups.append(RowGroup(rows=rows, width=width, words=words))

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

    def plan(self) -> ParquetPlan:
        """Return the plan."""
        return ParquetPlan(
            metadata=self.metadata,
            sizes=SourceSizes(
                rows=self.metadata.num_rows,
                columns=self.metadata.num_columns,
                unpacked=self.unpacked,
                at_once=self.at_once,
            ),
            groups=tuple(self.groups),
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
