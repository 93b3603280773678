"""The log in a PostgreSQL database, for stores that several machines write to.

Every append takes one transaction-scoped advisory lock as its first statement, at READ
COMMITTED. PostgreSQL makes a commit visible before it releases the lock, so the next
holder, and any reader whose snapshot starts later, sees every position below its own:
positions have no gaps and commit order is position order. The lock must
never be taken inside a savepoint (rolling back to it would release the lock), nor after
a snapshot exists (a stale head would be read).

An append in one statement tries for the lock within it, after its snapshot was taken, and
never waits. It does nothing unless the head's row, which PostgreSQL reads anew before it
changes it, is the one that the append was made for.

All tables lie in one schema, which is the whole search path of every connection: names
need no qualification, and a table of the application is never taken for ours. Stores in
two schemas of a database are strangers to each other, with locks of their own.

Between us and the server may be PgBouncer in transaction mode, or another pooler that
gives a connection another session with each database transaction. What is set for a
session is then set for each transaction, statements are not prepared, and no lock is a
session's.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    create_engine,
    event,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateSchema

from ledger.database.connections import (
    HeldConnection,
    close_connections,
    lent_driver,
    translated,
)
from ledger.database.lending.pipelines import end_before_sqlalchemy, pipelined
from ledger.database.relocation import move_store, schema_of_another_store
from ledger.database.settings import DEFAULT_SETTINGS, DatabaseSettings
from ledger.database.shown_addresses import is_harmless, shown_address
from ledger.errors import StoreError, StoreUnavailableError, UnsafeDurabilityError

DEFAULT_SCHEMA = "metering"
# "meter" in ASCII: the write lock of releases that knew no schema. They used what is
# `public` as a rule, so that a store opened there is locked against their processes too.
_LOCK_KEY_WITHOUT_SCHEMA = 0x6D65746572
_SCHEMA_OF_OLD = "public"

# A writer that hangs must not stop the others for ever. A reader of the whole log may
# take long over a part of it.
_IDLE_WRITER, _IDLE_READER, _NEVER = "60s", "1h", "0"
_IDLE = "idle_in_transaction_session_timeout"
_DURABLE_IF_ON = ("fsync", "full_page_writes", "synchronous_commit")
_DRIVER_MISSING = (
    "its driver is not installed; pip install 'metering-engine[postgresql]'"
)
_HAS_SCHEMA = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")
_IS_POOLED = "is_pooled"


class PostgreSQLDatabase:
    """A log in a PostgreSQL database, written and read by many processes."""

    def __init__(
        self,
        url: URL,
        schema: str | None = None,
        settings: DatabaseSettings = DEFAULT_SETTINGS,
    ) -> None:
        """Connect to the database.

        Args:
            url: of the database.
            schema: in which the tables lie; an identifier that needs no quotes. None is
                `DEFAULT_SCHEMA`, unless the search path leads to a store that is not
                there.
            settings: how long to wait, and with how many connections.

        Raises:
            StoreUnavailableError: the driver is not installed, the server cannot be
                reached or refuses us, or the schema must be named.
            UnsafeDurabilityError: the server acknowledges before it is safe to.
        """
        self._url, self._secrets = _without_secrets(url)
        self._schema = schema or DEFAULT_SCHEMA
        named = url.set(drivername="postgresql")
        if self._schema != DEFAULT_SCHEMA:
            named = named.update_query_dict({"schema": self._schema})
        # Every append is ready to name it in an error.
        self._address = shown_address(named.render_as_string(hide_password=False))
        self._session_settings: Mapping[str, str] = {
            "lock_timeout": _milliseconds(settings.lock_timeout),
            _IDLE: _IDLE_READER,
            "statement_timeout": _milliseconds(settings.statement_timeout),
            "timezone": "UTC",
            "search_path": self._schema,
        }
        self._write_key = _lock_key("writing", self._schema)
        idle = f"set_config('{_IDLE}', '{_IDLE_WRITER}', true)"
        lock = f"pg_advisory_xact_lock({self._write_key})"
        self._begin_writing = ("BEGIN", f"SELECT {idle}, {lock}")
        size, wait = settings.pool_size, settings.lock_timeout.total_seconds()
        pool: dict[str, Any] = {"max_overflow": -1}
        if size is not None:
            pool = {"pool_size": size, "max_overflow": 0, "pool_timeout": wait}
        try:
            self._engine = self._new_engine(**pool)
        except ModuleNotFoundError as error:
            raise StoreUnavailableError(self.address, _DRIVER_MISSING) from error
        # A reader's several statements must see one state of the log.
        self._reader = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        # What is held is not taken from the pool, which readers may exhaust.
        held = self._engine if size is None else self._new_engine(poolclass=NullPool)
        self._held = held
        by_statement = held.execution_options(isolation_level="AUTOCOMMIT")
        self._writing = HeldConnection(by_statement)
        self._watching = HeldConnection(by_statement)
        try:
            self._check_durability()
            if schema is None:
                self._check_schema()
        except StoreError:
            self._engine.dispose()
            raise

    @property
    def address(self) -> str:
        """The URL, its password masked, with the schema where it is not the usual one."""
        return self._address

    @property
    def has_server(self) -> bool:
        """True: its clock says what time it is."""
        return True

    def with_secrets(self, url: URL) -> URL:
        """Return a URL with the secrets of this one, where it has none for this server."""
        ours, its = (
            (each.host, each.port, each.username, {**each.query, "schema": ""})
            for each in (self._url, url)
        )
        if ours != its or url.password is not None:
            return url
        password = self._secrets.get("password")
        others = {name: v for name, v in self._secrets.items() if name != "password"}
        return url.set(password=password).update_query_dict(others)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a database transaction that sees one snapshot and cannot write."""
        # There is nothing to commit. But after a rollback the driver drops its prepared
        # statements, and each would be planned again.
        with (
            translated(self.address, is_waiting=False),
            self._reader.connect() as connection,
            connection.begin(),
        ):
            yield connection

    def read_once(self) -> AbstractContextManager[Connection]:
        """Open a connection to read by one statement; the pool begins a transaction."""
        return self.read()

    @contextmanager
    def watch(self) -> Iterator[Connection]:
        """Borrow a connection for one small statement on the latest commit."""
        with (
            translated(self.address, is_waiting=False),
            self._watching.borrowed() as connection,
        ):
            if not connection.info.get(_IS_POOLED):
                yield connection
                return
            with _transaction(connection, "BEGIN" + self._set_locally()):
                yield connection

    @contextmanager
    def write(
        self, body_bytes: int = 0, *, asks_at_once: bool = False
    ) -> Iterator[Connection]:
        """Open a database transaction that holds the write lock from its start."""
        del body_bytes  # The server looks after its own write-ahead log.
        with translated(self.address), self._writing.borrowed() as connection:
            begin = self._begin_writing
            if connection.info.get(_IS_POOLED):
                begin = ("BEGIN" + self._set_locally(), *begin[1:])
            with _transaction(connection, *begin, is_awaited=not asks_at_once):
                yield connection

    @property
    def can_write_at_once(self) -> bool:
        """True: a statement can take an advisory lock."""
        return True

    def write_at_once(self, append: Callable[[Connection, int], bool]) -> bool:
        """Run an append that is one statement, and takes the write lock if it is free."""
        with translated(self.address), self._writing.borrowed() as connection:
            if connection.info.get(_IS_POOLED):
                # A statement by itself would not find the tables.
                return False
            return append(connection, self._write_key)

    @contextmanager
    def write_beside(self) -> Iterator[Connection]:
        """Open a database transaction that takes no lock but those of its rows."""
        with translated(self.address), self._engine.begin() as connection:
            connection.execute(select(_set_local(_IDLE, _IDLE_WRITER)))
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
            move_store(connection, self._schema, self.address, _LOCK_KEY_WITHOUT_SCHEMA)

    @contextmanager
    def alone_at(self, work: str) -> Iterator[bool]:
        """Take the lock of a kind of work; yield whether it was free."""
        key = _lock_key(work, self._schema)
        taking = select(
            # Another thread puts a segment away meanwhile, which takes its time.
            _set_local(_IDLE, _NEVER),
            func.pg_try_advisory_xact_lock(key).label("is_ours"),
        )
        with translated(self.address), self._held.connect() as connection:
            is_ours = connection.execute(taking).one().is_ours
            try:
                yield bool(is_ours)
            finally:
                # What was done is done, and the lock ends with the connection.
                with suppress(SQLAlchemyError):
                    connection.commit()

    def reclaim(self) -> None:
        """Do nothing: the server's autovacuum reuses the space."""

    def close(self) -> None:
        """Close all connections."""
        self._watching.close()
        self._writing.close()
        for engine in {self._held, self._engine}:
            close_connections(engine)

    def _new_engine(self, **pool: Any) -> Engine:
        engine = create_engine(
            self._url,
            connect_args=self._secrets,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            **pool,
        )

        end_before_sqlalchemy(engine)

        @event.listens_for(engine, "connect")
        def _(driver: Any, entry: ConnectionPoolEntry) -> None:
            entry.info[_IS_POOLED] = self._set_up(driver)

        @event.listens_for(engine, "begin")
        def _(connection: Connection) -> None:
            if connection.info.get(_IS_POOLED):
                with lent_driver(connection) as driver:
                    driver.execute(self._set_locally().removeprefix(";"))

        return engine

    def _set_up(self, driver: Any) -> bool:
        """Set up a session, and return whether a pooler may change it under us."""
        with driver.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            # A pooler answers for the server with a number of its own.
            is_pooled: bool = cursor.fetchone()[0] != driver.info.backend_pid
            if is_pooled:
                driver.prepare_threshold = None
            else:
                for name, value in self._session_settings.items():
                    cursor.execute(f"SET {name} = '{value}'")
        driver.commit()
        return is_pooled

    def _set_locally(self) -> str:
        """Return the statements that set for a transaction what a session should have."""
        settings = self._session_settings.items()
        return "".join(f"; SET LOCAL {name} = '{value}'" for name, value in settings)

    def _check_schema(self) -> None:
        """Check that a search path by which releases found a store is not ignored."""
        with translated(self.address), self._engine.begin() as connection:
            found = schema_of_another_store(connection, self._schema)
        if found is not None:
            raise StoreUnavailableError(
                self.address,
                f"its search path leads to a store in the schema {found}, and the schema"
                f" {self._schema} has another one; say which by ?schema=",
            )

    def _check_durability(self) -> None:
        with translated(self.address), self._engine.connect() as connection:
            for name in _DURABLE_IF_ON:
                found = str(connection.exec_driver_sql(f"SHOW {name}").scalar_one())
                if found == "off":
                    raise UnsafeDurabilityError(self.address, name, found, "on")


