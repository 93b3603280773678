"""The log in a PostgreSQL database, for stores that several machines write to.

Every append takes one transaction-scoped advisory lock as its first statement, at READ
COMMITTED. PostgreSQL makes a commit visible before it releases the lock, so the next
holder, and any reader whose snapshot starts later, sees every position below its own:
positions have no gaps and commit order is position order. The lock must
never be taken inside a savepoint (rolling back to it would release the lock), nor after
a snapshot exists (a stale head would be read).

All tables lie in one schema, which is the whole search path of every connection: names
need no qualification, and a table of the application is never taken for ours. Stores in
two schemas of a database are strangers to each other, with locks of their own.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import (
    URL,
    Connection,
    create_engine,
    event,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateSchema

from ledger.database.relocation import move_store
from ledger.database.store import HeldConnection, close_connections, translated
from ledger.errors import StoreError, StoreUnavailableError, UnsafeDurabilityError

LOCK_TIMEOUT_SECONDS = 60
DEFAULT_SCHEMA = "metering"
# "meter" in ASCII: the write lock of releases that knew no schema.
_LOCK_KEY_WITHOUT_SCHEMA = 0x6D65746572

_SESSION_SETTINGS = {
    "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
    # A reader of the whole log may take long over a part of it.
    "idle_in_transaction_session_timeout": "1h",
    "statement_timeout": "10min",
    "timezone": "UTC",
}
_DURABLE_IF_ON = ("fsync", "full_page_writes", "synchronous_commit")
_DRIVER_MISSING = (
    "its driver is not installed; pip install 'metering-engine[postgresql]'"
)
# A writer that hangs must not stop the others for ever.
_ENDS_IF_IT_HANGS = func.set_config(
    "idle_in_transaction_session_timeout",
    f"{LOCK_TIMEOUT_SECONDS}s",
    literal(True),  # noqa: FBT003 (for the database transaction)
)
_HAS_SCHEMA = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")


class PostgreSQLDatabase:
    """A log in a PostgreSQL database, written and read by many processes."""

    def __init__(self, url: URL, schema: str = DEFAULT_SCHEMA) -> None:
        """Connect to the database.

        Args:
            url: of the database.
            schema: in which the tables lie; an identifier that needs no quotes.

        Raises:
            StoreUnavailableError: the driver is not installed, or the server cannot be
                reached or refuses us.
            UnsafeDurabilityError: the server acknowledges before it is safe to.
        """
        self._url = url.set(drivername="postgresql+psycopg")
        self._schema = schema
        self._take_lock = select(
            func.pg_advisory_xact_lock(_lock_key("writing", schema)), _ENDS_IF_IT_HANGS
        )
        self._sealing_key = _lock_key("sealing", schema)
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
        """The URL, its password masked, with the schema where it is not the usual one."""
        url = self._url.set(drivername="postgresql")
        if self._schema != DEFAULT_SCHEMA:
            url = url.update_query_dict({"schema": self._schema})
        return url.render_as_string()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a database transaction that sees one snapshot and cannot write."""
        with translated(self.address), self._reader.connect() as connection:
            yield connection
            # There is nothing to commit. But after a rollback the driver drops its
            # prepared statements, and each would be planned again.
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
            connection.execute(self._take_lock)
            yield connection

    @contextmanager
    def write_beside(self) -> Iterator[Connection]:
        """Open a database transaction that takes no lock but those of its rows."""
        with translated(self.address), self._engine.begin() as connection:
            connection.execute(select(_ENDS_IF_IT_HANGS))
            yield connection

    def make_place(self, connection: Connection) -> None:
        """Create the schema where it is absent, and move an earlier store there.

        Only the default schema takes over a store that has none: under another name, a
        new store may be wanted.
        """
        # Asked first, since creating wants a privilege even where there is one.
        if connection.execute(_HAS_SCHEMA, {"schema": self._schema}).first() is None:
            connection.execute(CreateSchema(self._schema))
        if self._schema == DEFAULT_SCHEMA:
            move_store(connection, self._schema, _LOCK_KEY_WITHOUT_SCHEMA)

    @contextmanager
    def sealing(self) -> Iterator[bool]:
        """Take the lock of sealing; yield whether it was free."""
        with translated(self.address), self._sealing.connect() as connection:
            begin = select(func.pg_try_advisory_lock(self._sealing_key))
            is_ours = bool(connection.execute(begin).scalar_one())
            try:
                yield is_ours
            finally:
                if is_ours:
                    end = select(func.pg_advisory_unlock(self._sealing_key))
                    connection.execute(end)

    def reclaim(self) -> None:
        """Do nothing: the server's autovacuum reuses the space."""

    def close(self) -> None:
        """Close all connections."""
        self._watching.close()
        self._writing.close()
        close_connections(self._engine)

    def _set_up(self, driver: object) -> None:
        cursor = driver.cursor()  # type: ignore[attr-defined]  # DB-API, untyped
        settings = _SESSION_SETTINGS | {"search_path": self._schema}
        for name, value in settings.items():
            cursor.execute(f"SET {name} = '{value}'")
        cursor.close()
        driver.commit()  # type: ignore[attr-defined]  # DB-API, untyped

    def _check_durability(self) -> None:
        with translated(self.address), self._engine.connect() as connection:
            for name in _DURABLE_IF_ON:
                found = str(connection.exec_driver_sql(f"SHOW {name}").scalar_one())
                if found == "off":
                    raise UnsafeDurabilityError(self.address, name, found, "on")


def _lock_key(purpose: str, schema: str) -> int:
    """Return the number of a lock, one that every process agrees on."""
    digest = hashlib.sha256(f"metering {purpose} {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
