"""The log in one SQLite file, for a store embedded in its application.

One process writes at a time, in the order in which they came (`ledger.database.turns`).

Durability is asked for and then checked, since SQLite ignores what it cannot do:
write-ahead log, `synchronous=FULL` (an acknowledged commit survives a power cut), no
automatic checkpoints (they swallow errors of fsync, and versions before 3.51.3 can
corrupt the file when two connections checkpoint and commit at once). Checkpoints run
only while the write lock is held; after a large commit on a thread of their own, while
the next one is prepared. Source: https://sqlite.org/wal.html
"""

import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.database.connections import (
    ForkGate,
    HeldConnection,
    close_connections,
    is_left_to_parent,
    lent_driver,
    store_error,
    translated,
)
from ledger.database.directories import make_database, open_private, take_lock
from ledger.database.lending.readers import Readers, ReadTransaction
from ledger.database.settings import DEFAULT_SETTINGS, DatabaseSettings
from ledger.database.sqlite_dialect import share_statements
from ledger.database.turns import Turn, Turns, naming_holder
from ledger.errors import (
    StoreError,
    StoreForkedError,
    StoreUnavailableError,
)

LIBRARY_VERSION = sqlite3.sqlite_version
"""Of the SQLite library in use, such as ``3.51.3``."""
# A turn that came sooner leaves SQLite's lock the whole time-out.
_PUNCTUAL_SECONDS = 0.1
# The write-ahead log is folded back into the file beyond this. Small, so that its blocks
# are written over and over: growing the file makes every fsync dearer, and measured at
# 64 MB a single create took a third longer and a bulk load a tenth. Others that wait for
# their turn wait for the fold as well, which is one more reason.
_BYTES_BETWEEN_CHECKPOINTS = 4 << 20
_BYTES_OF_A_SMALL_COMMIT = 16 << 10
# The next of such commits takes longer to prepare than the fold takes.
_BYTES_OF_A_LARGE_COMMIT = 1 << 20
# Facts fold into rows of tables, which a commit's body says nothing of. They count for
# little: a billing run changes very many, and folding costs more than writing them.
_BYTES_OF_A_ROW = 32

# Of what was deleted, at most so many are given back in one turn: some milliseconds.
_PAGES_AT_A_TIME = 256

# Next to the database, since opening the file itself would drop SQLite's own locks.
_SEALING_SUFFIX = ".sealing"
_TURNS_SUFFIX = ".turns"

_logger = logging.getLogger(__name__)

_PRAGMAS = {
    "journal_mode": "wal",
    "wal_autocheckpoint": "0",
    "foreign_keys": "1",
    "mmap_size": "0",
    "trusted_schema": "0",
}


# A billing run changes pages all over its tables: with the usual 2 MB, most of them are
# read again and written several times in one database transaction.
_PRAGMAS_OF_WRITERS = {"cache_size": "-16384"}


