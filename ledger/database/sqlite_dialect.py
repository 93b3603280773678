"""SQLite's dialect: one for all engines of this process, with types that are checked.

SQLite stores a value of any type in any column, so a row that was edited may hold text
where a number is expected. It must not go further than to the statement that reads it.
PostgreSQL refuses such an edit.

A store has an engine for each way of using its file. To compile a statement takes longer
than to execute it, and would be done for each of them, and for each store of a process.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Dialect,
    Engine,
    Integer,
    LargeBinary,
    String,
    Text,
    create_engine,
)
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import LRUCache

from ledger.errors import StoreDamagedError

_Process = Callable[[Any], Any]

# More than there are. Those whose text depends on data give way to others.
_STATEMENTS_KEPT = 1_000
_COMPILED: LRUCache[Any, Any] = LRUCache(_STATEMENTS_KEPT)


def share_statements(engine: Engine) -> None:
    """Let an engine use what any other one of SQLite has compiled, with checked types."""
    engine.dialect = _shared_dialect()
    engine.update_execution_options(compiled_cache=_COMPILED)


@cache
def _shared_dialect() -> Dialect:
    engine = create_engine("sqlite://")
    dialect = engine.dialect
    dialect.colspecs = {**dialect.colspecs, **_CHECKED_TYPES}
    # It asks the library, whose version is the same for every file.
    engine.connect().close()
    engine.dispose()
    return dialect


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


_CHECKED_TYPES: dict[type[TypeEngine[Any]], type[TypeEngine[Any]]] = {
    Integer: _CheckedInteger,
    BigInteger: _CheckedBigInteger,
    String: _CheckedString,
    Text: _CheckedText,
    LargeBinary: _CheckedBinary,
}
"""What a dialect uses in place of SQLAlchemy's own types."""
