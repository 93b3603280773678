"""Keysets: rows next to a place, in an order that an index keeps.

The index is gone to where the place is, so what lies before and behind it costs nothing.
An offset would be counted from the beginning, and a sort would read every row.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    TextClause,
    bindparam,
    literal_column,
    select,
    union_all,
)


class Keyset:
    """Reads the rows of a statement in the order of some columns.

    Args:
        wanted: the statement, without an order; selects the columns as well.
        order: the columns; an index begins with those that the statement compares, and
            goes on with these.
    """

    def __init__(self, wanted: Select[Any], order: Sequence[Column[Any]]) -> None:
        self._names = [f"place_{number}" for number in range(len(order))]
        self._place_of = [column.key for column in order]
        limited = wanted.limit(bindparam("row_limit"))
        # A statement for each column that is the first to differ: SQLite compares rows
        # of values by an index only where none of them is its row number.
        self._older, self._newer = [], []
        for number, differs in enumerate(order):
            same = limited.where(
                *(
                    column == bindparam(name, type_=column.type)
                    for name, column in zip(self._names, order[:number], strict=False)
                )
            )
            bound = bindparam(self._names[number], type_=differs.type)
            rest = order[number:]
            older = same.where(differs < bound).order_by(*(c.desc() for c in rest))
            self._older.append(older)
            self._newer.append(same.where(differs > bound).order_by(*rest))

    def rows(
        self,
        connection: Connection,
        place: tuple[Any, ...],
        given: Mapping[str, Any],
        *,
        newest_first: bool,
        at_a_time: int,
    ) -> Iterator[Sequence[Row[Any]]]:
        """Yield the rows before a place, newest first, or those after it, oldest first.

        Args:
            connection: to the tables.
            place: a value for each column of the order, or for the first of them;
                exclusive.
            given: the statement's own parameters.
            newest_first: the direction.
            at_a_time: how many rows are read together; none is before it is asked for.
        """
        statements = self._older if newest_first else self._newer
        while True:
            rows: list[Row[Any]] = []
            parameters = {**given, **dict(zip(self._names, place, strict=False))}
            for statement in reversed(statements[: len(place)]):
                parameters["row_limit"] = at_a_time - len(rows)
                rows += connection.execute(statement, parameters)
                if len(rows) == at_a_time:
                    break
            yield rows
            if len(rows) < at_a_time:
                return
            place = tuple(getattr(rows[-1], name) for name in self._place_of)


@dataclass(frozen=True, slots=True)
class PositionColumn:
    """A column of positions, in the rows that fulfil some conditions.

    An index of those rows keeps the order of the column.
    """

    column: Column[Any]
    conditions: tuple[ColumnElement[bool] | TextClause, ...] = ()


class MergedPositions:
    """Reads the positions of several columns in one order, in one statement.

    Args:
        columns: of positions.
    """

    def __init__(self, columns: Sequence[PositionColumn]) -> None:
        place = bindparam("place", type_=BigInteger())
        most: BindParameter[int] = bindparam("row_limit")
        older, newer = [], []
        for number, each in enumerate(columns):
            column = each.column
            found = select(
                literal_column(str(number)).label("number"), column.label("position")
            ).where(*each.conditions)
            before = found.where(column < place).order_by(column.desc()).limit(most)
            after = found.where(column > place).order_by(column).limit(most)
            older.append(select(before.subquery(f"older_{number}")))
            newer.append(select(after.subquery(f"newer_{number}")))
        position: ColumnElement[int] = literal_column("position")
        self._older = union_all(*older).order_by(position.desc()).limit(most)
        self._newer = union_all(*newer).order_by(position).limit(most)

    def rows(
        self, connection: Connection, place: int, at_most: int, *, newest_first: bool
    ) -> Sequence[tuple[int, int]]:
        """Return the positions before a place, newest first, or after it, oldest first.

        Returns:
            For each the number of its column, and the position.
        """
        statement = self._older if newest_first else self._newer
        given = {"place": place, "row_limit": at_most}
        rows = connection.execute(statement, given)
        return [(row.number, row.position) for row in rows]
