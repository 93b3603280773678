"""A place for a new log: a database that has none, and one database transaction for it.

A process that is killed leaves a log that is there as a whole, or none.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from ledger.database.store import Database
from ledger.errors import StoreUnavailableError
from ledger.migrations import create_absent_tables
from ledger.schema import format_version

# So large that what was written is brought into the file at once.
_MUCH_BYTES = 16 << 20


@contextmanager
def new_log(database: Database) -> Iterator[Connection]:
    """Open a database transaction in which a log is made, where there is none.

    Raises:
        StoreUnavailableError: there is one.
    """
    with database.write(_MUCH_BYTES) as connection:
        check_absent(connection, database)
        create_absent_tables(connection)
        yield connection


def check_absent(connection: Connection, database: Database) -> None:
    """Check that a database has no store, and make room for the tables of one.

    Args:
        connection: holds the write lock.
        database: to which it is a connection.

    Raises:
        StoreUnavailableError: there is one.
    """
    if format_version(connection) is None:
        database.make_place(connection)
    if format_version(connection) is not None:
        reason = "there is a store already; name a place that has none"
        raise StoreUnavailableError(database.address, reason)
