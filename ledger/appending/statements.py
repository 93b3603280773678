"""The statements that append a commit, if the head is where it was known to be.

They move the head and insert the commit, on PostgreSQL in one statement. There the server
compares its clock by the way, so that to judge the clock of an append costs no round trip.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Update,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    update,
)

from ledger.commits import SERVER_TIME
from ledger.database.connections import DriverStatement
from ledger.entries import Commit, CommitKind, Head
from ledger.schema import log_commit, log_head

ONE_TRIP_BYTES = 64 << 10

_MOVING_HEAD = (
    update(log_head)
    .where(
        log_head.c.log_id == literal_column("1"),
        log_head.c.position == bindparam("known_position"),
        log_head.c.digest == bindparam("known_digest"),
    )
    .values(
        position=bindparam("new_position"),
        facts_position=bindparam("new_facts_position"),
        recorded_at=bindparam("new_recorded_at"),
        digest=bindparam("new_digest"),
    )
)
_MOVE_HEAD = DriverStatement(_MOVING_HEAD)
_INSERT_COMMIT = DriverStatement(insert(log_commit))


def _inserting_once(head_moves: Update) -> DriverStatement:
    """Insert a commit if the head moves, which SQLite cannot do in one statement."""
    given = (bindparam(each.name, type_=each.type) for each in log_commit.c)
    moved = head_moves.returning(log_head.c.log_id).cte("moved")
    return DriverStatement(
        insert(log_commit).from_select(
            log_commit.c.keys(), select(*given).select_from(moved)
        )
    )


# Where a database has a clock, it compares it by the way.
_MOVING_HEAD_IN_TIME = _MOVING_HEAD.where(
    bindparam("earliest_server_time", type_=BigInteger()) <= SERVER_TIME
)
_MOVE_HEAD_IN_TIME = DriverStatement(_MOVING_HEAD_IN_TIME)
_APPEND = _inserting_once(_MOVING_HEAD_IN_TIME)
# The lock is taken after the statement's snapshot. What is committed in between moves the
# head, whose row PostgreSQL reads anew before it changes it.
_LOCKED = select(
    func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger)).label("is_ours")
).cte("locked")
_APPEND_AT_ONCE = _inserting_once(_MOVING_HEAD_IN_TIME.where(_LOCKED.c.is_ours))


def append_commit(
    connection: Connection,
    known: Head,
    new: Head,
    commit: Commit,
    body: bytes,
    earliest_server_time: int,
) -> bool:
    """Store a commit and advance the head, unless it is not where it was known to be.

    Args:
        connection: holds the write lock.
        known: the head that the commit was made for.
        new: the head that it makes.
        commit: the commit.
        body: what it holds, encoded.
        earliest_server_time: what the server's clock must show at least, where there is
            a server; else nothing is stored.
    """
    values = _values(known, new, commit, body)
    is_on_server = connection.dialect.name == "postgresql"
    if is_on_server:
        values["earliest_server_time"] = earliest_server_time
    if is_on_server and len(body) <= ONE_TRIP_BYTES:
        # In one round trip. A large body is sent when it is sure to be wanted.
        return bool(_APPEND.run(connection, values).rowcount == 1)
    move = _MOVE_HEAD_IN_TIME if is_on_server else _MOVE_HEAD
    if move.run(connection, values).rowcount != 1:
        return False
    _INSERT_COMMIT.run(connection, values)
    return True


def append_commit_at_once(  # noqa: PLR0913, PLR0917  # the parts of one statement
    connection: Connection,
    known: Head,
    new: Head,
    commit: Commit,
    body: bytes,
    earliest_server_time: int,
    lock: int,
) -> bool:
    """Store a commit as `append_commit` does, in one statement that takes the write lock.

    It waits for nobody: nothing is stored where another one holds the lock.

    Args:
        connection: to PostgreSQL, in no database transaction.
        known: the head that the commit was made for.
        new: the head that it makes.
        commit: the commit.
        body: what it holds, encoded.
        earliest_server_time: what the server's clock must show at least.
        lock: the key of the write lock.
    """
    values = _values(known, new, commit, body)
    values |= {"earliest_server_time": earliest_server_time, "lock": lock}
    return bool(_APPEND_AT_ONCE.run(connection, values).rowcount == 1)


def _values(known: Head, new: Head, commit: Commit, body: bytes) -> dict[str, Any]:
    is_facts = isinstance(commit.content, tuple)
    return {
        "known_position": known.position,
        "known_digest": known.digest,
        "new_position": new.position,
        "new_facts_position": new.facts_position,
        "new_recorded_at": new.recorded_at,
        "new_digest": new.digest,
        "first_position": commit.first_position,
        "entry_count": commit.entry_count,
        "kind": (CommitKind.FACTS if is_facts else CommitKind.USAGE).value,
        "recorded_at": new.recorded_at,
        "content_digest": commit.content_digest,
        "digest": new.digest,
        "body": body,
    }
