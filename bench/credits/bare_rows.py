"""The least that is durable: a table without an index, a database transaction a row."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import make_url

from bench.credits.credit_stores import SQLITE

_TABLE: Final = "CREATE TABLE held (job TEXT NOT NULL, amount BIGINT NOT NULL)"


class BareRows:
    """Rows of holds and settlements, by hand."""

    def __init__(self, connection: Any, begin: str, mark: str) -> None:
        """Create the table over a connection of either driver."""
        self._connection = connection
        self._begin = begin
        self._insert = f"INSERT INTO held VALUES ({mark}, {mark})"  # noqa: S608  # marks
        connection.execute(_TABLE)

    def insert_two(self, name: str) -> None:
        """Insert a row for a hold, and one for its settlement; each durable at once."""
        self._insert_one(name, 800)
        self._insert_one(name, 320)

    def _insert_one(self, job: str, amount: int) -> None:
        self._connection.execute(self._begin)
        self._connection.execute(self._insert, (job, amount))
        self._connection.execute("COMMIT")

    def count(self) -> int:
        """Count the rows."""
        found = self._connection.execute("SELECT count(*) FROM held").fetchone()
        return int(found[0])


@contextmanager
def bare_rows(kind: str, place: str) -> Iterator[BareRows]:
    """Open a table in a kind of database, at a place that is made for it."""
    if kind == SQLITE:
        path = Path(place).with_name("bare.db")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            yield BareRows(connection, "BEGIN IMMEDIATE", "?")
    else:
        url = make_url(place).set(drivername="postgresql")
        address = url.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as server:
            yield BareRows(server, "BEGIN", "%s")
