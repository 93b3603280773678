"""Checked types: what SQLite returns of a column is of the column's type, or an error.

SQLite stores a value of any type in any column, so a row that was edited may hold text
where a number is expected. It must not go further than to the statement that reads it.
PostgreSQL refuses such an edit.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Dialect,
    Integer,
    LargeBinary,
    String,
    Text,
)
from sqlalchemy.types import TypeEngine

from ledger.errors import StoreDamagedError

_Process = Callable[[Any], Any]


def _checking(kind: type, name: str) -> _Process:
    def checked(value: Any) -> Any:
        if value is None or type(value) is kind:
            return value
        found = type(value).__name__
        raise StoreDamagedError(f"a value of type {found}", f"its column holds {name}")

    return checked


_WHOLE = _checking(int, "whole numbers")
_WORDS = _checking(str, "text")
_BYTES = _checking(bytes, "bytes")


class _CheckedInteger(Integer):
    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        del dialect, coltype
        return _WHOLE


class _CheckedBigInteger(BigInteger):
    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        del dialect, coltype
        return _WHOLE


class _CheckedString(String):
    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        del dialect, coltype
        return _WORDS


class _CheckedText(Text):
    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        del dialect, coltype
        return _WORDS


class _CheckedBinary(LargeBinary):
    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        del dialect, coltype
        return _BYTES


CHECKED_TYPES: dict[type[TypeEngine[Any]], type[TypeEngine[Any]]] = {
    Integer: _CheckedInteger,
    BigInteger: _CheckedBigInteger,
    String: _CheckedString,
    Text: _CheckedText,
    LargeBinary: _CheckedBinary,
}
"""What a dialect uses in place of SQLAlchemy's own types."""
