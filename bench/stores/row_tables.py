"""The peers: a row per event with a unique index over event name and identifier.

Each peer is set up as its database's own manual advises for bulk writes that must be
durable and free of duplicates, and keeps what this project keeps: name, identifier,
timestamp, customer, value and the rest of the payload. Unlike this project it does not
compare a repeated identifier's content, so it does less.

The batches arrive as Arrow. Drivers take Python rows or COPY text, so a conversion
cannot be avoided and counts as the peer's time; it is vectorised where the driver
allows it, and its seconds are recorded on their own.
"""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Final, LiteralString

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from bench.measures import SAMPLED_CUSTOMERS, Answers
from metering.cli.demo.traffic import customer_id

Row = tuple[str | int, ...]

SQLITE_TABLE: Final = """
CREATE TABLE event (
    event_name TEXT NOT NULL,
    identifier TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    customer TEXT NOT NULL,
    thousandths INTEGER NOT NULL,
    payload TEXT NOT NULL
)
"""

_CUSTOMERS: Final = [customer_id(rank) for rank in SAMPLED_CUSTOMERS]
_POSTGRESQL_COLUMNS: Final = """
    event_name text NOT NULL,
    identifier text NOT NULL,
    "timestamp" timestamptz NOT NULL,
    customer text NOT NULL,
    value numeric NOT NULL,
    payload jsonb NOT NULL
"""
_UNIQUE_INDEX: Final = """
CREATE UNIQUE INDEX event_identity ON event (event_name, identifier)
"""


class SqliteRowTable:
    """A row table in SQLite, written by executemany, one database transaction a batch.

    Values are integers of thousandths: SQLite has no decimals, and this is exact and
    the cheapest. The page cache holds the whole index, and the write-ahead log may
    grow to 200 MB before it is checkpointed: both help the peer.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA cache_size = -1048576",
            "PRAGMA wal_autocheckpoint = 50000",
            SQLITE_TABLE,
            _UNIQUE_INDEX,
        ):
            self._connection.execute(statement)

    def close(self) -> None:
        """Checkpoint and close."""
        self._connection.close()

    def convert(self, batch: pa.RecordBatch) -> list[Row]:
        """Make the rows that executemany takes."""
        return list(
            zip(
                _python_values(batch.column("event_name")),
                _python_values(batch.column("identifier")),
                _python_values(batch.column("timestamp").cast(pa.int64())),
                _python_values(batch.column("stripe_customer_id")),
                thousandths(batch.column("value")),
                _python_values(_payload_json(batch)),
                strict=True,
            )
        )

    def insert(self, rows: list[Row]) -> None:
        """Insert the rows that are new; durable on return."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?, ?)", rows
        )
        self._connection.execute("COMMIT")

    def answers(self) -> Answers:
        """Count the events and add up the usage of the sampled customers."""
        return sqlite_answers(self._connection)


class PostgresqlRowTable:
    """A row table in PostgreSQL, one database transaction a batch.

    There are three ways to write it: `executemany`, whose conflicts do nothing;
    `copy`, which fails at the first repeated identifier and so serves as the bound
    for events known to be distinct; and `copy_staged`, which copies into a temporary
    table, without index or write-ahead log, and inserts from there what is new.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url)
        with self._connection.transaction():
            for statement in (
                f"CREATE TABLE event ({_POSTGRESQL_COLUMNS})",
                f"CREATE TEMPORARY TABLE staged_event ({_POSTGRESQL_COLUMNS})",
                _UNIQUE_INDEX,
            ):
                self._connection.execute(statement)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def rows(self, batch: pa.RecordBatch) -> list[Row]:
        """Make the rows that executemany takes, all text: the quickest for psycopg."""
        columns = _postgresql_columns(batch).columns
        return list(
            zip(*(_python_values(c.cast(pa.string())) for c in columns), strict=True)
        )

    def block(self, batch: pa.RecordBatch) -> memoryview:
        """Write the batch as one block of CSV, quicker than row by row in Python."""
        sink = pa.BufferOutputStream()
        pa_csv.write_csv(
            _postgresql_columns(batch),
            sink,
            pa_csv.WriteOptions(include_header=False),
        )
        return memoryview(sink.getvalue())

    def executemany(self, rows: list[Row]) -> None:
        """Insert the rows that are new; durable on return."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO event VALUES (%s, %s, %s, %s, %s, %s) "
                "ON CONFLICT DO NOTHING",
                rows,
            )

    def copy(self, block: memoryview) -> None:
        """Copy distinct events under the unique index; durable on return."""
        with self._connection.transaction():
            self._copy("COPY event FROM STDIN (FORMAT csv)", block)

    def copy_staged(self, block: memoryview) -> None:
        """Copy to the temporary table, insert what is new; durable on return."""
        with self._connection.transaction():
            self._connection.execute("TRUNCATE staged_event")
            self._copy("COPY staged_event FROM STDIN (FORMAT csv)", block)
            self._connection.execute(
                "INSERT INTO event SELECT * FROM staged_event ON CONFLICT DO NOTHING"
            )

    def answers(self) -> Answers:
        """Count the events and add up the usage of the sampled customers."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM event")
            ((events,),) = cursor.fetchall()
            cursor.execute(
                """
                SELECT event_name, customer, sum(value)
                FROM event
                WHERE customer = ANY(%s)
                GROUP BY event_name, customer
                """,
                [_CUSTOMERS],
            )
            totals = {(name, customer): total for name, customer, total in cursor}
        return Answers(events=events, totals=totals)

    def _copy(self, statement: LiteralString, block: memoryview) -> None:
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(block)


def sqlite_answers(connection: sqlite3.Connection) -> Answers:
    """Ask a SQLite table of the columns above, whatever its indexes."""
    (events,) = connection.execute("SELECT count(*) FROM event").fetchone()
    totals = connection.execute(
        """
        SELECT event_name, customer, sum(thousandths)
        FROM event
        WHERE customer IN (?, ?, ?, ?, ?)
        GROUP BY event_name, customer
        """,
        _CUSTOMERS,
    )
    return Answers(
        events=events,
        totals={
            (event_name, customer): Decimal(total).scaleb(-3)
            for event_name, customer, total in totals
        },
    )


def postgresql_bytes(url: str) -> int:
    """Ask how much a database takes on disk, indexes and catalog included."""
    with closing(psycopg.connect(url)) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())")
        ((size,),) = row.fetchall()
    return int(size)


def thousandths(values: pa.Decimal128Array) -> list[int]:
    """Read non-negative decimals of scale 3 as integers, without Python decimals."""
    _, data = values.buffers()
    words = np.frombuffer(data, dtype=np.int64).reshape(-1, 2)
    low: list[int] = words[values.offset : values.offset + len(values), 0].tolist()
    return low


def _postgresql_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    kept = [batch.column(field) for field in batch.schema.names if field != "model"]
    names = [field for field in batch.schema.names if field != "model"]
    return pa.RecordBatch.from_arrays(
        [*kept, _payload_json(batch)], names=[*names, "payload"]
    )


def _payload_json(batch: pa.RecordBatch) -> pa.StringArray:
    # The models of the traffic hold nothing that JSON would have to escape.
    return pc.binary_join_element_wise('{"model":"', batch.column("model"), '"}', "")


def _python_values(column: pa.Array) -> list[str | int]:
    # Through NumPy, several times as quick as Arrow's own to_pylist.
    values: list[str | int] = column.to_numpy(zero_copy_only=False).tolist()
    return values
