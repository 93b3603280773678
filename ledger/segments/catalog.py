"""The statements on the catalog of segments, one function each."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from ledger.database.rows import damaged_value, without_null
from ledger.entries import CommitKind
from ledger.schema import log_commit, log_head, log_sealing, log_segment
from ledger.segments.entry import Segment

_SEGMENTS = select(log_segment).order_by(log_segment.c.after)
_LAST = select(log_segment).order_by(log_segment.c.after.desc()).limit(1)
_MOVE_SEALED = (
    update(log_head)
    .where(log_head.c.log_id == 1, log_head.c.sealed_position == bindparam("known"))
    .values(sealed_position=bindparam("sealed"))
)
_DROP_USAGE = delete(log_commit).where(
    log_commit.c.first_position > bindparam("after"),
    log_commit.c.first_position <= bindparam("up_to"),
    log_commit.c.kind == CommitKind.USAGE.value,
)


def read_segments(connection: Connection) -> tuple[Segment, ...]:
    """Read all segments, in the order of the log."""
    rows = connection.execute(_SEGMENTS)
    return tuple(_segment(row) for row in rows)


def last_segment(connection: Connection) -> Segment | None:
    """Read the segment where the tail begins; None where nothing is sealed."""
    row = connection.execute(_LAST).first()
    return None if row is None else _segment(row)


def add_segment(connection: Connection, segment: Segment) -> bool:
    """Add a segment and drop the bodies that it holds, all under the write lock.

    Returns:
        False, with nothing changed, where another process has sealed the stretch.
    """
    moved = connection.execute(
        _MOVE_SEALED, {"known": segment.after, "sealed": segment.up_to}
    )
    if moved.rowcount != 1:
        return False
    insert_segment(connection, segment)
    connection.execute(_DROP_USAGE, {"after": segment.after, "up_to": segment.up_to})
    end_segments(connection, [segment.name])
    return True


def insert_segment(connection: Connection, segment: Segment) -> None:
    """Insert the row of a segment, and nothing else."""
    connection.execute(
        insert(log_segment),
        {
            "after": segment.after,
            "up_to": segment.up_to,
            "name": segment.name,
            "row_count": segment.rows,
            "byte_count": segment.byte_count,
            "sha256": segment.sha256,
            "checksums": segment.checksums,
            "digest": segment.digest,
            "facts_position": segment.facts_position,
            "recorded_at": segment.recorded_at,
            "earliest": segment.earliest,
            "latest": segment.latest,
        },
    )


def begin_segment(connection: Connection, name: str) -> None:
    """Note, under the write lock, that a file is about to be put into the store."""
    if name not in begun_segments(connection):
        connection.execute(insert(log_sealing), {"name": name})


def begun_segments(connection: Connection) -> set[str]:
    """Read the names of files that were begun, whatever became of them."""
    return set(connection.execute(select(log_sealing.c.name)).scalars())


def end_segments(connection: Connection, names: Collection[str]) -> None:
    """Forget files that were begun: they are in the catalog, or were removed."""
    connection.execute(delete(log_sealing).where(log_sealing.c.name.in_(sorted(names))))


def _segment(row: Row[Any]) -> Segment:
    without_null(row, *log_segment.columns)
    if not 0 <= row.facts_position <= row.up_to:
        # Or no append would ever seem to have been checked against the latest meters.
        column, key = log_segment.c.facts_position, {"after": row.after}
        raise damaged_value(column, f"it is {row.facts_position}", key)
    return Segment(
        name=row.name,
        after=row.after,
        up_to=row.up_to,
        rows=row.row_count,
        byte_count=row.byte_count,
        sha256=bytes(row.sha256),
        checksums=bytes(row.checksums),
        digest=bytes(row.digest),
        facts_position=row.facts_position,
        recorded_at=row.recorded_at,
        earliest=row.earliest,
        latest=row.latest,
    )
