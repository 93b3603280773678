"""Sealing: usage of the tail becomes segments, safely against a kill at any step.

A stretch of the log is read, its chain checked, its events sorted, written as Parquet,
read back and compared. Its name, made of its content, is noted in the database, and the
file is put durably into the segment store. Only then, in one database transaction under
the write lock, the catalog gets its row and the bodies are dropped. A kill before
leaves a file that the catalog does not name, which the next sealing removes; a kill
after leaves nothing to do.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from itertools import islice
from time import sleep

import pyarrow as pa
from sqlalchemy import Connection

from ledger.ancestry.ancestors import read_genesis
from ledger.background import BackgroundLoops, Backoff
from ledger.commits import read_head
from ledger.database.store import Database
from ledger.entries import Commit, Head
from ledger.errors import SegmentDamagedError, SegmentMissingError, StoreError
from ledger.facts.union import FACTS
from ledger.folds import FactFold
from ledger.reading import read_commits
from ledger.segments.catalog import (
    add_segment,
    begin_segment,
    begun_segments,
    end_segments,
    last_segment,
    read_segments,
)
from ledger.segments.entry import Segment, name_prefix, segment_name
from ledger.segments.in_database import DatabaseStore
from ledger.segments.layout import SegmentEvents, encode_segment
from ledger.segments.moving import MovingStore
from ledger.segments.parts import checksums_of
from ledger.segments.reader import SegmentReader
from ledger.segments.store import SegmentStore
from ledger.usage.arrow import parquet as pq
from ledger.usage.rows import content_bytes

_LOG = logging.getLogger(__name__)

ROWS_AT_MOST = 1 << 20
# Measured, sealing takes up to twice as much memory: events as they were read, and a copy.
_BYTES_AT_MOST = 128 << 20
# Each is a row to delete under the write lock, and some kilobytes while it is read.
_COMMITS_AT_MOST = 1 << 16
# Small commits are decoded by the interpreter. A thread that records meanwhile asks for it
# several times an event, and would wait each time until it is taken away, for 5 ms.
_COMMITS_BETWEEN_PAUSES = 64
_PAUSE_SECONDS = 0.00005
# It waits for the next sealing, and for nothing else.
_BACKOFF = Backoff(first_seconds=0.0, longest_seconds=0.0)

StepCallback = Callable[[int, int], None]
"""Receives the position reached and the last position."""


class Sealing:
    """Seals the log of a database into a segment store.

    Args:
        database: where the log is stored.
        store: where segments go.
        reader: reads them.
        background: is told whether space could be given back.
        fold: knows up to where usage may be sealed.
    """

    def __init__(
        self,
        database: Database,
        store: SegmentStore,
        reader: SegmentReader,
        fold: FactFold,
        background: BackgroundLoops,
    ) -> None:
        self._reclaiming = background.begin(
            "reclaiming", _BACKOFF, complain="Space was not given back", logger=_LOG
        )
        self._database = database
        self._store = store
        self._reader = reader
        self._fold = fold

    def seal(
        self,
        progress: StepCallback | None,
        is_wanted: Callable[[], bool],
        take_in: Callable[[], None],
        *,
        is_brief: bool,
    ) -> int:
        """Seal the usage recorded so far that may be, unless another process is sealing.

        Args:
            progress: is called after each segment.
            is_wanted: is asked once nobody else can seal, before anything is done.
            take_in: is called once segments were made, to know them as such.
            is_brief: whether to make one segment at most, and to move none.

        Returns:
            How many segments were made, or moved out of the database.
        """
        with self._database.alone_at("sealing") as is_ours:
            if not is_ours or not is_wanted():
                return 0
            self._sweep()
            made = 0
            with self._database.read() as connection:
                end = read_head(connection).position
                limit = self._fold.sealable_position(connection)
                end = end if limit is None else min(end, limit)
            stretches = iter(lambda: self._seal_stretch(end), None)
            for segment in islice(stretches, 1 if is_brief else None):
                made += 1
                if progress is not None:
                    progress(segment.up_to, end)
            if made:
                try:
                    # First: a bulk load that waits for the tail to be short can go on.
                    take_in()
                finally:
                    # Also where there is no room to take it in, which this may make.
                    self._reclaim()
            moved = 0 if is_brief else self._move(progress)
        return made + moved

    def _reclaim(self) -> None:
        try:
            self._database.reclaim()
        except StoreError as error:
            # The segments are sealed; the next sealing gives the space back.
            self._reclaiming.failed(error)
        else:
            self._reclaiming.succeeded()

    def _seal_stretch(self, end: int) -> Segment | None:
        """Seal the first stretch of the tail; None where there is no usage in it."""
        with self._database.read() as connection:
            sealed, genesis = last_segment(connection), read_genesis(connection)
            after = sealed.head(genesis.epoch) if sealed else genesis
            if after.position >= end:
                return None
            commits, head = self._stretch(connection, after, end)
        if not commits:
            return None
        segment, content = _made(commits, after, head)
        with self._database.write() as connection:
            begin_segment(connection, segment.name)
        self._store.put(segment.name, content)
        with self._database.write() as connection:
            # Another process may have swept the file away as left behind.
            if self._size(connection, segment.name) != segment.byte_count:
                raise SegmentMissingError(self._store.url, segment.name)
            return segment if add_segment(connection, segment) else None

    def _size(self, connection: Connection, name: str) -> int | None:
        if isinstance(self._store, DatabaseStore):
            return self._store.size_within(connection, name)
        return self._store.size(name)

    def _stretch(
        self, connection: Connection, after: Head, end: int
    ) -> tuple[list[Commit], Head]:
        """Read commits of usage after a head, as many as make a segment."""
        commits: list[Commit] = []
        reached, rows, size = after, 0, 0
        for commit, head in self._tail(connection, after, end):
            if isinstance(commit.content, FACTS):
                continue
            rows += commit.entry_count
            size += content_bytes(commit.content)
            is_full = rows > ROWS_AT_MOST or size > _BYTES_AT_MOST
            if commits and (is_full or len(commits) == _COMMITS_AT_MOST):
                break
            commits.append(commit)
            reached = head
            if len(commits) % _COMMITS_BETWEEN_PAUSES == 0:
                sleep(_PAUSE_SECONDS)
        return commits, reached

    def _tail(
        self, connection: Connection, after: Head, end: int
    ) -> Iterator[tuple[Commit, Head]]:
        return read_commits(connection, after, end, (), self._reader)

    def _move(self, progress: StepCallback | None) -> int:
        """Move segments out of the database, where the log was given a store since."""
        if not isinstance(self._store, MovingStore):
            return 0
        with self._database.read() as connection:
            segments = read_segments(connection)
            left = self._store.left(name_prefix(read_head(connection).epoch))
        moved = 0
        for segment in segments:
            if segment.name in left and self._store.move(segment):
                moved += 1
                if progress is not None:
                    progress(segment.up_to, segments[-1].up_to)
        return moved

    def _sweep(self) -> None:
        """Remove what sealings of this log that were killed left behind.

        Nothing else: what is not known here may be the segment of a log that was copied
        from this one, or that this one was copied from.
        """
        self._store.sweep()
        with self._database.read() as connection:
            begun = begun_segments(connection)
        if begun:
            with self._database.write() as connection:
                known = {segment.name for segment in read_segments(connection)}
                for name in sorted(begun - known):
                    self._store.remove(name)
                end_segments(connection, begun)


def _are_stored(rows: SegmentEvents, content: pa.Buffer) -> bool:
    """Whether a file holds some rows, group by group: two of them take much memory."""
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    groups = rows.groups()
    for number in range(file.num_row_groups):
        group = next(groups, None)
        if group is None or not file.read_row_group(number).equals(group):
            return False
    return next(groups, None) is None


def _made(commits: list[Commit], after: Head, head: Head) -> tuple[Segment, pa.Buffer]:
    """Make a segment, and read it back before anything relies on it.

    The list of commits is emptied: with a copy of all of them there is no room for both.
    """
    rows = SegmentEvents(commits)
    content = encode_segment(
        rows, epoch=head.epoch, after=after.position, up_to=head.position
    )
    sha256 = hashlib.sha256(content).digest()
    name = segment_name(head.epoch, after.position, head.position, sha256)
    if not _are_stored(rows, content):
        raise SegmentDamagedError(name, "what was written is not what was to be sealed")
    return (
        Segment(
            name=name,
            after=after.position,
            up_to=head.position,
            rows=len(rows),
            byte_count=content.size,
            sha256=sha256,
            checksums=checksums_of(content),
            digest=head.digest,
            facts_position=head.facts_position,
            recorded_at=head.recorded_at,
            earliest=int(rows.timestamps.min()),
            latest=int(rows.timestamps.max()),
        ),
        content,
    )
