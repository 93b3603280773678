"""Attempts to commit: database transactions whose outcome is found out in any case."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from ledger.appending.statements import (
    ONE_TRIP_BYTES,
    append_commit,
    append_commit_at_once,
)
from ledger.commits import commit_holding
from ledger.database.store import Database
from ledger.entries import Commit, Head
from ledger.errors import CommitOutcomeUnknownError, StoreError, StoreFullError
from ledger.segments.catalog import read_segments
from ledger.segments.entry import segment_holding


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
        """Append a commit; see `append_commit`.

        Returns:
            Whether it was: not where the head is not where it was known to be, nor
            where the server's clock shows an earlier time.
        """
        if not append_commit(
            self.connection, known, new, commit, body, earliest_server_time
        ):
            return False
        self.commit = commit
        return True


@contextmanager
def attempting(database: Database, body_bytes: int = 0) -> Iterator[Attempt]:
    """Open a database transaction that holds the write lock.

    Raises:
        StoreError: nothing was recorded.
        CommitOutcomeUnknownError: the connection broke at COMMIT, and the store cannot
            be asked.
    """
    attempt = None
    try:
        with database.write(body_bytes) as connection:
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

    Returns:
        Whether it was made; if not, it wants an `Attempt`, which finds out why.

    Raises:
        StoreError: nothing was recorded.
        CommitOutcomeUnknownError: it may have been, and the store cannot be asked.
    """

    def append(connection: Connection, lock: int) -> bool:
        return append_commit_at_once(
            connection, known, new, commit, body, earliest_server_time, lock
        )

    assert database.can_write_at_once, "its lock can be taken by a statement"
    if len(body) > ONE_TRIP_BYTES:
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
    is_usage = not isinstance(commit.content, tuple)
    return CommitOutcomeUnknownError(database.address, error.message, is_usage=is_usage)
