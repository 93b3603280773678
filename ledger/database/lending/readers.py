"""Readers of a SQLite file: connections that are kept open, each lent to one at a time.

SQLAlchemy takes five times as long to lend one of its pool, and to begin and end a
database transaction, as SQLite takes to answer what a caller waits for.
"""

from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine

from ledger.database.connections import ForkGate, is_of_driver, translated


class Readers:
    """The connections that read one file. Thread-safe.

    Args:
        engine: makes them; it begins no database transaction by itself.
        gate: that every use of the file passes.
        address: of the file.
    """

    def __init__(self, engine: Engine, gate: ForkGate, address: str) -> None:
        self.gate = gate
        self.translated = translated(address)
        self._engine = engine
        self._is_closed = False
        self._free: list[Connection] = []

    def take(self) -> Connection:
        """Take a connection that nobody uses, or a new one."""
        try:
            return self._free.pop()
        except IndexError:
            return self._engine.connect()

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for who reads next."""
        self._free.append(connection)
        if self._is_closed:
            self.release()

    def release(self) -> None:
        """Close the connections that nobody uses; who reads next opens another."""
        while self._free:
            self._free.pop().close()

    def close(self) -> None:
        """Close all connections, those in use as soon as they are given back."""
        self._is_closed = True
        self.release()


class ReadTransaction:
    """A database transaction that sees one snapshot and cannot write.

    A class, since a generator takes three times as long to enter and to leave.

    Args:
        readers: whose connection it takes.
        begins: whether it is one; if not, each statement is one by itself.
    """

    __slots__ = ("_begins", "_connection", "_driver", "_readers")

    def __init__(self, readers: Readers, *, begins: bool = True) -> None:
        self._readers = readers
        self._begins = begins

    def __enter__(self) -> Connection:
        """Begin, and lend the connection."""
        readers = self._readers
        readers.gate.__enter__()
        self._connection: Connection | None = None
        try:
            self._connection = connection = readers.take()
            # The driver of SQLite is no adapter, so it is the driver's own connection.
            driver: Any = connection.connection.dbapi_connection
            self._driver = driver
            if self._begins:
                driver.execute("BEGIN")
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, and give the connection back; raise ours where an error was theirs."""
        readers = self._readers
        try:
            if (connection := self._connection) is not None:
                if isinstance(error, Exception) and is_of_driver(error):
                    # Else SQLAlchemy would roll back, and log at length if that fails.
                    connection.invalidate()
                    connection.close()
                else:
                    with readers.translated:
                        # SQLAlchemy may have begun one of its own.
                        connection.rollback()
                        # As a statement that is kept: `rollback` prepares one each time.
                        if self._driver.in_transaction:
                            self._driver.execute("ROLLBACK")
                    readers.give_back(connection)
        finally:
            readers.gate.__exit__()
        readers.translated.__exit__(kind, error, trace)
