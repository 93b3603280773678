"""Lists: which rows of many are asked for, and which of them a page shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    # Requests name pages, and the help of commands is written without a database.
    from sqlalchemy import Column, Connection, Row, Select, Table

PagedT = TypeVar("PagedT")


def compared(wanted: Select[Any], *conditions: tuple[Any, Any]) -> Select[Any]:
    """Add the conditions that columns have values; of None there is none."""
    for column, value in conditions:
        if value is not None:
            wanted = wanted.where(column == value)
    return wanted


def within_bounds(
    wanted: Select[Any], column: Column[int], bounds: tuple[int, int] | None
) -> Select[Any]:
    """Add the condition that a column is in ``[start, end)``; of None there is none."""
    if bounds is None:
        return wanted
    start, end = bounds
    return wanted.where(column >= start, column < end)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows to read of many, newest first.

    Attributes:
        limit: how many at most; None is all of them.
        before: only rows at smaller positions; None is no bound.
        after: only rows at greater positions, and the oldest of them.
    """

    limit: int | None = None
    before: int | None = None
    after: int | None = None

    def read(
        self, connection: Connection, table: Table, wanted: Select[Any]
    ) -> list[Row[Any]]:
        """Return the page's rows of a statement, newest first."""
        position = table.c.position
        if self.before is not None:
            wanted = wanted.where(position < self.before)
        if self.after is None:
            ordered = wanted.order_by(position.desc())
        else:
            ordered = wanted.where(position > self.after).order_by(position)
        if self.limit is not None:
            ordered = ordered.limit(self.limit)
        rows = list(connection.execute(ordered))
        return rows if self.after is None else rows[::-1]

    def within(self, oldest_first: Sequence[PagedT]) -> list[PagedT]:
        """Return what is on the page of items read from several tables, oldest first."""
        if self.limit is None:
            return list(oldest_first)
        if self.after is None:
            return list(oldest_first[-self.limit :])
        return list(oldest_first[: self.limit])
