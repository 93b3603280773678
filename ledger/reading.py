"""Commits read back and checked: nothing that is stored is trusted.

A commit is decoded, counted, and its place in the hash chain recomputed from its
columns, so that a gap, a flipped bit or a foreign row is an error and never a number.
Where a commit lies, in a row of the database or in a segment, makes no difference.
"""

import heapq
import struct
from collections.abc import Iterator, Sequence

import msgspec
import pyarrow as pa
from sqlalchemy import Connection

from ledger.commits import (
    CommitRow,
    clear_corrections,
    commit_holding,
    commits_at,
    commits_between,
    fact_commits_between,
    insert_correction,
    log_time,
    read_head,
)
from ledger.entries import Commit, CommitKind, Head, chain_digest
from ledger.errors import LogDamagedError, SegmentDamagedError
from ledger.facts.credits.settlements import SettledInvoices
from ledger.facts.instants import LogTime, TimeCorrection
from ledger.facts.log_time import LogTimeCorrected
from ledger.facts.union import FACTS, Fact, Facts, RecordedFacts, decode_facts
from ledger.segments.entry import Segment
from ledger.segments.reader import SegmentReader
from ledger.usage.digest import facts_digest
from ledger.usage.rows import UsageEvents, decode_events, events_digest

_CORRECTED = f'"{LogTimeCorrected.__struct_config__.tag}"'.encode()
# What decoding bytes that were changed may raise.
_UNREADABLE = (
    pa.ArrowException,
    msgspec.DecodeError,
    struct.error,
    OSError,
    ArithmeticError,
    TypeError,
    ValueError,
)


def read_commits(
    connection: Connection,
    after: Head,
    up_to: int,
    segments: Sequence[Segment],
    reader: SegmentReader,
) -> Iterator[tuple[Commit, Head]]:
    """Read the commits after a head, in order, each with the head that it makes.

    Args:
        connection: sees the log.
        after: any head that the log had.
        up_to: the last position to read.
        segments: of the log, as the connection sees them.
        reader: reads them.

    Raises:
        LogDamagedError: a position is missing, a body cannot be decoded, or the hash
            chain does not hold.
        SegmentMissingError, SegmentDamagedError: a segment cannot be read.
    """
    head = after
    ends = {segment.up_to: segment for segment in segments}
    for stored, is_row in _stored(connection, after.position, up_to, segments, reader):
        if stored.first_position != head.position + 1:
            reason = f"the next commit begins at {stored.first_position}"
            raise LogDamagedError(head.position + 1, reason)
        commit, head = _chained(head, stored, is_row=is_row)
        segment = ends.get(head.position)
        if segment is not None and segment.digest != head.digest:
            reason = "the hash chain does not lead where it did when it was sealed"
            raise SegmentDamagedError(segment.name, reason)
        yield commit, head
    if head.position != up_to:
        reason = f"the log should go on to position {up_to}"
        raise LogDamagedError(head.position + 1, reason)


def read_facts(
    connection: Connection, after: int, up_to: int
) -> Iterator[tuple[int, int, Fact]]:
    """Read the facts after a position and up to another, as they count.

    Returns:
        For each its position, when it counts as recorded (microseconds since 1970 UTC),
        and the fact.

    Raises:
        LogDamagedError: one of them is not what was committed.
    """
    time = log_time(connection)
    for row in fact_commits_between(connection, after, up_to):
        yield from facts_of(decode_commit(row), time)


def read_fact_commits(
    connection: Connection, after: int, up_to: int
) -> Iterator[Commit]:
    """Read the commits of facts after a position and up to another.

    Raises:
        LogDamagedError: one of them is not what was committed.
    """
    for row in fact_commits_between(connection, after, up_to):
        yield decode_commit(row)


def read_recorded(
    connection: Connection, after: int, up_to: int
) -> Iterator[RecordedFacts]:
    """Read facts as `read_facts` does, but leave those together that are columns."""
    time = log_time(connection)
    for row in fact_commits_between(connection, after, up_to):
        yield from recorded_of(decode_commit(row), time)


def recorded_of(commit: Commit, time: LogTime) -> Iterator[RecordedFacts]:
    """Return the facts of a commit as `read_recorded` does; none of a commit of usage."""
    if isinstance(commit.content, SettledInvoices):
        recorded_at = time.of(commit.first_position, commit.recorded_at)
        yield commit.first_position, recorded_at, commit.content
    else:
        yield from facts_of(commit, time)


def facts_of(commit: Commit, time: LogTime) -> Iterator[tuple[int, int, Fact]]:
    """Return the facts of a commit as `read_facts` does; none of a commit of usage."""
    if isinstance(commit.content, FACTS):
        yield from time.of_facts(
            commit.first_position, commit.recorded_at, commit.content
        )


