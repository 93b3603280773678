"""Commits read back and checked: nothing that is stored is trusted.

A commit is decoded, counted, and its place in the hash chain recomputed from its
columns, so that a gap, a flipped bit or a foreign row is an error and never a number.
"""

from collections.abc import Iterator, Sequence

import msgspec
import pyarrow as pa
from sqlalchemy import Connection

from ledger.chain import chain_digest
from ledger.commits import CommitRow, commit_holding, commits_at, commits_between
from ledger.digest import facts_digest, usage_digest
from ledger.entries import Commit, CommitKind, Head
from ledger.errors import LogDamagedError
from ledger.facts import Fact, decode_facts
from ledger.few_events import decode_events

# What decoding bytes that somebody changed may come to.
_UNREADABLE = (
    pa.ArrowException,
    msgspec.DecodeError,
    OSError,
    OverflowError,
    ValueError,
)


def read_commits(
    connection: Connection, after: Head, up_to: int
) -> Iterator[tuple[Commit, Head]]:
    """Read the commits after a head, in order, each with the head that it makes.

    Raises:
        LogDamagedError: a position is missing, a body cannot be decoded, or the hash
            chain does not hold.
    """
    head = after
    for row in commits_between(connection, after.position, up_to):
        if row.first_position != head.position + 1:
            reason = f"the next commit begins at {row.first_position}"
            raise LogDamagedError(head.position + 1, reason)
        commit = decode_commit(row)
        is_usage = not isinstance(commit.content, tuple)
        expected = chain_digest(
            head.digest,
            first_position=commit.first_position,
            entry_count=commit.entry_count,
            recorded_at=commit.recorded_at,
            kind=CommitKind(row.kind),
            content=commit.content_digest,
        )
        if expected != commit.digest:
            raise LogDamagedError(
                commit.first_position, "its hash chain does not match what is stored"
            )
        head = Head(
            position=commit.last_position,
            facts_position=head.facts_position if is_usage else commit.last_position,
            recorded_at=commit.recorded_at,
            digest=commit.digest,
            epoch=head.epoch,
        )
        yield commit, head
    if head.position != up_to:
        reason = f"the log should go on to position {up_to}"
        raise LogDamagedError(head.position + 1, reason)


def read_commit_holding(connection: Connection, position: int) -> Commit:
    """Read the one commit that holds a position.

    Raises:
        LogDamagedError: no commit holds it, or its body cannot be decoded.
    """
    row = commit_holding(connection, position)
    if row is None or row.first_position + row.entry_count <= position:
        raise LogDamagedError(position, "no commit holds it")
    return decode_commit(row)


def read_commits_at(
    connection: Connection, first_positions: Sequence[int]
) -> list[Commit]:
    """Read the commits that begin at some positions, in the order of the log.

    Raises:
        LogDamagedError: one of them is absent, or its body is not what was committed.
    """
    commits = [decode_commit(row) for row in commits_at(connection, first_positions)]
    missing = set(first_positions) - {commit.first_position for commit in commits}
    if missing:
        raise LogDamagedError(min(missing), "no commit begins there")
    return commits


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


def _decode_body(
    kind: CommitKind, body: bytes
) -> tuple[pa.RecordBatch | tuple[Fact, ...], bytes]:
    if kind is CommitKind.FACTS:
        return decode_facts(body), facts_digest(body)
    events = decode_events(body)
    return events, usage_digest(events)
