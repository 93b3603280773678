"""The statements on the log's tables, one function each."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    bindparam,
    case,
    cast,
    delete,
    extract,
    func,
    insert,
    literal_column,
    select,
)

from ledger.database.connections import DriverStatement
from ledger.entries import CommitKind, Head
from ledger.errors import LogDamagedError
from ledger.facts.instants import LogTime, TimeCorrection
from ledger.schema import log_commit, log_correction, log_head, log_upgrade


class CommitRow(NamedTuple):
    """A commit as it is stored."""

    first_position: int
    entry_count: int
    kind: str
    recorded_at: int
    content_digest: bytes
    digest: bytes
    body: bytes


# The driver converts nothing, and SQLite keeps a value of any type in any column.
_TYPES_OF_HEAD = (int, int, int, int, bytes, str)
_TYPES_OF_COMMIT = (int, int, str, int, bytes, bytes, bytes)
_LAST = 2**62
_KINDS = {each.value for each in CommitKind}
_ROWS_AT_A_TIME = 4096
_BODY_BYTES_AT_A_TIME = 32 << 20

HEAD_COLUMNS = (
    log_head.c.position,
    log_head.c.facts_position,
    log_head.c.sealed_position,
    log_head.c.recorded_at,
    log_head.c.digest,
    log_head.c.epoch,
)
_HEAD = DriverStatement(select(*HEAD_COLUMNS))
# Its time now, and not when the database transaction began.
SERVER_TIME = cast(
    extract("epoch", func.clock_timestamp()) * literal_column("1000000"), BigInteger
)
_HEAD_AND_TIME = DriverStatement(select(*HEAD_COLUMNS, SERVER_TIME))
_COMMITS = select(
    log_commit.c.first_position,
    log_commit.c.entry_count,
    log_commit.c.kind,
    log_commit.c.recorded_at,
    log_commit.c.content_digest,
    log_commit.c.digest,
    log_commit.c.body,
)
_COMMITS_BETWEEN = DriverStatement(
    _COMMITS.where(
        log_commit.c.first_position > bindparam("after"),
        log_commit.c.first_position <= bindparam("up_to"),
    )
    .order_by(log_commit.c.first_position)
    .limit(bindparam("at_most"))
)
_FACTS_BETWEEN = DriverStatement(
    _COMMITS.where(
        log_commit.c.kind == literal_column(f"'{CommitKind.FACTS.value}'"),
        log_commit.c.first_position > bindparam("after"),
        log_commit.c.first_position <= bindparam("up_to"),
    )
    .order_by(log_commit.c.first_position)
    .limit(bindparam("at_most"))
)
_COMMITS_AT = _COMMITS.where(
    log_commit.c.first_position.in_(bindparam("first_positions", expanding=True))
).order_by(log_commit.c.first_position)
_POSITION_AT = select(
    func.coalesce(
        func.max(log_commit.c.first_position + log_commit.c.entry_count - 1),
        bindparam("after", type_=BigInteger()),
    )
).where(
    log_commit.c.recorded_at <= bindparam("instant"),
    log_commit.c.first_position > bindparam("after"),
    log_commit.c.first_position <= bindparam("up_to"),
)


def _bisection() -> Select[Any]:
    """Bisect the positions up to `end`, in which commits lie in the order of time."""
    bounds = select(
        bindparam("start", type_=BigInteger()).label("low"),
        bindparam("end", type_=BigInteger()).label("high"),
    ).cte("bounds", recursive=True)
    middle = (bounds.c.low + bounds.c.high + 1) // 2
    recorded_at = (
        select(log_commit.c.recorded_at)
        .where(log_commit.c.first_position <= middle)
        .order_by(log_commit.c.first_position.desc())
        .limit(1)
        .correlate(bounds)
        .scalar_subquery()
    )
    is_by_then = recorded_at <= bindparam("instant", type_=BigInteger())
    bounds = bounds.union_all(
        select(
            case((is_by_then, middle), else_=bounds.c.low),
            case((is_by_then, bounds.c.high), else_=middle - 1),
        ).where(bounds.c.low < bounds.c.high)
    )
    return select(bounds.c.low).where(bounds.c.low == bounds.c.high)


_FACTS_BY = _bisection()
_CORRECTIONS = select(
    log_correction.c.position, log_correction.c.corrected_to, log_correction.c.after
).order_by(log_correction.c.position)
_COMMIT_HOLDING = (
    _COMMITS.where(log_commit.c.first_position <= bindparam("position"))
    .order_by(log_commit.c.first_position.desc())
    .limit(1)
)


def insert_head(connection: Connection, head: Head, format_version: int) -> None:
    """Insert the head of a new log."""
    row = msgspec.structs.asdict(head)
    connection.execute(
        insert(log_head), row | {"log_id": 1, "format_version": format_version}
    )


def read_head(connection: Connection) -> Head:
    """Read where the log ends.

    Raises:
        LogDamagedError: the row that says so is not there, or holds something else.
    """
    return head_of(_HEAD.run(connection, {}).fetchall())


def read_head_and_time(connection: Connection) -> tuple[Head, int | None]:
    """Read where the log ends, and the server's clock, in one statement.

    Returns:
        The head, and the time in microseconds since 1970 UTC; None where the database
        has no server.

    Raises:
        LogDamagedError: as of `read_head`.
    """
    if connection.dialect.name != "postgresql":
        return read_head(connection), None
    rows = _HEAD_AND_TIME.run(connection, {}).fetchall()
    head = head_of([row[:-1] for row in rows])
    return head, int(rows[0][-1])


def head_of(rows: Sequence[Sequence[Any]]) -> Head:
    """Return where the log ends, by the rows of `HEAD_COLUMNS`.

    Raises:
        LogDamagedError: as of `read_head`.
    """
    if len(rows) != 1:
        raise LogDamagedError(0, f"its head has {len(rows)} rows")
    [row] = rows
    if tuple(map(type, row)) != _TYPES_OF_HEAD:
        raise LogDamagedError(0, "its head holds values of other types")
    position, facts_position, sealed_position, recorded_at, digest, epoch = row
    return Head(
        position=position,
        facts_position=facts_position,
        recorded_at=recorded_at,
        digest=digest,
        epoch=epoch,
        sealed_position=sealed_position,
    )


def commits_between(
    connection: Connection, after: int, up_to: int
) -> Iterator[CommitRow]:
    """Read the commits that begin after one position and up to another, in order.

    Rows come in portions, so that a long log does not have to fit in memory.
    """
    return _in_portions(connection, _COMMITS_BETWEEN, after, up_to)


def fact_commits_between(
    connection: Connection, after: int, up_to: int
) -> Iterator[CommitRow]:
    """Read the commits of facts among those that `commits_between` reads."""
    return _in_portions(connection, _FACTS_BETWEEN, after, up_to)


def commits_at(
    connection: Connection, first_positions: Sequence[int]
) -> Sequence[CommitRow]:
    """Read the commits that begin at some positions, in the order of the log."""
    rows = connection.execute(_COMMITS_AT, {"first_positions": list(first_positions)})
    return [_commit_row(row) for row in rows]


def commit_holding(connection: Connection, position: int) -> CommitRow | None:
    """Read the commit with the greatest first position up to a position."""
    row = connection.execute(_COMMIT_HOLDING, {"position": position}).first()
    return None if row is None else _commit_row(row)


def count_beyond(connection: Connection, position: int) -> int:
    """Count the commits that begin after a position."""
    wanted = select(func.count()).where(log_commit.c.first_position > position)
    return int(connection.execute(wanted.select_from(log_commit)).scalar_one())


def position_at(connection: Connection, instant: int, time: LogTime) -> int:
    """Find the last position recorded by an instant among the commits that are rows."""
    after, up_to = time.stretch_at(instant)
    given = {
        "instant": instant,
        "after": after,
        "up_to": _LAST if up_to is None else up_to,
    }
    return int(connection.execute(_POSITION_AT, given).scalar_one())


def position_before(connection: Connection, format_version: int) -> int:
    """Return where the log ended before it had a format, 0 where it began with it."""
    chosen = select(log_upgrade.c.position).where(
        log_upgrade.c.format_version == format_version
    )
    return int(connection.execute(chosen).scalar() or 0)


def facts_recorded_by(connection: Connection, instant: int) -> int:
    """Return a position up to which facts were recorded by an instant, and none behind.

    Rows of facts stay, so it does not matter which usage lies in segments.
    """
    start, end = log_time(connection).stretch_at(instant)
    end = read_head(connection).position if end is None else end
    given = {"instant": instant, "start": start, "end": end}
    return int(connection.execute(_FACTS_BY, given).scalar_one())


def log_time(connection: Connection) -> LogTime:
    """Read how the log's time was corrected."""
    rows = connection.execute(_CORRECTIONS)
    return LogTime(tuple(TimeCorrection(*row) for row in rows))


