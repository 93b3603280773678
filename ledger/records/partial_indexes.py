"""What PostgreSQL's dialect says of tables and indexes, said when they are created there.

Said where they are defined, it would load that dialect in every process, which takes as
long as all that defines them.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Connection, Index, Table, TextClause, event

_POSTGRESQL = "postgresql"


def partial_index(
    name: str,
    *columns: str | Column[Any],
    where: TextClause,
    unique: bool = False,
) -> Index:
    """Make an index of the rows that a condition holds for."""
    index = Index(name, *columns, unique=unique, sqlite_where=where)
    on_postgresql(index, {"where": where})
    return index


def on_postgresql(part: Index | Table, options: Mapping[str, object]) -> None:
    """Give a table or an index options of PostgreSQL's dialect."""

    def give(target: Index | Table, connection: Connection, **_: object) -> None:
        if connection.dialect.name == _POSTGRESQL:
            target.dialect_options[_POSTGRESQL].update(options)

    event.listen(part, "before_create", give)
