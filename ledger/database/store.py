"""What the log needs from a database, and which database an address means.

A database transaction is opened here and nowhere else: `read` sees one snapshot, and
`write` holds the one write lock of the store from its first statement to its commit, so
that commit order is position order. Errors of the drivers leave translated.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.errors import (
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreUnavailableError,
)

_FULL = (
    "disk is full",
    "no space left",
    "disk full",
    "diskfull",
    "disk quota",
    "could not extend",
)
_BUSY = ("database is locked", "lock timeout", "statement timeout", "locknotavailable")


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

    def make_place(self, connection: Connection) -> None:
        """Make room for the tables of a store, under the write lock.

        Tables that an earlier release left elsewhere are moved there.
        """

    def sealing(self) -> AbstractContextManager[bool]:
        """Be the only process that seals, or learn that another one does.

        A courtesy, so that two processes do not do the same work; what keeps the log
        right is the write lock. Ends with the process.
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
    """Say in our words what a database refused."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    reason = " ".join(str(cause).split()) or type(cause).__name__
    known_as = f"{type(cause).__name__} {reason}".lower()
    if any(words in known_as for words in _FULL):
        return StoreFullError(address, reason)
    if any(words in known_as for words in _BUSY):
        return StoreBusyError(address, reason)
    return StoreUnavailableError(address, reason)


def close_connections(engine: Engine) -> None:
    """Close an engine's connections, those in use as soon as they are given back."""

    @event.listens_for(engine, "checkin")
    def _(_: object, entry: ConnectionPoolEntry) -> None:
        entry.invalidate()

    engine.dispose()


@contextmanager
def lent_driver(connection: Connection) -> Iterator[Any]:
    """Lend the driver's own connection, for what SQLAlchemy has no words for.

    The driver's errors become those that SQLAlchemy makes of them, so that whoever
    handles these handles both, and a connection that was lost is not used again.
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
