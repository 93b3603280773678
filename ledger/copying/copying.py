"""A log up to the end of one of its commits, copied into a database that has none.

Segments that end by then are named, and stay where they are. The rest becomes rows: all
facts, the usage of the tail, and that of a segment which ends behind the position, up to
it. All of it is one database transaction, so a copy is there as a whole or not at all.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from sqlalchemy import Connection, insert, select

from ledger.ancestry.ancestors import Lineage, insert_ancestors, read_genesis
from ledger.commits import (
    CommitRow,
    commit_holding,
    commits_between,
    fact_commits_between,
    insert_head,
    log_time,
)
from ledger.database.bulk import insert_rows
from ledger.entries import Commit, CommitKind, Head
from ledger.errors import LogDamagedError
from ledger.facts.union import FACTS
from ledger.reading import read_commits
from ledger.schema import (
    FORMAT_VERSION,
    log_commit,
    log_correction,
    log_upgrade,
)
from ledger.segments.catalog import insert_segment, read_segments
from ledger.segments.entry import Segment, segment_holding
from ledger.segments.reader import SegmentReader
from ledger.usage.rows import encode_events

_ROWS_AT_A_TIME = 4096
_BYTES_AT_A_TIME = 16 << 20


def commit_around(
    connection: Connection, reader: SegmentReader, position: int
) -> tuple[int, int]:
    """Return the first and the last position of the commit that holds a position.

    The empty log ends at position 0, as a commit would.

    Raises:
        LogDamagedError: none does.
    """
    if position == 0:
        return 0, 0
    row = commit_holding(connection, position)
    if row is not None and position < row.first_position + row.entry_count:
        return row.first_position, row.first_position + row.entry_count - 1
    segment = segment_holding(read_segments(connection), position)
    if segment is not None:
        bounds = reader.boundaries(segment)
        at = int(bounds.first_positions.searchsorted(position, "right")) - 1
        if at >= 0:
            first = int(bounds.first_positions[at])
            last = first + int(bounds.entry_counts[at]) - 1
            if position <= last:
                return first, last
    raise LogDamagedError(position, "no commit holds it")


def copy_log(
    source: Connection,
    reader: SegmentReader,
    at: int,
    target: Connection,
    lineage: Lineage,
) -> Head:
    """Copy a log up to a position, and return the head of the copy.

    Args:
        source: sees the log.
        reader: reads its segments.
        at: where a commit ends, or 0.
        target: is in the database transaction of `new_log`.
        lineage: of the copy, whose segments are those of the log up to the position.

    Raises:
        LogDamagedError, SegmentStoreError: the log is not what was committed.
    """
    segments = read_segments(source)
    whole = [each for each in segments if each.up_to <= at]
    genesis = read_genesis(source)
    start = whole[-1].head(genesis.epoch) if whole else genesis
    following = segments[len(whole) : len(whole) + 1]
    is_within = bool(following) and following[0].after < at
    rows = (
        _rows_within(source, start, at, segments, reader)
        if is_within
        else commits_between(source, start.position, at)
    )
    facts = fact_commits_between(source, 0, start.position)
    _insert_commits(target, facts, start)
    head = _insert_commits(target, rows, start)
    if head.position != at:
        reason = f"the log should go on to position {at}"
        raise LogDamagedError(head.position + 1, reason)
    for segment in whole:
        insert_segment(target, segment)
    _copy_notes(source, at, target)
    insert_ancestors(target, lineage.ancestors)
    head = msgspec.structs.replace(
        head, epoch=lineage.epoch, sealed_position=start.position
    )
    insert_head(target, head, FORMAT_VERSION)
    return head


def _rows_within(
    source: Connection,
    start: Head,
    at: int,
    segments: Sequence[Segment],
    reader: SegmentReader,
) -> Iterator[CommitRow]:
    """Read the commits after a head as rows, of which some lie in a segment."""
    usage = (
        _row_of(commit)
        for commit, _ in read_commits(source, start, at, segments, reader)
        if not isinstance(commit.content, FACTS)
    )
    # As they are stored: encoded anew, facts of an older release may differ.
    facts = fact_commits_between(source, start.position, at)
    return heapq.merge(usage, facts, key=lambda row: row.first_position)


def _row_of(commit: Commit) -> CommitRow:
    assert not isinstance(commit.content, FACTS), "it is a commit of usage"
    return CommitRow(
        first_position=commit.first_position,
        entry_count=commit.entry_count,
        kind=CommitKind.USAGE.value,
        recorded_at=commit.recorded_at,
        content_digest=commit.content_digest,
        digest=commit.digest,
        body=encode_events(commit.content),
    )


def _insert_commits(
    target: Connection, rows: Iterable[CommitRow], before: Head
) -> Head:
    """Insert commits, and return the head that they make after another one."""
    last, facts_position = None, before.facts_position
    portion: list[CommitRow] = []
    size = 0
    for row in rows:
        last = row
        if row.kind == CommitKind.FACTS.value:
            facts_position = row.first_position + row.entry_count - 1
        portion.append(row)
        size += len(row.body)
        if len(portion) == _ROWS_AT_A_TIME or size > _BYTES_AT_A_TIME:
            insert_rows(target, log_commit, portion)
            portion, size = [], 0
    insert_rows(target, log_commit, portion)
    if last is None:
        return before
    return msgspec.structs.replace(
        before,
        position=last.first_position + last.entry_count - 1,
        facts_position=facts_position,
        recorded_at=last.recorded_at,
        digest=bytes(last.digest),
    )


def _copy_notes(source: Connection, at: int, target: Connection) -> None:
    """Copy what is noted of the log beside its commits: corrections, and upgrades."""
    corrections = [
        tuple(each) for each in log_time(source).corrections if each.position <= at
    ]
    insert_rows(target, log_correction, corrections)
    for version, position in source.execute(select(log_upgrade)):
        # All of the copy is older than an upgrade that came later.
        row = {"format_version": version, "position": min(position, at)}
        target.execute(insert(log_upgrade), row)
