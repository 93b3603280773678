"""Rows of tables as Arrow: read in the order of their keys, and inserted again.

What a table holds is integers, strings and bytes, whatever the database. So rows of
SQLite go into PostgreSQL and back, and nothing of them is converted.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Table, select

from ledger.commits import commits_between
from ledger.database.bulk import insert_columns
from ledger.errors import StoreDamagedError
from ledger.migrations import BESIDE_THE_LOG
from ledger.schema import log_commit, log_correction, log_segment, log_upgrade

KEPT = (log_upgrade, log_correction, log_segment, *BESIDE_THE_LOG)
"""The tables that no other one leads to, but for the head and the commits.

What is being sealed is another process's affair, and chunks of segments are files.
"""

_ROWS_AT_A_TIME = 1_000
_BYTES_AT_A_TIME = 4 << 20
_TYPES = {int: pa.int64(), str: pa.string(), bytes: pa.binary()}


def schema_of(table: Table) -> pa.Schema:
    """Return the columns of a table, as Arrow has them."""
    return pa.schema(
        pa.field(each.name, _TYPES[each.type.python_type], nullable=bool(each.nullable))
        for each in table.columns
    )


def read_rows(connection: Connection, table: Table) -> Iterator[pa.RecordBatch]:
    """Read all rows of a table, in the order of its key.

    Raises:
        StoreDamagedError: a value is not of its column's type.
    """
    wanted = select(*table.columns).order_by(*table.primary_key)
    found = connection.execute(wanted.execution_options(yield_per=_ROWS_AT_A_TIME))
    for rows in found.partitions():
        yield batch_of(table, rows)


def read_commits(
    connection: Connection, after: int, up_to: int
) -> Iterator[pa.RecordBatch]:
    """Read the commits that begin after a position and up to another, as they are rows.

    Each batch is of some megabytes, or of one commit.

    Raises:
        LogDamagedError: a value is not of its column's type.
    """
    rows: list[Sequence[Any]] = []
    size = 0
    for row in commits_between(connection, after, up_to):
        rows.append(row)
        size += len(row.body)
        if size > _BYTES_AT_A_TIME or len(rows) == _ROWS_AT_A_TIME:
            yield batch_of(log_commit, rows)
            rows, size = [], 0
    if rows:
        yield batch_of(log_commit, rows)


def insert_batch(connection: Connection, table: Table, batch: pa.RecordBatch) -> None:
    """Insert rows into a table, in whose columns they were read."""
    insert_columns(
        connection,
        table,
        {table.c[name]: batch.column(name).to_pylist() for name in batch.schema.names},
    )


def batch_of(table: Table, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Return rows, at least one, as columns."""
    schema = schema_of(table)
    columns = zip(*rows, strict=True)
    try:
        return pa.record_batch(
            [
                pa.array(values, field.type)
                for values, field in zip(columns, schema, strict=True)
            ],
            schema=schema,
        )
    except (pa.ArrowException, TypeError, OverflowError) as error:
        reason = (
            f"it holds a value of another type ({error}); `metering verify` names it"
        )
        raise StoreDamagedError(f"the table {table.name}", reason) from error