def find_corrections(connection: Connection) -> None:
    """Find the corrections of the log's time in the log, and keep them anew.

    Raises:
        LogDamagedError: one of them is not what was committed.
    """
    clear_corrections(connection)
    for row in fact_commits_between(connection, 0, read_head(connection).position):
        # Few of very many commits have one, and each would have to be decoded.
        if _CORRECTED in bytes(row.body):
            for correction in corrections_of(decode_commit(row)):
                insert_correction(connection, correction)


def corrections_of(commit: Commit) -> list[TimeCorrection]:
    """Return how a commit corrects the log's time."""
    return [
        TimeCorrection.of(fact, position)
        for position, fact in enumerate(commit.single_facts, commit.first_position)
        if isinstance(fact, LogTimeCorrected)
    ]


def _stored(
    connection: Connection,
    after: int,
    up_to: int,
    segments: Sequence[Segment],
    reader: SegmentReader,
) -> Iterator[tuple[Commit, bool]]:
    """Read commits in the order of the log, each with whether it is a row."""
    rows = (
        (decode_commit(row), True) for row in commits_between(connection, after, up_to)
    )
    if not segments or segments[-1].up_to <= after:
        return rows
    sealed = ((each, False) for each in _sealed(after, up_to, segments, reader))
    return heapq.merge(sealed, rows, key=lambda stored: stored[0].first_position)


def _sealed(
    after: int, up_to: int, segments: Sequence[Segment], reader: SegmentReader
) -> Iterator[Commit]:
    for segment in segments:
        if segment.up_to <= after or segment.after >= up_to:
            continue
        for first_position, recorded_at, events in reader.commits(segment):
            if after < first_position <= up_to:
                yield sealed_commit(first_position, recorded_at, events)


def sealed_commit(first_position: int, recorded_at: int, events: UsageEvents) -> Commit:
    """Return a commit of a segment, without a digest.

    What comes before would have to be read to know it.
    """
    return Commit(
        first_position=first_position,
        recorded_at=recorded_at,
        content=events,
        content_digest=events_digest(events),
        digest=b"",
    )


def _chained(head: Head, commit: Commit, *, is_row: bool) -> tuple[Commit, Head]:
    """Find a commit's place in the chain."""
    is_facts = isinstance(commit.content, FACTS)
    count = len(commit.content)
    digest = chain_digest(
        head.digest,
        first_position=commit.first_position,
        entry_count=count,
        recorded_at=commit.recorded_at,
        kind=CommitKind.FACTS if is_facts else CommitKind.USAGE,
        content=commit.content_digest,
    )
    if not is_row:
        commit = msgspec.structs.replace(commit, digest=digest)
    elif commit.digest != digest:
        raise LogDamagedError(
            commit.first_position, "its hash chain does not match what is stored"
        )
    position = head.position + count
    return commit, Head(
        position=position,
        facts_position=position if is_facts else head.facts_position,
        recorded_at=commit.recorded_at,
        digest=digest,
        epoch=head.epoch,
        sealed_position=head.sealed_position,
    )


def find_commit_holding(connection: Connection, position: int) -> Commit | None:
    """Read the one commit that holds a position; None where no row does.

    Raises:
        LogDamagedError: its body is not what was committed.
    """
    row = commit_holding(connection, position)
    if row is None or row.first_position + row.entry_count <= position:
        return None
    return decode_commit(row)


def find_commits_at(
    connection: Connection, first_positions: Sequence[int]
) -> list[Commit]:
    """Read those commits that are rows and begin at some positions, in order.

    Raises:
        LogDamagedError: the body of one is not what was committed.
    """
    return [decode_commit(row) for row in commits_at(connection, first_positions)]


def decode_commit(row: CommitRow) -> Commit:
    """Decode a stored commit, count its entries, and compare their digest."""
    try:
        content, digest = _decode_body(CommitKind(row.kind), bytes(row.body))
    except _UNREADABLE as error:
        reason = f"its body cannot be decoded: {error}"
        raise LogDamagedError(row.first_position, reason) from error
    if len(content) != row.entry_count:
        reason = f"{row.entry_count} entries were committed, {len(content)} are stored"
        raise LogDamagedError(row.first_position, reason)
    if digest != bytes(row.content_digest):
        reason = "what is stored is not what was committed"
        raise LogDamagedError(row.first_position, reason)
    return Commit(
        first_position=row.first_position,
        recorded_at=row.recorded_at,
        content=content,
        content_digest=digest,
        digest=bytes(row.digest),
    )


def _decode_body(kind: CommitKind, body: bytes) -> tuple[UsageEvents | Facts, bytes]:
    if kind is CommitKind.FACTS:
        return decode_facts(body), facts_digest(body)
    events = decode_events(body)
    return events, events_digest(events)
