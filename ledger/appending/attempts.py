"""Attempts to commit: database transactions whose outcome is found out in any case.

A commit is appended if the head is where it was known to be, on PostgreSQL by one
statement. There the server compares its clock by the way, so that to judge the clock of an
append costs no round trip.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

from ledger.commits import SERVER_TIME, commit_holding
from ledger.database.connections import DriverStatement
from ledger.database.lending.pipelines import end_pipeline
from ledger.database.store import Database
from ledger.entries import Commit, CommitKind, Head
from ledger.errors import CommitOutcomeUnknownError, StoreError, StoreFullError
from ledger.facts.union import FACTS
from ledger.schema import log_commit, log_head
from ledger.segments.catalog import read_segments
from ledger.segments.entry import segment_holding

_ONE_TRIP_BYTES = 64 << 10

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
        insert(log_commit)
        .from_select(log_commit.c.keys(), select(*given).select_from(moved))
        .returning(log_commit.c.first_position)
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


class Attempt:
    """A database transaction that may record one commit."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.commit: Commit | None = None

    def append(
        self,
        known: Head,
        new: Head,
        commit: Commit,
        body: bytes,
        earliest_server_time: int,
    ) -> bool:
        """Append a commit, and advance the head; see `send` for the arguments.

        Returns:
            Whether it was: not where the head is not where it was known to be, nor
            where the server's clock shows an earlier time.
        """
        return self.send(known, new, commit, body, earliest_server_time)()

    def send(
        self,
        known: Head,
        new: Head,
        commit: Commit,
        body: bytes,
        earliest_server_time: int,
    ) -> Callable[[], bool]:
        """Send what appends a commit, and advances the head.

        Args:
            known: the head that the commit was made for.
            new: the head that it makes.
            commit: the commit.
            body: what it holds, encoded.
            earliest_server_time: what the server's clock must show at least, where there
                is a server; microseconds since 1970 UTC.

        Returns:
            What waits for the answer, and returns whether it was appended.
        """
        connection = self.connection
        values = _values(known, new, commit, body)
        is_on_server = connection.dialect.name == "postgresql"
        if is_on_server:
            values["earliest_server_time"] = earliest_server_time
        if is_on_server and len(body) <= _ONE_TRIP_BYTES:
            # In one round trip. A large body is sent when it is sure to be wanted.
            sent = _APPEND.run(connection, values)
            return lambda: self._made(commit, is_made=sent.fetchone() is not None)
        move = _MOVE_HEAD
        if is_on_server:
            end_pipeline(connection)
            move = _MOVE_HEAD_IN_TIME
        is_made = move.run(connection, values).rowcount == 1
        if is_made:
            _INSERT_COMMIT.run(connection, values)
        return lambda: self._made(commit, is_made=is_made)

    def _made(self, commit: Commit, *, is_made: bool) -> bool:
        if is_made:
            self.commit = commit
        return is_made


@contextmanager
def attempting(
    database: Database, body_bytes: int = 0, *, asks_at_once: bool = False
) -> Iterator[Attempt]:
    """Open a database transaction that holds the write lock; see `Database.write`.

    Raises:
        StoreError: nothing was recorded.
        CommitOutcomeUnknownError: the connection broke at COMMIT, and the store cannot
            be asked.
    """
    attempt = None
    try:
        with database.write(body_bytes, asks_at_once=asks_at_once) as connection:
            attempt = Attempt(connection)
            yield attempt
    except StoreError as error:
        if attempt is None or not _is_recorded(database, attempt.commit, error):
            raise


def append_at_once(
    database: Database,
    known: Head,
    new: Head,
    commit: Commit,
    body: bytes,
    earliest_server_time: int,
) -> bool:
    """Append a commit in one round trip, where the database can and nobody writes.

    The statement takes the write lock and waits for nobody. See `Attempt.append` for the
    arguments.

    Returns:
        Whether it was made; if not, it wants an `Attempt`, which finds out why.

    Raises:
        StoreError: nothing was recorded.
        CommitOutcomeUnknownError: it may have been, and the store cannot be asked.
    """

    def append(connection: Connection, lock: int) -> bool:
        values = _values(known, new, commit, body)
        values |= {"earliest_server_time": earliest_server_time, "lock": lock}
        return bool(_APPEND_AT_ONCE.run(connection, values).rowcount == 1)

    assert database.can_write_at_once, "its lock can be taken by a statement"
    if len(body) > _ONE_TRIP_BYTES:
        return False
    try:
        return database.write_at_once(append)
    except StoreError as error:
        if not _is_recorded(database, commit, error):
            raise
        return True


def _is_recorded(database: Database, commit: Commit | None, error: StoreError) -> bool:
    """Whether a commit that failed to be acknowledged was made all the same."""
    if commit is None:
        return False
    # Under the write lock: the server lets go of it only when it is done with the
    # transaction whose acknowledgement was lost. A full disk leaves none in doubt,
    # and may refuse the lock.
    is_full = isinstance(error, StoreFullError)
    try:
        with database.read() if is_full else database.write() as connection:
            row = commit_holding(connection, commit.first_position)
            segments = read_segments(connection)
    except StoreError:
        raise _unknown(database, commit, error) from error
    if row is not None and bytes(row.digest) == commit.digest:
        return True
    # A segment has no digests but its last; that it goes so far is reason to ask.
    if segment_holding(segments, commit.first_position) is not None:
        raise _unknown(database, commit, error) from error
    return False


def _unknown(
    database: Database, commit: Commit, error: StoreError
) -> CommitOutcomeUnknownError:
    is_usage = not isinstance(commit.content, FACTS)
    return CommitOutcomeUnknownError(database.address, error.message, is_usage=is_usage)


def _values(known: Head, new: Head, commit: Commit, body: bytes) -> dict[str, Any]:
    is_facts = isinstance(commit.content, FACTS)
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
