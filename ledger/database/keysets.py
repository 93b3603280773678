"""Keysets: rows next to a place, in an order that an index keeps.

The index is gone to where the place is, so what lies before and behind it costs nothing.
An offset would be counted from the beginning, and a sort would read every row.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, bindparam


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