@contextmanager
def _transaction(
    connection: Connection, *begin: str, is_awaited: bool = True
) -> Iterator[None]:
    """Begin and commit by the driver, in one round trip each.

    Args:
        connection: commits each statement by itself, as SQLAlchemy knows it.
        begin: what begins the transaction, and is done first in it.
        is_awaited: whether that must be done before anything else is sent.
    """
    with lent_driver(connection) as driver:
        is_done = False
        try:
            is_piped = _may_pipeline(connection)
            with pipelined(connection, driver) if is_piped else nullcontext():
                if is_piped:
                    *_, last = [driver.execute(each) for each in begin]
                    if is_awaited:
                        last.fetchall()
                else:
                    driver.execute("; ".join(begin))
                yield
                # As SQLAlchemy's own commit, for those who listen to the engine.
                connection.dispatch.commit(connection)
                driver.execute("COMMIT")
            is_done = True
        finally:
            connection.rollback()
            if not is_done and not driver.closed:
                driver.rollback()


def _may_pipeline(connection: Connection) -> bool:
    """Whether the driver can, and no pooler is in between that might not."""
    is_pooled: bool = connection.info.get(_IS_POOLED, True)
    return not is_pooled and connection.dialect.loaded_dbapi.Pipeline.is_supported()


def _without_secrets(url: URL) -> tuple[URL, dict[str, str]]:
    """Return a URL that an engine may show, and the other parameters of its driver."""
    secret = {} if url.password is None else {"password": url.password}
    for name, value in url.query.items():
        if not is_harmless(name):
            secret[name] = value if isinstance(value, str) else value[-1]
    harmless = url.difference_update_query(secret).query
    named = URL.create("postgresql+psycopg", url.username, None, url.host, url.port)
    return named.set(database=url.database, query=harmless), secret


def _set_local(name: str, value: str) -> Any:
    is_local = literal(True)  # noqa: FBT003 (for the database transaction)
    return func.set_config(name, value, is_local)


def _milliseconds(duration: timedelta) -> str:
    return f"{duration // timedelta(milliseconds=1)}ms"


def _lock_key(purpose: str, schema: str) -> int:
    """Return the number of a lock, one that every process agrees on."""
    if (purpose, schema) == ("writing", _SCHEMA_OF_OLD):
        return _LOCK_KEY_WITHOUT_SCHEMA
    digest = hashlib.sha256(f"metering {purpose} {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
