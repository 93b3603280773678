"""Files of events: Parquet, Arrow, CSV and newline-delimited JSON.

Everything is read in bounded memory. Text formats may be compressed, and every cell of a
CSV file is read as text, so that no digit is lost on the way. What stands in quotes is
never null.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from metering.arguments.arrow_types import texts_of
from metering.decoding.compression import Compression, open_decompressed
from metering.decoding.encodings import LOOKED_AT_BYTES, UTF_16, is_utf_16
from metering.decoding.json_parsing import parse_json
from metering.errors import SourceError
from metering.usage.ingest.bounds.limits import (
    JSON_BYTES_PER_PIECE,
    LINE_BYTES_MAX,
    ROWS_PER_PIECE,
)
from metering.usage.ingest.bounds.parquet_sizes import batches_of, plan_of_file
from metering.usage.ingest.bounds.pieces import NumberedBatch

BLANK = object()
_COMPRESSIONS = {".gz": Compression.GZIP, ".zst": Compression.ZSTD}
_BYTES_AT_A_TIME = 8 << 20
# Blank lines may stand behind the last row.
_END_BYTES = 1 << 10
# An object, a list or a number takes that in memory, beside its text.
_BYTES_OF_AN_OBJECT = 56


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFile:
    """A file whose rows have the same columns.

    Attributes:
        name: what it is called where it cannot be read.
        unpacked_max: how many bytes its rows may take, None where that is anyone's own
            affair.
    """

    name: object
    schema: pa.Schema
    total_rows: int | None
    batches: Iterator[NumberedBatch]
    unpacked_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFile:
    """A file whose rows are objects.

    A ValueError stands for a row that is malformed, `BLANK` for a line without one.

    Attributes:
        pieces: the objects in order, as many together as bounded memory holds.
    """

    pieces: Iterator[list[object]]


class _Manner(NamedTuple):
    """How a file is read; see `open_file`."""

    compression: Compression | None
    null_values: Sequence[str]


def open_file(path: Path, *, null_values: Sequence[str]) -> ColumnFile | LineFile:
    """Begin to read a file in the format that its name ends in.

    Args:
        path: where it is.
        null_values: what stands for null in a cell of CSV without quotes, as an empty
            one does.

    Raises:
        SourceError: there is no such file, or it is not of that format.
    """
    with readable(path):
        exists = path.exists()
    if not exists:
        raise SourceError(f"There is no file {path}")
    ending = path.suffix.lower()
    compression = _COMPRESSIONS.get(ending)
    if compression is not None:
        ending = Path(path.stem).suffix.lower()
    opener = _OPENERS.get((ending, compression is not None))
    if opener is None:
        raise SourceError(
            f"Cannot tell the format of {path}: its name must end in .parquet, .arrow,"
            " .csv, .ndjson or .jsonl, the last three also in .gz or .zst after that"
        )
    with readable(path):
        return opener(path, _Manner(compression, null_values))


def digest_of_content(path: Path) -> str:
    """Return the SHA-256, in hexadecimal, of what a file holds, decompressed.

    What Parquet and Arrow compress lies within a file, and counts as it lies there.

    Raises:
        SourceError: it cannot be read.
    """
    digest = hashlib.sha256()
    compression = _COMPRESSIONS.get(path.suffix.lower())
    with readable(path), open_decompressed(str(path), compression) as file:
        while block := file.read(_BYTES_AT_A_TIME):
            digest.update(block)
    return digest.hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the SHA-256, in hexadecimal, of a file as it lies there.

    Raises:
        SourceError: it cannot be read.
    """
    with readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def readable(name: object) -> Iterator[None]:
    """Turn every failure to read something into one error that names it."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"Cannot read {name}: {reason}") from error


def _open_parquet(path: Path, _: _Manner) -> ColumnFile:
    # Opened once, as another file may take its place; mapped, it would count as memory.
    source = pa.OSFile(str(path))
    metadata = pq.read_metadata(source)

    def opened(dictionaries: Sequence[str]) -> pq.ParquetFile:
        return pq.ParquetFile(
            source,
            metadata=metadata,
            read_dictionary=dictionaries,
            pre_buffer=False,
            buffer_size=_BYTES_AT_A_TIME,
        )

    return ColumnFile(
        name=path,
        schema=opened(()).schema_arrow,
        total_rows=metadata.num_rows,
        batches=numbered(path, lambda: batches_of(plan_of_file(metadata), opened)),
    )


def _open_arrow(path: Path, _: _Manner) -> ColumnFile:
    source = pa.memory_map(str(path))
    try:
        file = pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        return ColumnFile(
            name=path,
            schema=stream.schema,
            total_rows=None,
            batches=numbered(path, lambda: iter(stream)),
        )
    return ColumnFile(
        name=path,
        schema=file.schema,
        total_rows=None,
        batches=numbered(
            path,
            lambda: (file.get_batch(at) for at in range(file.num_record_batches)),
        ),
    )


def _open_csv(path: Path, manner: _Manner) -> ColumnFile:
    names, has_rows = _header(path, manner.compression)
    if not has_rows:
        schema = pa.schema([(name, pa.string()) for name in names])
        return ColumnFile(name=path, schema=schema, total_rows=0, batches=iter(()))
    malformed: list[tuple[int, str]] = []

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        # Numbers count lines from 1, and the first line holds the names.
        fault = f"expected {row.expected_columns} columns, found {row.actual_columns}"
        if row.text is not None and (lines := row.text.strip().count("\n")):
            fault += f"; a quote in it goes on for {lines} more lines"
        malformed.append((row.number - 2, fault))
        return "skip"

    reader = pyarrow.csv.open_csv(
        open_decompressed(str(path), manner.compression),
        # Rows are numbered only when one thread parses them.
        pyarrow.csv.ReadOptions(use_threads=False, block_size=_BYTES_AT_A_TIME),
        pyarrow.csv.ParseOptions(invalid_row_handler=skip, newlines_in_values=True),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=["", *manner.null_values],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            # Looked at row by row, so that a bad one does not fail the others.
            check_utf8=False,
        ),
    )
    return ColumnFile(
        name=path,
        schema=reader.schema,
        total_rows=None,
        batches=numbered(path, lambda: _closed(path, manner, reader), malformed),
    )


def _closed(
    path: Path, manner: _Manner, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Check that no quote is open at the end: the rows behind it would be one cell.

    Raises:
        SourceError: one is.
    """
    last = next(batches, None)
    for batch in batches:
        if batch.num_rows:
            if last is not None:
                yield last
            last = batch
    if last is None:
        return
    if last.num_rows:
        cell = texts_of(last.columns[-1][-1:])[0] or ""
        # The parser takes the end of the file for the quote that is missing.
        if _ends_with_file(cell, path, manner.compression):
            lines = cell.count("\n")
            raise SourceError(
                f"Cannot read {path}: a quote in column {last.schema.names[-1]!r} is not"
                f" closed, {lines} lines before the end of the file; close it, or double"
                " it if it is part of the text"
            )
    yield last


def _ends_with_file(cell: str, path: Path, compression: Compression | None) -> bool:
    """Whether the last line of a cell is that of its file, without a quote behind it."""
    _, newline, line = cell.strip().encode(errors="surrogateescape").rpartition(b"\n")
    if not newline:
        return False
    end = b""
    with open_decompressed(str(path), compression) as file:
        while block := file.read(_BYTES_AT_A_TIME):
            end = (end + block)[-_END_BYTES:]
    last = end.rstrip().replace(b'""', b'"')
    return last.endswith((newline + line)[-_END_BYTES // 4 :])


def _open_ndjson(path: Path, manner: _Manner) -> LineFile:
    compression = manner.compression
    return LineFile(
        pieces=lines_of(path, lambda: open_decompressed(str(path), compression))
    )


def _header(path: Path, compression: Compression | None) -> tuple[list[str], bool]:
    """Read the names in a CSV file's first row.

    Returns:
        The names, and whether anything follows them.
    """
    with open_decompressed(str(path), compression) as file:
        block = file.read(_BYTES_AT_A_TIME)
    _check_encoding(path, block)
    skipped: list[pyarrow.csv.InvalidRow] = []

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        skipped.append(row)
        return "skip"

    parsing = pyarrow.csv.ParseOptions(
        invalid_row_handler=skip, newlines_in_values=True
    )
    reading = pyarrow.csv.ReadOptions(use_threads=False, block_size=_BYTES_AT_A_TIME)
    if len(block) == _BYTES_AT_A_TIME:
        # Not closed here: it is read ahead in another thread, which after a close could
        # read on from the next file that gets its number.
        stream = open_decompressed(str(path), compression)
        reader = pyarrow.csv.open_csv(stream, reading, parsing)
        return list(reader.schema.names), True
    # The parser takes a line of names that does not end for no file at all.
    table = pyarrow.csv.read_csv(pa.BufferReader(block + b"\n"), reading, parsing)
    has_rows = bool(table.num_rows or skipped)
    return list(table.schema.names), has_rows


def _check_encoding(name: object, start: bytes) -> None:
    if is_utf_16(start):
        raise SourceError(f"Cannot read {name}: {UTF_16}")


def numbered(
    name: object,
    read: Callable[[], Iterator[pa.RecordBatch]],
    malformed: list[tuple[int, str]] | None = None,
) -> Iterator[NumberedBatch]:
    """Number the rows of batches.

    Args:
        name: what they are called where they cannot be read.
        read: begins to read them.
        malformed: number and fault of rows that are skipped; grows meanwhile.
    """
    first = 0
    with readable(name):
        for batch in read():
            # The parser may be ahead: what it skipped behind this batch has to wait.
            skipped: list[tuple[int, str]] = []
            while malformed and malformed[0][0] <= first + batch.num_rows + len(
                skipped
            ):
                skipped.append(malformed.pop(0))
            numbers = np.arange(first, first + batch.num_rows + len(skipped))
            if skipped:
                numbers = np.setdiff1d(numbers, [number for number, _ in skipped])
            first += batch.num_rows + len(skipped)
            yield NumberedBatch(batch, numbers, skipped)
        if malformed:
            nothing = pa.RecordBatch.from_pylist([])
            yield NumberedBatch(nothing, np.zeros(0, np.int64), malformed)


def lines_of(name: object, read: Callable[[], pa.NativeFile]) -> Iterator[list[object]]:
    """Read JSON line by line, in pieces, as a `LineFile` has it.

    Args:
        name: what it is called where it cannot be read.
        read: opens it.
    """
    piece: list[object] = []
    size = 0
    with readable(name), read() as file:
        lines = io.BufferedReader(file, LINE_BYTES_MAX)
        _check_encoding(name, lines.peek(LOOKED_AT_BYTES))
        while line := lines.readline(LINE_BYTES_MAX):
            piece.append(_object_in(line, lines))
            size += _size_of(line)
            if size >= JSON_BYTES_PER_PIECE or len(piece) == ROWS_PER_PIECE:
                yield piece
                piece, size = [], 0
        if piece:
            yield piece


def _object_in(line: bytes, lines: io.BufferedReader) -> object:
    if len(line) == LINE_BYTES_MAX and not line.endswith(b"\n"):
        _skip_line(lines)
        return ValueError(f"the line is longer than {LINE_BYTES_MAX} bytes")
    try:
        return parse_json(line) if line.strip() else BLANK
    except ValueError as error:
        return error


def _size_of(line: bytes) -> int:
    """Return about how much memory the JSON of a line takes when it is parsed."""
    objects = line.count(b",") + line.count(b"[") + line.count(b"{")
    return len(line) + _BYTES_OF_AN_OBJECT * objects


def _skip_line(lines: io.BufferedReader) -> None:
    while (rest := lines.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
        pass


_OPENERS: dict[tuple[str, bool], Callable[[Path, _Manner], ColumnFile | LineFile]] = {
    (".parquet", False): _open_parquet,
    (".arrow", False): _open_arrow,
    **{
        (ending, is_compressed): opener
        for ending, opener in (
            (".csv", _open_csv),
            (".ndjson", _open_ndjson),
            (".jsonl", _open_ndjson),
        )
        for is_compressed in (False, True)
    },
}
