"""Statements on many rows at once, in the way that is fastest in each database."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import chain, count, islice
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
    any_,
    bindparam,
    column,
    func,
    literal,
    select,
    update,
)

from ledger.database.connections import STATEMENT, DriverStatement, lent_driver
from ledger.database.lending.pipelines import end_pipeline
from ledger.errors import StoreDamagedError

_POSTGRESQL = "postgresql"
# SQLite takes 32,766 values at most.
_ROWS_OF_A_STATEMENT = 256
_ROWS_AT_A_TIME = 512
# Copying them takes PostgreSQL several round trips.
_FEW_ROWS = 8


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
    columns: list[list[Any]] = [[] for _ in wanted.selected_columns]
    while rows := cursor.fetchmany(_ROWS_AT_A_TIME):
        for values, read in zip(columns, zip(*rows, strict=True), strict=True):
            values.extend(read)
    for values, selected in zip(columns, wanted.selected_columns, strict=True):
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
    if not rows:
        return
    if len(rows) <= _FEW_ROWS:
        _insert_few(connection, table, rows)
        return
    if connection.dialect.name == _POSTGRESQL:
        _copy(connection, _place_of(connection, table, table.columns), rows)
        return
    columns = list(zip(*rows, strict=True))
    insert_columns(connection, table, dict(zip(table.columns, columns, strict=True)))


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
    (number,) = {len(each) for each in columns.values()}
    if not number:
        return
    place = _place_of(connection, table, [*columns, *fixed])
    if connection.dialect.name == _POSTGRESQL:
        last = tuple(fixed.values())
        rows = zip(*columns.values(), strict=True)
        _copy(connection, place, (row + last for row in rows))
        return
    _run_in_portions(
        connection,
        partial(_insertion, place, len(columns), len(fixed)),
        list(columns.values()),
        tuple(fixed.values()),
    )


def _place_of(
    connection: Connection, table: Table, columns: Iterable[Column[Any]]
) -> str:
    """Return a table with some columns, quoted; each is asked for with every commit."""
    dialect = connection.dialect
    names = tuple(each.name for each in columns)
    known = _PLACES.get((dialect.name, table, names))
    if known is None:
        quoted = dialect.identifier_preparer
        listed = ", ".join(quoted.format_column(table.c[name]) for name in names)
        known = f"{quoted.format_table(table)} ({listed})"
        _PLACES[dialect.name, table, names] = known
    return known


_PLACES: dict[tuple[str, Table, tuple[str, ...]], str] = {}


def _insert_few(
    connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows by a statement of their own, as most commits of facts do."""
    asked = connection.dialect.name, table, len(rows)
    statement = _FEW.get(asked)
    if statement is None:
        place = _place_of(connection, table, table.columns)
        mark = "%s" if connection.dialect.name == _POSTGRESQL else "?"
        row = ", ".join([mark] * len(rows[0]))
        of_all = "), (".join([row] * len(rows))
        statement = f"INSERT INTO {place} VALUES ({of_all})"  # noqa: S608  # names are quoted
        _FEW[asked] = statement
    values = rows[0] if len(rows) == 1 else [*chain.from_iterable(rows)]
    sys.audit(STATEMENT, statement)
    with lent_driver(connection) as driver:
        driver.execute(statement, values)


_FEW: dict[tuple[str, Table, int], str] = {}


