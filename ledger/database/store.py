"""What the log needs from a database.

A database transaction is opened here and nowhere else: `read` sees one snapshot, and
`write` holds the one write lock of the store from its first statement to its commit, so
that commit order is position order. Errors of the drivers leave translated.
"""

import errno
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.errors import (
    MeteringError,
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreUnavailableError,
)

# By code, since a server words its messages in the language of its locale.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_DISK_FULL = "53100"
_LOCK_NOT_AVAILABLE, _QUERY_CANCELED, _DEADLOCK = "55P03", "57014", "40P01"
# https://sqlite.org/rescode.html; what is beyond the lowest byte says where it happened.
_SQLITE_PRIMARY = 0xFF
_FULL = {_DISK_FULL, sqlite3.SQLITE_FULL}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_BUSY = {
    _LOCK_NOT_AVAILABLE,
    _QUERY_CANCELED,
    _DEADLOCK,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}


class Database(Protocol):
    """A database that holds one log."""

    @property
    def address(self) -> str:
        """Where the database is, without secrets, for messages."""

    def read(self) -> AbstractContextManager[Connection]:
        """Open a database transaction that sees one snapshot and cannot write."""

    def watch(self) -> AbstractContextManager[Connection]:
        """Borrow a connection for one small statement on the latest commit."""

    def write(self, body_bytes: int = 0) -> AbstractContextManager[Connection]:
        """Open a database transaction that holds the write lock until it ends.

        Args:
            body_bytes: how much is about to be written, for the upkeep afterwards.
        """

    def write_beside(self) -> AbstractContextManager[Connection]:
        """Open a database transaction that writes beside the log, and not to it.

        It takes no lock that an append waits for, where the database has others: it
        locks the rows that it changes.
        """

    def make_place(self, connection: Connection) -> None:
        """Make room for the tables of a store, under the write lock.

        Tables that an earlier release left elsewhere are moved there.
        """

    def sealing(self) -> AbstractContextManager[bool]:
        """Take the lock of sealing; yield whether it was free.

        It only saves work: the write lock keeps the log right. It ends with the
        process.
        """

    def reclaim(self) -> None:
        """Give space back to the file system, after much was deleted."""

    def close(self) -> None:
        """Give back all connections."""


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn every error of SQLAlchemy and the drivers into one of ours."""
    try:
        yield
    except SQLAlchemyError as error:
        raise store_error(address, error) from error


def store_error(address: str, error: SQLAlchemyError) -> StoreError:
    """Make the error of ours that says what a database refused."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    reason = " ".join(str(cause).split()) or type(cause).__name__
    code = _code_of(cause)
    is_full = isinstance(cause, OSError) and cause.errno in _NO_ROOM
    if is_full or code in _FULL:
        return StoreFullError(address, reason)
    if code in _BUSY:
        return StoreBusyError(address, reason)
    return StoreUnavailableError(address, reason)


def _code_of(cause: BaseException | None) -> str | int | None:
    """Return the SQLSTATE or the primary result code, None where there is neither."""
    result = getattr(cause, "sqlite_errorcode", None)
    if isinstance(result, int):
        return result & _SQLITE_PRIMARY
    state = getattr(cause, "sqlstate", None)
    return state if isinstance(state, str) else None


def close_connections(engine: Engine) -> None:
    """Close an engine's connections, those in use as soon as they are given back."""

    @event.listens_for(engine, "checkin")
    def _(_: object, entry: ConnectionPoolEntry) -> None:
        entry.invalidate()

    engine.dispose()


@contextmanager
def lent_driver(connection: Connection) -> Iterator[Any]:
    """Lend the driver's own connection, for what SQLAlchemy does not offer.

    The driver's errors become those that SQLAlchemy makes of them, so that one handler
    covers both, and a connection that was lost is not used again.
    """
    pooled, dialect = connection.connection, connection.dialect
    try:
        yield pooled.driver_connection
    except dialect.loaded_dbapi.Error as error:
        is_lost = dialect.is_disconnect(error, pooled.dbapi_connection, None)
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            None,
            None,
            error,
            dialect.loaded_dbapi.Error,
            connection_invalidated=is_lost,
            dialect=dialect,
        ) from error


class HeldConnection:
    """A connection for one thread at a time, opened again after an error.

    It is for what is done so often that a pool would cost more than the statement: every
    answer asks where the log ends, and one thread at a time appends.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._is_closed = False

    @contextmanager
    def borrowed(self) -> Iterator[Connection]:
        """Borrow the connection."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                yield self._connection
            except BaseException as error:
                # An interrupt may have left a database transaction open.
                if not isinstance(error, MeteringError):
                    self._close()
                raise
            finally:
                if self._is_closed:
                    self._close()

    def close(self) -> None:
        """Close the connection; a later borrower gets one for that use alone."""
        with self._lock:
            self._is_closed = True
            self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
