"""Own the edits of a row: every column of every table, in every way that matters."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, make_url

import ledger.migrations  # noqa: F401  # Loads the tables beside the log.
from ledger import schema
from ledger.records import tables as beside
from projections.folds import folded_tables
from projections.schema import metadata as derived

folded_tables()  # Loads them.
SCHEMAS: tuple[MetaData, ...] = (schema.metadata, beside.metadata, derived)
TABLES: tuple[Table, ...] = tuple(
    table for each in SCHEMAS for table in each.sorted_tables
)
"""Every table of a store, from the metadata: a new one is edited as well."""
EMPTY = ("log_sealing", "log_segment_chunk", "log_correction", "log_ancestor")
"""Tables without a row in a store that nobody is sealing, that has a directory for its
segments, whose time was never wrong, and that began by itself."""

Rows = Sequence[Sequence[Any]]


class EditRefusedError(Exception):
    """The database does not let anybody make an edit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of one table.

    Attributes:
        column: that is changed; None is a row as a whole.
        kind: how.
    """

    table: str
    column: str | None
    kind: str

    def __str__(self) -> str:
        """Return the name of the edit."""
        return f"{self.table}.{self.column or '*'} {self.kind}"


_OF_ROWS = ("deleted", "all deleted", "copied")
_OF_COLUMNS = ("null", "other", "swapped", "of another type")
_MORE = {
    "whole": ("negative", "huge"),
    "text": ("empty", "no utf-8"),
    "bytes": ("empty", "truncated"),
}


def edits_of(table: Table) -> Iterator[Edit]:
    """Yield every edit of a table."""
    for kind in _OF_ROWS:
        yield Edit(table=table.name, column=None, kind=kind)
    for column in table.columns:
        for kind in (*_OF_COLUMNS, *_MORE[_kind_of(column)]):
            yield Edit(table=table.name, column=column.name, kind=kind)


def _kind_of(column: Column[Any]) -> str:
    if isinstance(column.type, Integer):
        return "whole"
    return "bytes" if isinstance(column.type, LargeBinary) else "text"


class _Database:
    """A store's database, as somebody opens it who is not this product."""

    def __init__(self, connection: Any, table: Table, mark: str) -> None:
        self._connection = connection
        self._table = table
        self._mark = mark
        self.key = [each.name for each in table.primary_key]

    def rows(self) -> Rows:
        names = ", ".join(_quoted(each) for each in self._names)
        order = ", ".join(map(_quoted, self.key))
        found = self._run(f"SELECT {names} FROM {self._table.name} ORDER BY {order}")
        return [tuple(row) for row in found.fetchall()]

    def put(self, row: Sequence[Any], column: str, value: Any) -> None:
        where, key = self._at(row)
        statement = f"UPDATE {self._table.name} SET {_quoted(column)} = {self._mark}"
        if self._run(f"{statement} WHERE {where}", value, *key).rowcount != 1:
            raise EditRefusedError

    def put_raw(self, row: Sequence[Any], column: str, expression: str) -> None:
        where, key = self._at(row)
        statement = f"UPDATE {self._table.name} SET {_quoted(column)} = {expression}"
        self._run(f"{statement} WHERE {where}", *key)

    def delete(self, row: Sequence[Any] | None) -> None:
        where, key = ("1 = 1", []) if row is None else self._at(row)
        self._run(f"DELETE FROM {self._table.name} WHERE {where}", *key)

    def insert(self, row: Sequence[Any]) -> None:
        marks = ", ".join([self._mark] * len(row))
        names = ", ".join(_quoted(each) for each in self._names)
        self._run(f"INSERT INTO {self._table.name} ({names}) VALUES ({marks})", *row)

    def allow_null(self) -> None:
        """Rewrite the definition, so that every column takes NULL."""
        self._run("PRAGMA writable_schema = ON")
        self._run(
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '')"
            " WHERE type = 'table' AND name = ?",
            self._table.name,
        )
        self._run("PRAGMA writable_schema = RESET")

    @property
    def _names(self) -> list[str]:
        return [each.name for each in self._table.columns]

    def _at(self, row: Sequence[Any]) -> tuple[str, list[Any]]:
        values = dict(zip(self._names, row, strict=True))
        where = " AND ".join(f"{_quoted(each)} = {self._mark}" for each in self.key)
        return where, [values[each] for each in self.key]

    def _run(self, statement: str, *values: Any) -> Any:
        return self._connection.execute(statement, values)


def _quoted(name: str) -> str:
    return f'"{name}"'