class SQLiteDatabase:
    """A log in one file, written by one process at a time and read by many."""

    def __init__(
        self,
        path: Path,
        settings: DatabaseSettings = DEFAULT_SETTINGS,
        *,
        is_durable: bool = True,
    ) -> None:
        """Open or create the file.

        Args:
            path: the database file; its directory must exist.
            settings: of which it heeds the time-out for locks.
            is_durable: whether a commit must survive a power cut; False only for a
                store that does not outlive its process.

        Raises:
            StoreUnavailableError: the file cannot be opened, or is not a database.
            StoreForkedError: it was in use when this process was forked.
        """
        if is_left_to_parent(path):
            raise StoreForkedError(str(path), was_in_use=True)
        self._path, self._address = path, str(path)
        self._synchronous = "2" if is_durable else "0"
        self._unfolded_bytes = 0
        self._has_failed_to_fold = False
        self._folding: threading.Thread | None = None
        self._lock_timeout_seconds = settings.lock_timeout.total_seconds()
        self._writer = self._engine(query_only="0")
        self._reader = self._engine(query_only="1")
        self._watched = self._engine(query_only="1")
        self._watching = HeldConnection(self._watched)
        self._writing = HeldConnection(self._writer)
        self._gate = ForkGate(path, self._disconnect)
        self._readers = Readers(self._reader, self._gate, self.address)
        with self._gate, translated(self.address):
            if not path.exists():
                self._make_file()
            self._writer.connect().close()
        self._turns = Turns(self._beside(_TURNS_SUFFIX))

    @property
    def address(self) -> str:
        """The file's path."""
        return self._address

    @property
    def directory(self) -> Path:
        """The directory of the file, where what belongs to the store may lie."""
        return self._path.parent

    @property
    def has_server(self) -> bool:
        """False: it is a file."""
        return False

    def read(self) -> ReadTransaction:
        """Open a database transaction that sees one snapshot and cannot write."""
        return ReadTransaction(self._readers)

    def read_once(self) -> ReadTransaction:
        """Open a connection to read by one statement, which sees one snapshot by itself."""
        return ReadTransaction(self._readers, begins=False)

    @contextmanager
    def watch(self) -> Iterator[Connection]:
        """Borrow a connection for one small statement on the latest commit."""
        with (
            self._gate,
            translated(self.address),
            self._watching.borrowed() as connection,
        ):
            yield connection

    @contextmanager
    def write(
        self, body_bytes: int = 0, *, asks_at_once: bool = False
    ) -> Iterator[Connection]:
        """Open a database transaction that holds the write lock from its start."""
        del asks_at_once  # There is no server to wait for.
        with (
            self._gate,
            naming_holder(self.address, self._turns),
            self._writing.borrowed() as connection,
            self._turns.taken(self._lock_timeout_seconds) as turn,
            lent_driver(connection) as driver,
        ):
            if self._has_failed_to_fold:
                self._checkpoint(connection)
            rows_before = driver.total_changes
            # By the driver, which costs a tenth of SQLAlchemy's way.
            self._begin(driver, turn)
            try:
                yield connection
                # As SQLAlchemy's own commit, for those who listen to the engine.
                connection.dispatch.commit(connection)
                driver.execute("COMMIT")
            finally:
                # SQLAlchemy may have begun one of its own, which SQLite knows nothing of.
                connection.rollback()
                if driver.in_transaction:
                    driver.rollback()
            size = body_bytes + _BYTES_OF_A_ROW * (driver.total_changes - rows_before)
            self._unfolded_bytes += size + _BYTES_OF_A_SMALL_COMMIT
            if self._unfolded_bytes > _BYTES_BETWEEN_CHECKPOINTS:
                is_large = size >= _BYTES_OF_A_LARGE_COMMIT
                if not (is_large and self._begins_to_fold()):
                    self._checkpoint_after_commit(connection)

    @property
    def can_write_at_once(self) -> bool:
        """False: in a file, no statement takes a lock of ours."""
        return False

    def write_at_once(self, append: Callable[[Connection, int], bool]) -> bool:
        """Do nothing; see `can_write_at_once`."""
        del append
        return False

    @contextmanager
    def write_beside(self) -> Iterator[Connection]:
        """Open a database transaction that writes; SQLite has one lock for all."""
        with self.write() as connection:
            yield connection

    def make_place(self, connection: Connection) -> None:
        """Do nothing: a file holds one store."""

    @contextmanager
    def alone_at(self, work: str) -> Iterator[bool]:
        """Take the lock of a kind of work; yield whether it was free."""
        with ExitStack() as held:
            try:
                file = open_private(self._beside(f".{work}"), os.O_RDWR)
                held.callback(os.close, file)
                is_ours = take_lock(file)
            except OSError as error:
                reason = f"its lock of {work} cannot be taken: {error}"
                raise StoreUnavailableError(self.address, reason) from error
            try:
                yield is_ours
            finally:
                # The child of a fork has the file open as well.
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_UN)

    def reclaim(self) -> None:
        """Give space back to the file system, after much was deleted."""
        left, before = self._reclaim_some(), None
        # A file that was not made for it gives nothing back.
        while left and left != before:
            left, before = self._reclaim_some(), left

    def _reclaim_some(self) -> int:
        """Give some of it back, and return how many pages are left; others write between."""
        with (
            self._gate,
            naming_holder(self.address, self._turns),
            self._writing.borrowed() as connection,
            self._turns.taken(self._lock_timeout_seconds),
        ):
            # As a script: the statement stops at each page, and a cursor with it.
            with lent_driver(connection) as driver:
                driver.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_A_TIME})")
                left: int = driver.execute("PRAGMA freelist_count").fetchone()[0]
            self._checkpoint(connection)
        return left

    def close(self) -> None:
        """Close all connections."""
        if self._folding is not None:
            self._folding.join()
        with self._gate:
            self._watching.close()
            self._writing.close()
            self._readers.close()
            for engine in (self._watched, self._reader, self._writer):
                close_connections(engine)
            self._turns.close()

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def _make_file(self) -> None:
        """Make the file, and the lock of sealing before it."""
        try:
            make_database(self._path, self._beside(_SEALING_SUFFIX))
        except OSError as error:
            reason = f"its file cannot be made and brought to disk: {error}"
            raise StoreUnavailableError(self.address, reason) from error

    def _disconnect(self) -> None:
        """Close all connections, of which none is in use; the next use opens others."""
        for held in (self._watching, self._writing):
            held.release()
        self._readers.release()
        for engine in (self._watched, self._reader, self._writer):
            engine.dispose()

    def _begin(self, driver: sqlite3.Connection, turn: Turn) -> None:
        """Take SQLite's write lock, within what is left of the time-out."""
        left = self._lock_timeout_seconds - turn.waited_seconds
        is_late = turn.waited_seconds > _PUNCTUAL_SECONDS
        if is_late:
            driver.execute(f"PRAGMA busy_timeout={max(0, int(1000 * left))}").fetchone()
        try:
            driver.execute("BEGIN IMMEDIATE")
        finally:
            if is_late:
                whole = int(1000 * self._lock_timeout_seconds)
                driver.execute(f"PRAGMA busy_timeout={whole}").fetchone()
        turn.begin()

    def _begins_to_fold(self) -> bool:
        """Begin to fold on another thread; not where one that began has not ended."""
        if self._folding is not None and self._folding.is_alive():
            return False
        folding = threading.Thread(target=self._fold, name="metering-folding")
        try:
            folding.start()
        except RuntimeError:  # The process has no room for one, or is about to end.
            return False
        self._folding = folding
        return True

    def _fold(self) -> None:
        # A turn that does not come is another writer's, who folds after it.
        with (
            suppress(StoreError),
            self._gate,
            translated(self.address),
            self._writing.borrowed() as connection,
            self._turns.taken(self._lock_timeout_seconds),
        ):
            self._checkpoint_after_commit(connection)

    def _checkpoint_after_commit(self, connection: Connection) -> None:
        """Fold the write-ahead log; a failure is the next write's to raise.

        What was just committed is durable in the write-ahead log, and its writer must
        not be told otherwise.
        """
        try:
            with translated(self.address):
                self._checkpoint(connection)
        except StoreError as error:
            self._has_failed_to_fold = True
            _logger.warning("The write-ahead log is kept: %s", error.message)

    def _checkpoint(self, writer: Connection) -> None:
        """Fold the write-ahead log into the file, as far as readers allow.

        One connection holds the write lock, another folds: no other can commit or
        checkpoint meanwhile.
        """
        with self._reader.connect() as connection, lent_driver(writer) as lock:
            lock.execute("BEGIN IMMEDIATE")
            try:
                fold = "PRAGMA wal_checkpoint(PASSIVE)"
                _driver_of(connection).execute(fold).fetchone()
            except sqlite3.Error as error:
                failed = "its write-ahead log cannot be folded into it"
                raise store_error(self.address, error, failed=failed) from error
            finally:
                lock.rollback()
        self._unfolded_bytes = 0
        self._has_failed_to_fold = False

    def _engine(self, *, query_only: str) -> Engine:
        engine = create_engine(
            URL.create("sqlite", database=str(self._path)),
            connect_args={
                "timeout": self._lock_timeout_seconds,
                "check_same_thread": False,
            },
            max_overflow=-1,
            hide_parameters=True,
        )
        share_statements(engine)

        @event.listens_for(engine, "connect")
        def _(driver: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
            # Python's own transaction handling would begin too late, and deferred.
            driver.isolation_level = None
            self._set_up(driver, query_only)

        return engine

    def _set_up(self, driver: sqlite3.Connection, query_only: str) -> None:
        if driver.execute("PRAGMA page_count").fetchone()[0] == 0:
            # Takes effect before the file is given anything, and wants a lock.
            driver.execute("PRAGMA auto_vacuum=INCREMENTAL").fetchone()
        wanted = _PRAGMAS | {"synchronous": self._synchronous, "query_only": query_only}
        if query_only == "0":
            wanted |= _PRAGMAS_OF_WRITERS
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
