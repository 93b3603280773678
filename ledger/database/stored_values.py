"""Stored values as they are, for those who look whether they are what they should be.

SQLite stores a value of any type in any column, and text that is no UTF-8. What reads a
row for its meaning takes the types for granted; what is here takes nothing for granted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, inspect, select, type_coerce
from sqlalchemy.types import NullType

from ledger.database.connections import lent_driver

_ROWS_AT_A_TIME = 1_000


def stored_rows(connection: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """Yield every row of a table, unconverted, in no order.

    Text that is no UTF-8 is given as bytes.
    """
    wanted = select(*(type_coerce(each, NullType()) for each in table.columns))
    streamed = wanted.execution_options(yield_per=_ROWS_AT_A_TIME)
    with _any_text(connection):
        yield from map(tuple, connection.execute(streamed))


def damaged_values(
    connection: Connection, table: Table
) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield the values of a table that no release writes: of other types, or NULL.

    Returns:
        For each its row's primary key, its column, and what is wrong with it.
    """
    kinds = [each.type.python_type for each in table.columns]
    names = [each.name for each in table.columns]
    keys = [names.index(each.name) for each in table.primary_key]
    for row in stored_rows(connection, table):
        for column, kind, value in zip(table.columns, kinds, row, strict=True):
            if type(value) is kind or (value is None and column.nullable):
                continue
            key = {names[at]: row[at] for at in keys}
            reason = "it is NULL" if value is None else f"it is {value!r:.60}"
            yield key, column.name, f"{reason}, and should be of type {kind.__name__}"


def damaged_pages(connection: Connection) -> list[str]:
    """Return what SQLite finds wrong with the pages of its file, and with indexes."""
    if connection.dialect.name != "sqlite":
        return []
    checked = connection.exec_driver_sql("PRAGMA integrity_check(20)")
    with _any_text(connection):
        return [str(line) for (line,) in checked if line != "ok"]


def missing_parts(connection: Connection, table: Table) -> list[str]:
    """Return what a stored table lacks of its definition, such as ``column name``."""
    found = inspect(connection)
    if not found.has_table(table.name):
        return ["table"]
    columns = {each["name"] for each in found.get_columns(table.name)}
    indexes = _indexes(connection, table)
    key = found.get_pk_constraint(table.name)["constrained_columns"]
    has_key = key == [each.name for each in table.primary_key]
    return [
        *([] if has_key else ["primary key"]),
        *(f"column {each.name}" for each in table.columns if each.name not in columns),
        *(f"index {each.name}" for each in table.indexes if each.name not in indexes),
    ]


def _indexes(connection: Connection, table: Table) -> set[str | None]:
    if connection.dialect.name == "sqlite":
        # SQLAlchemy passes over those of expressions here.
        listed = "SELECT name FROM pragma_index_list(?)"
        return set(connection.exec_driver_sql(listed, (table.name,)).scalars())
    return {each["name"] for each in inspect(connection).get_indexes(table.name)}


@contextmanager
def _any_text(connection: Connection) -> Iterator[None]:
    if connection.dialect.name != "sqlite":
        yield
        return
    with lent_driver(connection) as driver:
        before, driver.text_factory = driver.text_factory, _text_or_bytes
        try:
            yield
        finally:
            driver.text_factory = before


def _text_or_bytes(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored
