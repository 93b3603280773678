"""The log in a PostgreSQL database, for stores that several machines write to.

Every append takes one transaction-scoped advisory lock as its first statement, at READ
COMMITTED. PostgreSQL makes a commit visible before it lets go of the lock, so whoever
takes the lock next, and any reader whose snapshot starts later, sees every position
below its own: positions have no gaps and commit order is position order. The lock must
never be taken inside a savepoint (rolling back to it would release the lock), nor after
a snapshot exists (a stale head would be read).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection, create_engine, event, func, literal, select
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.database.held import HeldConnection
from ledger.database.store import close_connections, translated
from ledger.errors import StoreError, StoreUnavailableError, UnsafeDurabilityError

LOCK_TIMEOUT_SECONDS = 60
# "meter" in ASCII: one number that every process agrees on.
_LOCK_KEY = 0x6D65746572
_SEALING_KEY = _LOCK_KEY + 1

_SESSION_SETTINGS = {
    "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
    # Whoever reads the whole log may take long over a part of it.
    "idle_in_transaction_session_timeout": "1h",
    "statement_timeout": "10min",
    "timezone": "UTC",
}
_DURABLE = {"fsync": "on", "full_page_writes": "on"}
_DRIVER_MISSING = (
    "its driver is not installed; pip install 'metering-engine[postgresql]'"
)
_TAKE_LOCK = select(
    func.pg_advisory_xact_lock(_LOCK_KEY),
    # A writer that hangs must not stop the others for ever.
    func.set_config(
        "idle_in_transaction_session_timeout",
        f"{LOCK_TIMEOUT_SECONDS}s",
        literal(True),  # noqa: FBT003 (for the database transaction)
    ),
)
_TRY_SEALING = select(func.pg_try_advisory_lock(_SEALING_KEY))
_END_SEALING = select(func.pg_advisory_unlock(_SEALING_KEY))


class PostgreSQLDatabase:
    """A log in a PostgreSQL database, written and read by many processes."""

    def __init__(self, url: URL) -> None:
        """Connect to the database.

        Raises:
            StoreUnavailableError: the driver is not installed, or the server cannot be
                reached or refuses us.
            UnsafeDurabilityError: the server acknowledges before it is safe to.
        """
        self._url = url.set(drivername="postgresql+psycopg")
        try:
            self._engine = create_engine(
                self._url,
                isolation_level="READ COMMITTED",
                max_overflow=-1,
                hide_parameters=True,
            )
        except ModuleNotFoundError as error:
            raise StoreUnavailableError(self.address, _DRIVER_MISSING) from error
        # A reader's several statements must see one state of the log.
        self._reader = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

        # The lock of sealing is a session's: a transaction would be idle for too long.
        self._sealing = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing = HeldConnection(self._engine)
        self._watching = HeldConnection(self._sealing)

        @event.listens_for(self._engine, "connect")
        def _(driver: object, _: ConnectionPoolEntry) -> None:
            self._set_up(driver)

        try:
            self._check_durability()
        except StoreError:
            self._engine.dispose()
            raise

    @property
    def address(self) -> str:
        """The URL, its password masked."""
        return self._url.set(drivername="postgresql").render_as_string()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a database transaction that sees one snapshot and cannot write."""
        with translated(self.address), self._reader.connect() as connection:
            yield connection
            # There is nothing to commit. But after a rollback the driver forgets what
            # it prepared, and every statement would be planned again.
            connection.commit()

    @contextmanager
    def watch(self) -> Iterator[Connection]:
        """Borrow a connection for one small statement on the latest commit."""
        with translated(self.address), self._watching.borrowed() as connection:
            yield connection

    @contextmanager
    def write(self, body_bytes: int = 0) -> Iterator[Connection]:
        """Open a database transaction that holds the write lock from its start."""
        del body_bytes  # The server looks after its own write-ahead log.
        with (
            translated(self.address),
            self._writing.borrowed() as connection,
            connection.begin(),
        ):
            connection.execute(_TAKE_LOCK)
            yield connection

    @contextmanager
    def sealing(self) -> Iterator[bool]:
        """Be the only process that seals, or learn that another one does."""
        with translated(self.address), self._sealing.connect() as connection:
            is_ours = bool(connection.execute(_TRY_SEALING).scalar_one())
            try:
                yield is_ours
            finally:
                if is_ours:
                    connection.execute(_END_SEALING)

    def reclaim(self) -> None:
        """Leave it to the server, whose autovacuum uses the space again."""

    def close(self) -> None:
        """Close all connections."""
        self._watching.close()
        self._writing.close()
        close_connections(self._engine)

    def _set_up(self, driver: object) -> None:
        cursor = driver.cursor()  # type: ignore[attr-defined]  # DB-API, untyped
        for name, value in _SESSION_SETTINGS.items():
            cursor.execute(f"SET {name} = '{value}'")
        cursor.close()
        driver.commit()  # type: ignore[attr-defined]  # DB-API, untyped

    def _check_durability(self) -> None:
        with translated(self.address), self._engine.connect() as connection:
            for name, wanted in _DURABLE.items():
                found = str(connection.exec_driver_sql(f"SHOW {name}").scalar_one())
                if found != wanted:
                    raise UnsafeDurabilityError(self.address, name, found, wanted)
            commit = str(
                connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
            )
            if commit == "off":
                raise UnsafeDurabilityError(
                    self.address, "synchronous_commit", commit, "on"
                )