def insert_correction(connection: Connection, correction: TimeCorrection) -> None:
    """Keep a correction of the log's time, under the write lock."""
    connection.execute(insert(log_correction), correction._asdict())


def clear_corrections(connection: Connection) -> None:
    """Forget all corrections, to find them again in the log."""
    connection.execute(delete(log_correction))


def _in_portions(
    connection: Connection, commits: DriverStatement, after: int, up_to: int
) -> Iterator[CommitRow]:
    portion = 1
    while after < up_to and (
        rows := commits.run(
            connection, {"after": after, "up_to": up_to, "at_most": portion}
        ).fetchall()
    ):
        read = [_commit_row(row) for row in rows]
        yield from read
        after = read[-1].first_position
        largest = max(1, *(len(row.body) for row in read))
        portion = max(1, min(_ROWS_AT_A_TIME, _BODY_BYTES_AT_A_TIME // largest))


def _commit_row(row: Sequence[Any]) -> CommitRow:
    if tuple(map(type, row)) != _TYPES_OF_COMMIT:
        position = row[0] if isinstance(row[0], int) else 0
        raise LogDamagedError(position, "its row holds values of other types")
    if row[2] not in _KINDS:
        raise LogDamagedError(row[0], f"it holds neither usage nor facts, but {row[2]}")
    return CommitRow(*row)
