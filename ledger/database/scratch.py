"""Scratch: tables of one's own, in a file of SQLite that nobody else sees.

It is for what is made to be compared and thrown away. SQLite keeps it in memory as long
as it is small, and deletes the file as it is closed.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from ledger.database.connections import translated
from ledger.database.sqlite_dialect import share_statements

ADDRESS = "a scratch file"


@contextmanager
def scratch_tables() -> Iterator[Connection]:
    """Open a database of one's own, empty, in one transaction.

    Raises:
        StoreError: there is no room for it.
    """
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(""), poolclass=StaticPool
    )
    share_statements(engine)
    try:
        with translated(ADDRESS), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