def _copy(connection: Connection, place: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert rows into PostgreSQL, which takes them one by one as they are."""
    end_pipeline(connection)
    with (
        lent_driver(connection) as driver,
        driver.cursor() as cursor,
        cursor.copy(f"COPY {place} FROM STDIN") as stream,
    ):
        for row in rows:
            stream.write_row(row)


def _run_in_portions(
    connection: Connection,
    statement_of: Callable[[int], str],
    columns: Sequence[Sequence[Any]],
    fixed: tuple[Any, ...] = (),
) -> None:
    """Run a statement of SQLite on many rows, some at a time.

    To run one takes SQLite half of the time of a row. And no row is made a tuple of: that
    many of them would have Python look for garbage in all there is. Rows come in powers of
    two, of which there are few: a statement of another length takes ten times as long to
    be written and prepared as it takes to run.

    Args:
        connection: to SQLite.
        statement_of: returns it for a number of rows; its parameters are what is fixed,
            and then the values row by row.
        columns: the values, all as many.
        fixed: come first.
    """
    number, width = len(columns[0]), len(columns)
    start = 0
    # By the driver: SQLAlchemy takes longer than SQLite does for a few rows.
    with lent_driver(connection) as driver:
        while start < number:
            most = min(_ROWS_OF_A_STATEMENT, number - start)
            size = 1 << (most.bit_length() - 1)
            values: list[Any] = [None] * (size * width)
            for at, each in enumerate(columns):
                values[at::width] = each[start : start + size]
            statement = statement_of(size)
            sys.audit(STATEMENT, statement)
            driver.execute(statement, (*fixed, *values))
            start += size


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
    connection: Connection, amounts: Mapping[Column[int], Mapping[int, int]]
) -> None:
    """Add amounts to columns of one table, in the rows at some positions.

    Args:
        connection: to the table.
        amounts: what is added to each column, by position.
    """
    columns = tuple(each for each, added in amounts.items() if any(added.values()))
    if not columns:
        return
    wanted = [amounts[each] for each in columns]
    # In the order of the rows, so that those of one page are changed together.
    places = sorted({at for each in wanted for at, amount in each.items() if amount})
    names = _names_of_added(columns)
    if len(places) == 1:
        [place] = places
        given = {"place": place}
        for name, each in zip(names, wanted, strict=True):
            given[name] = each.get(place, 0)
        _added_at_one(columns).run(connection, given)
        return
    added = [[each.get(at, 0) for at in places] for each in wanted]
    if connection.dialect.name == _POSTGRESQL:
        of_all = dict(zip(names, added, strict=True))
        _added_at(columns).run(connection, {"place": places, **of_all})
        return
    quoted = connection.dialect.identifier_preparer
    table = quoted.format_table(columns[0].table)
    own_names = tuple(map(quoted.format_column, columns))
    statement_of = partial(_addition, table, own_names)
    _run_in_portions(connection, statement_of, [places, *added])


@cache
def _names_of_added(columns: tuple[Column[int], ...]) -> list[str]:
    """Return the names of the parameters that are added to columns."""
    return [f"more_{each.name}" for each in columns]


@cache
def _added_at_one(columns: tuple[Column[int], ...]) -> DriverStatement:
    """Return the statement that adds to columns of one row."""
    table = columns[0].table
    return DriverStatement(
        update(table)
        .where(table.c.position == bindparam("place"))
        .values(
            {
                each: each + bindparam(name)
                for each, name in zip(columns, _names_of_added(columns), strict=True)
            }
        )
    )


@cache
def _added_at(columns: tuple[Column[int], ...]) -> DriverStatement:
    """Return the statement of PostgreSQL that adds to columns of any number of rows."""
    table = columns[0].table
    added = _names_of_added(columns)
    names = ["place", *added]
    given = (
        func.unnest(*(bindparam(name, type_=ARRAY(BigInteger)) for name in names))
        .table_valued(*(column(name, BigInteger) for name in names))
        .render_derived()
    )
    return DriverStatement(
        update(table)
        .where(table.c.position == given.c.place)
        .values(
            {
                each: each + given.c[name]
                for each, name in zip(columns, added, strict=True)
            }
        )
    )


@cache
def _addition(table: str, names: tuple[str, ...], rows: int) -> str:
    """Return the statement of SQLite that adds to columns of so many rows."""
    row = ", ".join(["?"] * (1 + len(names)))
    values = "), (".join([row] * rows)
    added = ", ".join(
        f"{name} = {name} + given.column{number}"
        for number, name in enumerate(names, 2)
    )
    return (
        f"UPDATE {table} SET {added}"  # noqa: S608  # names are quoted
        f" FROM (VALUES ({values})) AS given WHERE position = given.column1"
    )
