"""Commits by position, wherever they lie: in rows of the database or in segments.

A commit's row may be gone by the time it is read, because another process has sealed it
meanwhile. Both places are read in one snapshot.
"""

import bisect
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from ledger.ancestry.ancestors import read_genesis
from ledger.commits import log_time, position_at, position_before
from ledger.database.store import Database
from ledger.entries import Commit, Head
from ledger.errors import LogDamagedError
from ledger.facts.instants import LogTime
from ledger.facts.union import Fact
from ledger.reading import (
    find_commit_holding,
    find_commits_at,
    read_commits,
    read_facts,
    sealed_commit,
)
from ledger.segments.catalog import read_segments
from ledger.segments.entry import Segment, segment_holding
from ledger.segments.reader import SegmentReader


class History:
    """Reads commits one by one. Thread-safe."""

    def __init__(self, database: Database, reader: SegmentReader) -> None:
        self._database = database
        self._reader = reader

    def commit_holding(self, position: int) -> Commit:
        """Read the commit that holds a position.

        Raises:
            LogDamagedError: no commit holds it, or it is not what was committed.
        """
        with self._database.read() as connection:
            place = _place_of(connection, position)
        # Without the snapshot: to read a segment takes time.
        return self._commit_in(place, position)

    def commit_seen_holding(self, connection: Connection, position: int) -> Commit:
        """Read what `commit_holding` does, in a database transaction that is open."""
        return self._commit_in(_place_of(connection, position), position)

    def _commit_in(self, place: Commit | Segment | None, position: int) -> Commit:
        if isinstance(place, Commit):
            return place
        if place is not None:
            for commit in self._sealed(place):
                if commit.first_position <= position <= commit.last_position:
                    return commit
        raise LogDamagedError(position, "no commit holds it")

    def commits_at(self, first_positions: Sequence[int]) -> list[Commit]:
        """Read the commits that begin at some positions, in the order of the log.

        Raises:
            LogDamagedError: one of them is absent, or is not what was committed.
        """
        with self._database.read() as connection:
            commits = find_commits_at(connection, first_positions)
            absent = set(first_positions) - {each.first_position for each in commits}
            segments = read_segments(connection) if absent else ()
        for segment in segments:
            if any(segment.after < first <= segment.up_to for first in absent):
                found = [c for c in self._sealed(segment) if c.first_position in absent]
                commits += found
                absent -= {commit.first_position for commit in found}
        if absent:
            raise LogDamagedError(min(absent), "no commit begins there")
        return sorted(commits, key=lambda commit: commit.first_position)

    def digest_at(self, position: int) -> bytes:
        """Return the hash chain up to and including the commit that holds a position.

        Of a sealed commit it follows from those of its segment, which are read.

        Raises:
            LogDamagedError: no commit holds it, or it is not what was committed.
        """
        with self._database.read() as connection:
            genesis = read_genesis(connection)
            if position == 0:
                return genesis.digest
            commit = find_commit_holding(connection, position)
            if commit is not None:
                return commit.digest
            segments = read_segments(connection)
            segment = segment_holding(segments, position)
            if segment is None:
                raise LogDamagedError(position, "no commit holds it")
            if position == segment.up_to:
                return segment.digest
            head = _head_at(segments, segment.after, genesis)
            commits = read_commits(
                connection, head, segment.up_to, segments, self._reader
            )
            # To the end: the segment's own digest is compared there.
            chain = [(commit.last_position, commit.digest) for commit, _ in commits]
        return next(digest for last, digest in chain if last >= position)

    def beginning(self) -> Head:
        """Return the head of the log before its first entry."""
        with self._database.read() as connection:
            return read_genesis(connection)

    def chain(self, start: int, up_to: int) -> Iterator[tuple[Head, Commit, Head]]:
        """Read the commits from one that holds a position to one that holds another.

        Returns:
            Each commit between the heads that it follows and that it makes.

        Raises:
            LogDamagedError: no commit holds them, or one is not what was committed.
        """
        with self._database.read() as connection:
            segments = read_segments(connection)
            held = [each.up_to for each in segments if each.up_to < start]
            head = _head_at(segments, max(held, default=0), read_genesis(connection))
            segment = segment_holding(segments, up_to)
            # To the segment's end, where its own digest is compared.
            end = up_to if segment is None else segment.up_to
            for commit, after in read_commits(
                connection, head, end, segments, self._reader
            ):
                if commit.last_position >= start and commit.first_position <= up_to:
                    yield head, commit, after
                head = after
                if segment is None and head.position >= up_to:
                    return

    def position_at(self, instant: int) -> int:
        """Find the last position recorded by an instant, 0 where nothing was.

        Args:
            instant: microseconds since 1970 UTC; what was recorded then is included.
        """
        with self._database.read() as connection:
            seen = _seen_at(connection, instant)
        # As above.
        return self._position_by(instant, seen)

    def position_seen_at(self, connection: Connection, instant: int) -> int:
        """Find what `position_at` finds, in a database transaction that is open."""
        return self._position_by(instant, _seen_at(connection, instant))

    def _position_by(self, instant: int, seen: "_SeenAt") -> int:
        position, time, segments = seen
        at = bisect.bisect_right(
            segments, instant, key=lambda each: time.of(each.up_to, each.recorded_at)
        )
        if at:
            position = max(position, segments[at - 1].up_to)
        if at < len(segments):
            # What it holds was recorded partly before.
            boundaries = self._reader.boundaries(segments[at])
            firsts = boundaries.first_positions
            before = time.of_many(firsts, boundaries.recorded_at) <= instant
            ends = firsts + boundaries.entry_counts - 1
            position = max(position, int(ends[before].max(initial=0)))
        return position

    def position_before(self, format_version: int) -> int:
        """Return where the log ended before it had a format, 0 where it began with it."""
        with self._database.read() as connection:
            return position_before(connection, format_version)

    def segments(self) -> tuple[Segment, ...]:
        """Read the catalog of segments, in the order of the log."""
        with self._database.read() as connection:
            return read_segments(connection)

    def facts(self, up_to: int) -> Iterator[tuple[int, int, Fact]]:
        """Read all facts up to a position; see `ledger.reading.read_facts`."""
        with self._database.read() as connection:
            yield from read_facts(connection, 0, up_to)

    def _sealed(self, segment: Segment) -> Iterator[Commit]:
        for first_position, recorded_at, events in self._reader.commits(segment):
            yield sealed_commit(first_position, recorded_at, events)


def _head_at(segments: Sequence[Segment], position: int, genesis: Head) -> Head:
    """Return the head that the log had where a segment ends, or at its beginning."""
    if not position:
        return genesis
    segment = segment_holding(segments, position)
    assert segment is not None, "a segment ends there"
    return segment.head(genesis.epoch)


class _SeenAt(NamedTuple):
    """What a snapshot says of an instant.

    Attributes:
        position: the last that was recorded by then, of the commits that are rows.
        time: of the log.
        segments: in which all others lie.
    """

    position: int
    time: LogTime
    segments: Sequence[Segment]


def _seen_at(connection: Connection, instant: int) -> _SeenAt:
    time = log_time(connection)
    position = position_at(connection, instant, time)
    return _SeenAt(position, time, read_segments(connection))


def _place_of(connection: Connection, position: int) -> Commit | Segment | None:
    """Return the commit that holds a position, or the segment that does."""
    commit = find_commit_holding(connection, position)
    return commit or segment_holding(read_segments(connection), position)
