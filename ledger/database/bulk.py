"""Statements on many rows at once, in the way that is fastest in each database."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    Table,
    Update,
    any_,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    update,
)

from ledger.database.connections import lent_driver

_POSTGRESQL = "postgresql"


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


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows, each with a value for every column of the table, in order."""
    if not rows:
        return
    if connection.dialect.name == _POSTGRESQL:
        quoted = connection.dialect.identifier_preparer
        columns = ", ".join(quoted.format_column(each) for each in table.columns)
        copy = f"COPY {quoted.format_table(table)} ({columns}) FROM STDIN"
        with (
            lent_driver(connection) as driver,
            driver.cursor() as cursor,
            cursor.copy(copy) as stream,
        ):
            for row in rows:
                stream.write_row(row)
    else:
        statement = str(insert(table).compile(dialect=connection.dialect))
        connection.exec_driver_sql(statement, list(rows))


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
