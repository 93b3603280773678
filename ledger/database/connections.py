"""Connections to a database: kept, lent to statements, and closed before a fork.

The errors of the drivers are translated here.

While this process forks, it has no connection to a SQLite file. SQLite notes in memory
what this process has locked, by file. A child inherits the notes and not the locks: what
it opens then takes none, so another process may take itself for the last one and remove
the write-ahead log, and what the child acknowledges after that is lost. So a fork waits
for those who use a file, keeps others out, and has the connections closed before it goes
on. Where that takes too long, or where the thread that forks uses the file itself, the
child refuses to open it.
Source: https://sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_
"""

# Both hold a lock of theirs while a process forks. Imported before, they take it after
# the connections are closed, and no thread waits for it that is waited for here.
import concurrent.futures.thread  # noqa: F401
import errno
import logging  # noqa: F401
import os
import sqlite3
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import ClauseElement, Connection, Dialect, Engine, event
from sqlalchemy.engine.interfaces import DBAPIModule
from sqlalchemy.exc import (
    DBAPIError,
    MultipleResultsFound,
    NoResultFound,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.errors import (
    MeteringError,
    StoreBusyError,
    StoreDamagedError,
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
_FULL, _NO_ROOM = {_DISK_FULL, sqlite3.SQLITE_FULL}, {errno.ENOSPC, errno.EDQUOT}
STATEMENT = "metering.statement"
"""The audit event of a statement that a driver runs; its argument is the statement."""

_BUSY = {
    _LOCK_NOT_AVAILABLE,
    _DEADLOCK,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}
# Python's own words, in any locale. There is no code.
_NO_UTF_8 = "Could not decode to UTF-8"
_PATIENCE_SECONDS = 5.0


class translated:  # noqa: N801  # read as a verb after `with`
    """Turns every error of SQLAlchemy and the drivers into one of ours.

    A connection is lent only inside it. A class, as are the others here: every append passes
    them several times, and a generator takes three times as long to enter and to leave.

    Args:
        address: of the database.
        is_waiting: whether a statement that ran into its time-out waited for a lock.
    """

    __slots__ = ("_address", "_is_waiting")

    def __init__(self, address: str, *, is_waiting: bool = True) -> None:
        self._address = address
        self._is_waiting = is_waiting

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise ours where it was one of theirs."""
        if isinstance(error, Exception) and is_of_driver(error):
            waits = self._is_waiting
            raise store_error(self._address, error, is_waiting=waits) from error


def store_error(
    address: str, error: Exception, *, is_waiting: bool = True, failed: str = ""
) -> StoreError | StoreDamagedError:
    """Make the error of ours that says what a database refused.

    Args:
        address: of the database.
        error: of SQLAlchemy, or of a driver.
        is_waiting: whether a statement that ran into its time-out waited for a lock.
        failed: what could not be done, where the error does not say it.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    reason = " ".join(str(cause).split()) or type(cause).__name__
    if isinstance(error, NoResultFound | MultipleResultsFound):
        return StoreDamagedError(address, "a row that others lead to is not there once")
    if reason.startswith(_NO_UTF_8):
        return StoreDamagedError(address, reason)
    reason = f"{failed}: {reason}" if failed else reason
    code = _code_of(cause)
    is_full = isinstance(cause, OSError) and cause.errno in _NO_ROOM
    if is_full or code in _FULL:
        return StoreFullError(address, reason)
    is_late = isinstance(error, PoolTimeoutError)
    if is_late or code in _BUSY or (code == _QUERY_CANCELED and is_waiting):
        return StoreBusyError(address, reason)
    return StoreUnavailableError(address, reason)


def is_of_driver(error: Exception) -> bool:
    """Whether an error is SQLAlchemy's or a driver's; psycopg need not be installed."""
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, (SQLAlchemyError, sqlite3.Error)) or "psycopg" in modules


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


class lent_driver:  # noqa: N801  # read as a participle after `with`
    """Lends the driver's own connection, for what SQLAlchemy does not offer.

    The driver's errors become those that SQLAlchemy makes of them, so that one handler
    covers both, and a connection that was lost is not used again.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Any:
        """Return the driver's connection."""
        return self._connection.connection.driver_connection

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise what SQLAlchemy makes of an error of the driver."""
        connection = self._connection
        if isinstance(error, connection.dialect.loaded_dbapi.Error):
            raise _as_of_sqlalchemy(connection, error) from error


def _as_of_sqlalchemy(
    connection: Connection, error: DBAPIModule.Error
) -> BaseException:
    """Return what SQLAlchemy makes of a driver's error."""
    dialect = connection.dialect
    driver = connection.connection.dbapi_connection
    is_lost = dialect.is_disconnect(error, driver, None)
    if is_lost:
        connection.invalidate(error)
    return DBAPIError.instance(
        None,
        None,
        error,
        dialect.loaded_dbapi.Error,
        connection_invalidated=is_lost,
        dialect=dialect,
    )


class _Compiled(msgspec.Struct, frozen=True):
    text: str
    arguments: Callable[[Mapping[str, Any]], Any]


class DriverStatement:
    """A statement that the driver runs, for what every append does.

    SQLAlchemy takes longer to run one than SQLite takes to execute it. It is written in
    SQLAlchemy Core, compiled for each database when it is first run, and given to the
    driver as text from then on. SQLAlchemy's events do not see it; the audit event
    `STATEMENT` announces it. No value of it may need a conversion.

    Args:
        statement: in SQLAlchemy Core; `bindparam` names its parameters.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Run the statement, and return the driver's cursor.

        Args:
            connection: in whose database transaction it runs.
            values: of the parameters, by name.
        """
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name) or self._compile(dialect)
        sys.audit(STATEMENT, compiled.text)
        # None of our drivers is an adapter, so it is the driver's own connection.
        driver: Any = connection.connection.dbapi_connection
        try:
            return driver.execute(compiled.text, compiled.arguments(values))
        except dialect.loaded_dbapi.Error as error:
            raise _as_of_sqlalchemy(connection, error) from error

    def _compile(self, dialect: Dialect) -> _Compiled:
        compiled = self._statement.compile(dialect=dialect)
        # SQLAlchemy adds some of its own, such as an offset of none.
        own = {
            name: value for name, value in compiled.params.items() if value is not None
        }
        names = getattr(compiled, "positiontup", None)

        def arguments(values: Mapping[str, Any]) -> Any:
            given = {**own, **values} if own else values
            return [given[name] for name in names] if names else dict(given)

        # Where it can be, they are picked without a step of Python for each.
        picked = itemgetter(*names) if names and names[1:] and not own else arguments
        found = _Compiled(str(compiled), picked)
        return self._compiled.setdefault(dialect.name, found)


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

    def borrowed(self) -> "HeldConnection":
        """Borrow the connection."""
        return self

    def __enter__(self) -> Connection:
        """Wait until nobody has the connection, and lend it."""
        self._lock.acquire()
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
        except BaseException:
            self._lock.release()
            raise
        return self._connection

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Take it back."""
        try:
            # Else SQLAlchemy would roll back, and log at length where that fails.
            is_sound = error is None or isinstance(error, MeteringError)
            if self._is_closed or not is_sound:
                self._close(is_sound=is_sound)
        finally:
            self._lock.release()

    def release(self) -> None:
        """Close the connection; the next borrower opens another."""
        with self._lock:
            self._close()

    def close(self) -> None:
        """Close the connection; a later borrower gets one for that use alone."""
        with self._lock:
            self._is_closed = True
            self._close()

    def _close(self, *, is_sound: bool = True) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if not is_sound:
                connection.invalidate()
            connection.close()


class ForkGate:
    """What every use of a file enters, one within another at once. Thread-safe.

    Args:
        path: of the file.
        disconnect: closes all connections to it, none of which is in use.
    """

    def __init__(self, path: Path, disconnect: Callable[[], None]) -> None:
        self._path = path
        self._disconnect = disconnect
        self._is_disconnected = False
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._users: list[int] = []
        self._is_shut = False
        _GATES.add(self)

    def __enter__(self) -> None:
        """Begin to use the file, once no process is being forked."""
        user = threading.get_ident()
        with self._lock:
            while self._is_shut and user not in self._users:
                self._changed.wait()
            self._users.append(user)

    def __exit__(self, *_: object) -> None:
        """End this use."""
        with self._lock:
            self._users.remove(threading.get_ident())
            if self._is_shut:
                self._changed.notify_all()

    def shut(self) -> None:
        """Close the connections, once nobody uses the file; keep others out until then."""
        with self._changed:
            if threading.get_ident() in self._users:
                return
            self._is_shut = True
            if self._changed.wait_for(lambda: not self._users, _PATIENCE_SECONDS):
                self._disconnect()
                self._is_disconnected = True

    def open(self) -> None:
        """Let users pass again."""
        with self._changed:
            self._is_shut = self._is_disconnected = False
            self._changed.notify_all()

    def leave_to_parent(self) -> None:
        """Note in a child whose file its parent was using."""
        if not self._is_disconnected and (file := _file_at(self._path)) is not None:
            _LEFT.add(file)


def is_left_to_parent(path: Path) -> bool:
    """Whether a file was in use when this process was forked."""
    return bool(_LEFT) and _file_at(path) in _LEFT


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:  # There is none, or none that can be opened either.
        return None
    return found.st_dev, found.st_ino


def _before_fork() -> None:
    for gate in list(_GATES):
        gate.shut()


def _after_fork() -> None:
    for gate in list(_GATES):
        gate.open()


def _after_fork_in_child() -> None:
    for gate in list(_GATES):
        gate.leave_to_parent()
    # What is open of them is the parent's, to be closed by nobody else.
    _GATES.clear()


_GATES = weakref.WeakSet[ForkGate]()
_LEFT: set[tuple[int, int]] = set()

os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork,
    after_in_child=_after_fork_in_child,
)
