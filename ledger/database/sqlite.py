"""The log in one SQLite file, for a store embedded in its application.

Durability is asked for and then checked, since SQLite ignores what it cannot do:
write-ahead log, `synchronous=FULL` (an acknowledged commit survives a power cut), no
automatic checkpoints (they swallow errors of fsync, and versions before 3.51.3 can
corrupt the file when two connections checkpoint and commit at once). Checkpoints run
only while the write lock is held. Source: https://sqlite.org/wal.html
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.database.store import (
    HeldConnection,
    close_connections,
    lent_driver,
    translated,
)
from ledger.errors import StoreUnavailableError

LIBRARY_VERSION = sqlite3.sqlite_version
"""Of the SQLite library in use, such as ``3.51.3``."""
BUSY_TIMEOUT_SECONDS = 60
# The write-ahead log is folded back into the file beyond this. Small, so that its blocks
# are written over and over: growing the file makes every fsync dearer, and measured at
# 64 MB a single create took a third longer and a bulk load a tenth.
_BYTES_BETWEEN_CHECKPOINTS = 4 << 20
_BYTES_OF_A_SMALL_COMMIT = 16 << 10
# Facts fold into rows of tables, which a commit's body says nothing of. Many, since a
# billing run changes a row for each invoice, and folding costs more than writing them.
_ROWS_BETWEEN_CHECKPOINTS = 1 << 17

# Next to the database, since opening the file itself would drop SQLite's own locks.
_SEALING_SUFFIX = ".sealing"

_PRAGMAS = {
    "journal_mode": "wal",
    "wal_autocheckpoint": "0",
    "foreign_keys": "1",
    "mmap_size": "0",
    "trusted_schema": "0",
}


class SQLiteDatabase:
    """A log in one file, written by one process at a time and read by many."""

    def __init__(self, path: Path, *, is_durable: bool = True) -> None:
        """Open or create the file.

        Args:
            path: the database file; its directory must exist.
            is_durable: whether a commit must survive a power cut; False only for a
                store that does not outlive its process.

        Raises:
            StoreUnavailableError: the file cannot be opened, or is not a database.
        """
        self._path = path
        self._synchronous = "2" if is_durable else "0"
        self._unfolded_bytes = 0
        self._unfolded_rows = 0
        self._writer = self._engine(begin="BEGIN IMMEDIATE", query_only="0")
        self._reader = self._engine(begin="BEGIN", query_only="1")
        self._watched = self._engine(begin=None, query_only="1")
        self._watching = HeldConnection(self._watched)
        self._writing = HeldConnection(self._writer)
        with translated(self.address), self._writer.connect():
            pass

    @property
    def address(self) -> str:
        """The file's path."""
        return str(self._path)

    @property
    def directory(self) -> Path:
        """The directory of the file, where what belongs to the store may lie."""
        return self._path.parent

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a database transaction that sees one snapshot and cannot write."""
        with translated(self.address), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def watch(self) -> Iterator[Connection]:
        """Borrow a connection for one small statement on the latest commit."""
        with translated(self.address), self._watching.borrowed() as connection:
            yield connection

    @contextmanager
    def write(self, body_bytes: int = 0) -> Iterator[Connection]:
        """Open a database transaction that holds the write lock from its start."""
        with translated(self.address):
            with self._writing.borrowed() as connection:
                driver = _driver_of(connection)
                rows_before = driver.total_changes
                with connection.begin():
                    yield connection
                self._unfolded_rows += driver.total_changes - rows_before
            self._unfolded_bytes += body_bytes + _BYTES_OF_A_SMALL_COMMIT
            if (
                self._unfolded_bytes > _BYTES_BETWEEN_CHECKPOINTS
                or self._unfolded_rows > _ROWS_BETWEEN_CHECKPOINTS
            ):
                self._checkpoint()

    @contextmanager
    def write_beside(self) -> Iterator[Connection]:
        """Open a database transaction that writes; SQLite has one lock for all."""
        with self.write() as connection:
            yield connection

    def make_place(self, connection: Connection) -> None:
        """Do nothing: a file holds one store."""

    @contextmanager
    def sealing(self) -> Iterator[bool]:
        """Take the lock of sealing; yield whether it was free."""
        path = self._path.with_name(self._path.name + _SEALING_SUFFIX)
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            reason = f"its sealing lock cannot be opened: {error}"
            raise StoreUnavailableError(self.address, reason) from error
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(file)

    def reclaim(self) -> None:
        """Give space back to the file system, after much was deleted."""
        with translated(self.address):
            with (
                self._writing.borrowed() as connection,
                lent_driver(connection) as driver,
            ):
                # As a script: the statement stops at each page, and a cursor with it.
                driver.executescript("PRAGMA incremental_vacuum")
            self._checkpoint()

    def close(self) -> None:
        """Close all connections."""
        self._watching.close()
        self._writing.close()
        for engine in (self._watched, self._reader, self._writer):
            close_connections(engine)

    def _checkpoint(self) -> None:
        """Fold the write-ahead log into the file, as far as readers allow.

        One connection holds the write lock, another folds: no other can commit or
        checkpoint meanwhile. An error is raised to the caller, whose own commit is
        durable in the write-ahead log already.
        """
        with self._writer.begin() as lock, self._reader.connect() as connection:
            assert lock.in_transaction(), "checkpoints run under the write lock"
            driver = _driver_of(connection)
            connection.rollback()
            try:
                driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.Error as error:
                reason = f"its write-ahead log cannot be folded into it: {error}"
                raise StoreUnavailableError(self.address, reason) from error
        self._unfolded_bytes = self._unfolded_rows = 0

    def _engine(self, *, begin: str | None, query_only: str) -> Engine:
        engine = create_engine(
            URL.create("sqlite", database=str(self._path)),
            connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            max_overflow=-1,
            hide_parameters=True,
        )

        @event.listens_for(engine, "connect")
        def _(driver: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
            # Python's own transaction handling would begin too late, and deferred.
            driver.isolation_level = None
            self._set_up(driver, query_only)

        @event.listens_for(engine, "begin")
        def _(connection: Connection) -> None:
            if begin is not None:
                connection.exec_driver_sql(begin)

        return engine

    def _set_up(self, driver: sqlite3.Connection, query_only: str) -> None:
        if driver.execute("PRAGMA page_count").fetchone()[0] == 0:
            # Takes effect before the file is given anything, and wants a lock.
            driver.execute("PRAGMA auto_vacuum=INCREMENTAL").fetchone()
        wanted = _PRAGMAS | {"synchronous": self._synchronous, "query_only": query_only}
        for name, value in wanted.items():
            driver.execute(f"PRAGMA {name}={value}").fetchone()
            found = str(driver.execute(f"PRAGMA {name}").fetchone()[0])
            if found != value:
                reason = f"SQLite keeps {name} at {found}, {value} is needed"
                raise StoreUnavailableError(self.address, reason)


def _driver_of(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection), "SQLite's own connection"
    return driver
