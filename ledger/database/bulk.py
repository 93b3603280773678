"""Statements on many rows at once, in the way that is fastest in each database."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, count, islice
from operator import itemgetter
from types import MappingProxyType, NoneType
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    Table,
    Update,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
    select,
    update,
)

from ledger.database.connections import lent_driver
from ledger.errors import StoreDamagedError

_POSTGRESQL = "postgresql"
# SQLite takes 32,766 values at most.
_ROWS_OF_A_STATEMENT = 256


def is_among(
    connection: Connection, tested: Column[Any], values: Sequence[str] | Sequence[int]
) -> ColumnElement[bool]:
    """Return the condition that a column of strings or integers has one of many values."""
    if connection.dialect.name == _POSTGRESQL:
        # Not the column's own type, to whose length strings would be cut.
        kind = BigInteger() if isinstance(tested.type, Integer) else String()
        return tested == any_(literal(list(values), ARRAY(kind)))
    # One argument, since SQLite bounds their number.
    listed = func.json_each(msgspec.json.encode(list(values)).decode())
    return tested.in_(select(listed.table_valued("value").c.value))


def read_columns(
    connection: Connection, wanted: Select[Any], given: Mapping[str, Any]
) -> list[list[Any]]:
    """Return the columns of all rows of a statement.

    To look at the types of a column takes a tenth of what it takes to look at each value.

    Raises:
        StoreDamagedError: a value is not of its column's type.
    """
    cursor = connection.execute(wanted, given).cursor
    assert cursor is not None, "the statement returns rows"
    rows = cursor.fetchall()
    columns = []
    for at, selected in enumerate(wanted.selected_columns):
        values = list(map(itemgetter(at), rows))
        columns.append(values)
        kind = selected.type.python_type
        others = {*map(type, values)} - {kind, NoneType}
        if others:
            found, expected = min(each.__name__ for each in others), kind.__name__
            reason = f"its column holds values of type {expected}"
            raise StoreDamagedError(f"a value of type {found}", reason)
    return columns


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows, each with a value for every column of the table, in order."""
    _insert(connection, table, list(table.columns), (iter(rows), len(rows)), ())


def insert_columns(
    connection: Connection,
    table: Table,
    columns: Mapping[Column[Any], Sequence[Any]],
    fixed: Mapping[Column[Any], Any] = MappingProxyType({}),
) -> None:
    """Insert rows that are given by columns; other columns are null.

    Args:
        connection: to the tables.
        table: gets the rows.
        columns: the values of each, all as many.
        fixed: the one value that a column has in all rows.
    """
    number = len(next(iter(columns.values())))
    rows = zip(*columns.values(), strict=True), number
    _insert(connection, table, [*columns, *fixed], rows, tuple(fixed.values()))


def _insert(
    connection: Connection,
    table: Table,
    columns: Sequence[Column[Any]],
    counted_rows: tuple[Iterator[tuple[Any, ...]], int],
    fixed: tuple[Any, ...],
) -> None:
    rows, number = counted_rows
    if not number:
        return
    quoted = connection.dialect.identifier_preparer
    names = ", ".join(quoted.format_column(each) for each in columns)
    place = f"{quoted.format_table(table)} ({names})"
    if connection.dialect.name == _POSTGRESQL:
        with (
            lent_driver(connection) as driver,
            driver.cursor() as cursor,
            cursor.copy(f"COPY {place} FROM STDIN") as stream,
        ):
            for row in rows:
                stream.write_row(row + fixed)
        return
    # To run a statement takes SQLite half of the time of a row.
    width, size = len(columns) - len(fixed), _ROWS_OF_A_STATEMENT
    for _ in range(number // size):
        values = chain(fixed, chain.from_iterable(islice(rows, size)))
        statement = _insertion(place, width, len(fixed), size)
        connection.exec_driver_sql(statement, tuple(values))
    if number % size:
        statement = _insertion(place, width, len(fixed), 1)
        connection.exec_driver_sql(statement, [fixed + row for row in rows])


@cache
def _insertion(place: str, width: int, fixed: int, rows: int) -> str:
    """Return the statement of SQLite that inserts rows of so many values.

    What is fixed comes first among the parameters, and last in each row.
    """
    numbers = count(fixed + 1)
    last = [f"?{number}" for number in range(1, fixed + 1)]
    values = (
        ", ".join([*(f"?{number}" for number in islice(numbers, width)), *last])
        for _ in range(rows)
    )
    of_all = "), (".join(values)
    return f"INSERT INTO {place} VALUES ({of_all})"  # noqa: S608  # names are quoted


def add_at_positions(
    connection: Connection, added_to: Column[int], amounts: Mapping[int, int]
) -> None:
    """Add amounts to a column of the rows at some positions."""
    # In the order of the rows, so that those of one page are changed together.
    changed = sorted((at, amount) for at, amount in amounts.items() if amount)
    if not changed:
        return
    position = added_to.table.c.position
    if connection.dialect.name == _POSTGRESQL:
        values = func.unnest(
            cast([at for at, _ in changed], ARRAY(BigInteger)),
            cast([amount for _, amount in changed], ARRAY(BigInteger)),
        ).table_valued(column("position", BigInteger), column("amount", BigInteger))
        given = values.render_derived()
        statement: Update = (
            update(added_to.table)
            .where(position == given.c.position)
            .values({added_to: added_to + given.c.amount})
        )
        connection.execute(statement)
    else:
        statement = (
            update(added_to.table)
            .where(position == bindparam("at"))
            .values({added_to: added_to + bindparam("amount")})
        )
        compiled = str(statement.compile(dialect=connection.dialect))
        rows = [(amount, at) for at, amount in changed]
        connection.exec_driver_sql(compiled, rows)
