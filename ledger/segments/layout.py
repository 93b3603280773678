"""Layout of a segment: how commits of usage become one Parquet file, and back.

Version 1, promised to readers of the files: rows sorted by (event_name, customer,
timestamp, position) in byte order, the columns of `SEGMENT`. Under the key
``metering`` of the file's metadata stands a JSON object that says which log and which
positions the file holds and where each commit begins, so that the commits, and with
them the hash chain, are found again in the columns.

`content_hash` is XXH3-64 over all of an event but its timestamp and position,
`identifier_hash` over its name and identifier: both derived, kept so that what is
known of identifiers can be built anew without hashing every event again.
"""

import base64
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from ledger.entries import Commit
from ledger.errors import SegmentDamagedError
from ledger.facts.union import FACTS
from ledger.usage.arrow import parquet as pq
from ledger.usage.columns import (
    TIMESTAMP,
    USAGE,
    codes_of,
    empty_batch,
    positions_of,
    take_rows,
    timestamps_of,
    usage_rows,
)
from ledger.usage.content_hash import content_hashes
from ledger.usage.identifiers import identifier_hashes
from ledger.usage.rows import FEW, FewEvents, UsageEvents, concatenate_events

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData

LAYOUT_VERSION = 1
ROWS_IN_A_GROUP = 32_768
# Whoever reads a group has all of it in memory; rows with many labels are fewer.
_BYTES_IN_A_GROUP = 16 << 20

SEGMENT = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("recorded_at", TIMESTAMP, nullable=False),
        USAGE.field("event_name"),
        USAGE.field("customer"),
        USAGE.field("timestamp"),
        USAGE.field("value"),
        USAGE.field("identifier"),
        USAGE.field("payload"),
        pa.field("identifier_hash", pa.uint64(), nullable=False),
        pa.field("content_hash", pa.uint64(), nullable=False),
    ]
)

WORDS = ("event_name", "customer")
"""Columns of strings that repeat: read as words, by a dictionary for each group of rows."""

STORED = pa.schema(
    [
        field.with_type(pa.string()) if field.name in WORDS else field
        for field in SEGMENT
    ]
)
"""The columns as they are written: as words, every group would carry all of them."""

_METADATA_KEY = b"metering"
_DICTIONARIES = [
    "recorded_at",
    "event_name",
    "customer",
    "payload.key_value.key",
    "payload.key_value.value",
]
_HASHES = ("identifier_hash", "content_hash")
# Neighbours differ by little: smaller than zstd makes them, and read twice as fast.
_DIFFERENCES = ("position", "timestamp")


class _Inscription(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of a segment file."""

    layout_version: int
    epoch: str
    after: int
    up_to: int
    # int64, little endian, differences, zstd, base64.
    first_positions: str
    entry_counts: str
    recorded_at: str


class Boundaries(msgspec.Struct, frozen=True, kw_only=True):
    """Where the commits of a segment begin, as columns (int64) in the log's order."""

    first_positions: np.ndarray
    entry_counts: np.ndarray
    recorded_at: np.ndarray

    @classmethod
    def of(cls, commits: Sequence[Commit]) -> "Boundaries":
        """Note where commits begin."""
        return cls(
            first_positions=np.array([c.first_position for c in commits], np.int64),
            entry_counts=np.array([c.entry_count for c in commits], np.int64),
            recorded_at=np.array([c.recorded_at for c in commits], np.int64),
        )

    @property
    def positions(self) -> np.ndarray:
        """Position of each event (int64), in the log's order."""
        return positions_of(self.first_positions, self.entry_counts)


class SegmentEvents:
    """The events of some commits of usage, in the order of a segment.

    They are sorted and copied one group at a time, as a segment may be large.
    """

    def __init__(self, commits: list[Commit]) -> None:
        """Take the events of commits, of which the list is emptied."""
        self.boundaries = Boundaries.of(commits)
        parts = [_usage(commit) for commit in commits]
        commits.clear()
        batch = concatenate_events(parts)
        # Not needed while what is below is made of them.
        parts.clear()
        positions = self.boundaries.positions
        recorded_at = np.repeat(
            self.boundaries.recorded_at, self.boundaries.entry_counts
        )
        self.timestamps = timestamps_of(batch)
        self._order = np.lexsort(
            (self.timestamps, _ranks(batch, "customer"), _ranks(batch, "event_name"))
        )
        columns = {
            **dict(zip(batch.schema.names, batch.columns, strict=True)),
            "position": pa.array(positions),
            "recorded_at": pa.array(recorded_at).view(TIMESTAMP),
            "identifier_hash": pa.array(identifier_hashes(batch)),
            "content_hash": pa.array(content_hashes(batch)),
        }
        self._unsorted = pa.table(
            [columns[name] for name in SEGMENT.names], schema=SEGMENT
        )

    def __len__(self) -> int:
        """Count the events."""
        return int(self._unsorted.num_rows)

    def groups(self) -> Iterator[pa.Table]:
        """Return them in order, with the columns of `STORED`, a group of rows at a time."""
        width = max(1, self._unsorted.nbytes // max(1, len(self)))
        rows = max(1, min(ROWS_IN_A_GROUP, _BYTES_IN_A_GROUP // width))
        for start in range(0, len(self), rows):
            order = pa.array(self._order[start : start + rows])
            yield self._unsorted.take(order).cast(STORED).combine_chunks()


def encode_segment(
    rows: SegmentEvents, *, epoch: str, after: int, up_to: int
) -> pa.Buffer:
    """Write a segment as Parquet; equal segments give equal bytes."""
    boundaries = rows.boundaries
    inscription = _Inscription(
        layout_version=LAYOUT_VERSION,
        epoch=epoch,
        after=after,
        up_to=up_to,
        first_positions=_packed(boundaries.first_positions),
        entry_counts=_packed(boundaries.entry_counts),
        recorded_at=_packed(boundaries.recorded_at),
    )
    metadata = {_METADATA_KEY: msgspec.json.encode(inscription)}
    sink, codecs = pa.BufferOutputStream(), _codecs()
    with pq.ParquetWriter(
        sink,
        STORED.with_metadata(metadata),
        compression=codecs,
        compression_level={path: 1 for path in codecs if codecs[path] == "zstd"},
        column_encoding=dict.fromkeys(_DIFFERENCES, "DELTA_BINARY_PACKED"),
        use_dictionary=_DICTIONARIES,
        write_page_checksum=True,
    ) as writer:
        for group in rows.groups():
            writer.write_table(group)
    return sink.getvalue()


def read_inscription(metadata: "FileMetaData", name: str) -> _Inscription:
    """Read the metadata of a segment file.

    Raises:
        SegmentDamagedError: this release does not understand it.
    """
    encoded = (metadata.metadata or {}).get(_METADATA_KEY)
    if encoded is None:
        raise SegmentDamagedError(name, "it is no segment of a log")
    try:
        inscription = msgspec.json.decode(encoded, type=_Inscription)
    except msgspec.DecodeError as error:
        raise SegmentDamagedError(name, f"its metadata is broken: {error}") from error
    if inscription.layout_version > LAYOUT_VERSION:
        reason = (
            f"it has layout {inscription.layout_version}, this release reads layouts"
            f" up to {LAYOUT_VERSION}"
        )
        raise SegmentDamagedError(name, reason)
    return inscription


def read_boundaries(inscription: _Inscription) -> Boundaries:
    """Unpack where the commits of a segment begin."""
    return Boundaries(
        first_positions=_unpacked(inscription.first_positions),
        entry_counts=_unpacked(inscription.entry_counts),
        recorded_at=_unpacked(inscription.recorded_at),
    )


def usage_of_commits(
    table: pa.Table, boundaries: Boundaries, name: str
) -> Iterator[UsageEvents]:
    """Find the events of each commit of a segment again, in the log's order.

    Args:
        table: all rows of the segment, with at least the columns of usage and
            `position`.
        boundaries: where the commits begin.
        name: of the segment, for the error.

    Raises:
        SegmentDamagedError: the positions are not those of the commits.
    """
    positions = table.column("position").to_numpy()
    order = np.argsort(positions, kind="stable")
    if not np.array_equal(positions[order], boundaries.positions):
        raise SegmentDamagedError(name, "its positions are not those of its commits")
    counts = boundaries.entry_counts.tolist()
    batch = usage_batch_of(table)
    start = 0
    for run, are_few in _stretches(counts):
        end = start + sum(run)
        if are_few:
            rows = usage_rows(take_rows(batch, order[start:end]))
            at = 0
            for count in run:
                yield FewEvents(rows[at : at + count])
                at += count
        else:
            yield take_rows(batch, order[start:end])
        start = end


def usage_batch_of(table: pa.Table) -> pa.RecordBatch:
    """Take the columns of usage out of a segment's table, as one batch."""
    table = table.select(USAGE.names).unify_dictionaries().combine_chunks()
    batches = table.cast(USAGE).to_batches()
    if not batches:
        return empty_batch()
    (batch,) = batches
    return batch


def _stretches(counts: Sequence[int]) -> Iterator[tuple[list[int], bool]]:
    """Group neighbouring commits of few events, a thousand at most; the others alone."""
    few: list[int] = []
    for count in counts:
        if count <= FEW and len(few) < 1000:
            few.append(count)
            continue
        if few:
            yield few, True
            few = []
        if count <= FEW:
            few.append(count)
        else:
            yield [count], False
    if few:
        yield few, True


def _usage(commit: Commit) -> UsageEvents:
    assert not isinstance(commit.content, FACTS), "segments hold usage"
    return commit.content


def _ranks(batch: pa.RecordBatch, column: str) -> np.ndarray:
    """Rank the words of a column in byte order, for each row."""
    codes, words = codes_of(batch, column)
    known = list(words)
    rank_of_code = np.empty(len(known), np.int64)
    rank_of_code[sorted(range(len(known)), key=known.__getitem__)] = range(len(known))
    ranks: np.ndarray = rank_of_code[codes]
    return ranks


def leaves_of(column: str) -> tuple[str, ...]:
    """Name a column as Parquet does, which has two for a map."""
    if column == "payload":
        return ("payload.key_value.key", "payload.key_value.value")
    return (column,)


def _codecs() -> dict[str, str]:
    """Choose how each column is compressed."""
    leaves = [leaf for name in SEGMENT.names for leaf in leaves_of(name)]
    codecs = dict.fromkeys(leaves, "zstd")
    # Hashes do not compress, and differences are packed already.
    codecs |= dict.fromkeys((*_HASHES, *_DIFFERENCES), "none")
    # What every aggregation reads is worth a few more bytes.
    codecs["value"] = "lz4"
    return codecs


def _packed(numbers: np.ndarray) -> str:
    differences = np.diff(numbers, prepend=np.int64(0)).astype("<i8")
    packed = pa.compress(differences.tobytes(), codec="zstd", asbytes=True)
    return f"{len(numbers)}:{base64.b64encode(packed).decode()}"


def _unpacked(text: str) -> np.ndarray:
    count, _, packed = text.partition(":")
    raw = pa.decompress(
        base64.b64decode(packed), 8 * int(count), codec="zstd", asbytes=True
    )
    numbers: np.ndarray = np.cumsum(np.frombuffer(raw, "<i8"))
    return numbers