def apply_edit(target: str, table: Table, edit: Edit) -> None:
    """Edit a store that nobody has open.

    Raises:
        EditRefusedError: the database does not take the edit.
    """
    try:
        if "://" in target:
            url = make_url(target).set(drivername="postgresql")
            address = url.render_as_string(hide_password=False)
            with psycopg.connect(address, options="-c search_path=metering") as server:
                _edit(_Database(server, table, "%s"), table, edit, is_sqlite=False)
        else:
            with closing(sqlite3.connect(Path(target) / "log.db")) as file:
                _edit(_Database(file, table, "?"), table, edit, is_sqlite=True)
                file.commit()
    except (sqlite3.Error, psycopg.Error, OverflowError) as error:
        raise EditRefusedError(str(error)) from error


def _edit(database: _Database, table: Table, edit: Edit, *, is_sqlite: bool) -> None:
    rows = database.rows()
    row = rows[len(rows) // 2]
    if edit.column is None:
        if edit.kind == "copied":
            database.insert(_copy_of(table, row))
        else:
            database.delete(None if edit.kind == "all deleted" else row)
        return
    at = [each.name for each in table.columns].index(edit.column)
    if edit.kind == "swapped":
        _swap(database, rows, at, edit.column)
        return
    kind = _kind_of(table.columns[edit.column])
    value = _value(edit.kind, kind, row[at])
    if value == row[at] and type(value) is type(row[at]):
        raise EditRefusedError("it is so already")
    if edit.kind == "null" and is_sqlite:
        database.allow_null()
    if edit.kind == "no utf-8":
        if not is_sqlite:
            raise EditRefusedError("PostgreSQL knows the encoding")
        _put_no_text(database, row, edit.column)
    else:
        database.put(row, edit.column, value)


_VALUES: dict[tuple[str, str], Any] = {
    ("of another type", "whole"): "many",
    ("of another type", "text"): b"\xffword",
    ("of another type", "bytes"): "words",
    ("negative", "whole"): -2,
    ("huge", "whole"): 2**62,
    ("empty", "text"): "",
    ("empty", "bytes"): b"",
}


def _value(edit: str, kind: str, before: Any) -> Any:
    """Return what is written in place of a value; None is NULL."""
    if edit == "truncated":
        return bytes(before or b"\x00\x00")[:-1]
    if edit == "other":
        return _other(kind, before)
    return _VALUES.get((edit, kind))


def _other(kind: str, before: Any) -> Any:
    if kind == "whole":
        return (before or 0) + 1
    if kind == "text":
        return _other_word(before)
    known = bytes(before or b"\x00")
    return known[:-1] + bytes([known[-1] ^ 1])


def _other_word(before: str | None) -> str:
    """Return a word that may stand there, where it is one of few."""
    others = {
        "active": "inactive",
        "pending": "delivered",
        "delivered": "pending",
        "failed": "delivered",
        "sum": "count",
        "count": "sum",
        "paid": "promotional",
        "read": "admin",
        "usd": "eur",
        "eur": "usd",
        "usage": "facts",
        "facts": "usage",
    }
    return others.get(before or "", f"{before or ''}x")


def _put_no_text(database: _Database, row: Sequence[Any], column: str) -> None:
    # SQLite takes any bytes for text, if it is told that they are.
    database.put_raw(row, column, "CAST(x'ff41' AS TEXT)")


def _swap(database: _Database, rows: Rows, at: int, column: str) -> None:
    """Exchange the values of a column between two rows."""
    for other in rows[1:]:
        if other[at] != rows[0][at]:
            break
    else:
        raise EditRefusedError("all rows have the same value")
    if column in database.key:
        raise EditRefusedError("the rows would only change their places")
    one = rows[0]
    # One of both may have to be away for a moment, where values are unique.
    database.delete(other)
    database.put(one, column, other[at])
    database.insert([*other[:at], one[at], *other[at + 1 :]])


def _copy_of(table: Table, row: Sequence[Any]) -> list[Any]:
    """Return a row that differs from another one in what must be unique alone."""
    unique = {each.name for each in table.primary_key}
    unique |= {each.name for each in table.columns if each.unique}
    for index in table.indexes:
        if index.unique:
            unique |= {getattr(each, "name", "customer") for each in index.expressions}
    copy = list(row)
    for at, column in enumerate(table.columns):
        if column.name in unique and row[at] is not None:
            kind = _kind_of(column)
            copy[at] = (
                row[at] + 1_000
                if kind == "whole"
                else f"{row[at][:60]}z"
                if kind == "text"
                else bytes(row[at])[::-1]
            )
    return copy
