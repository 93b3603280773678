"""The schema of all tables that facts fold into, and the versions of their folds.

The tables can be dropped at any time: the log makes them again. So a release that folds
a resource differently raises the fold's version, and the tables are made anew.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    insert,
    inspect,
)

from ledger.database.stored_values import missing_parts, stored_rows
from ledger.facts.union import Fact

metadata = MetaData()

projection = Table(
    "projection",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("fold_version", Integer, nullable=False),
)

# SQLite keeps rows in the order of a key that is declared to be its own row number.
POSITION = BigInteger().with_variant(Integer, "sqlite")
"""The type of a position that is a primary key."""


RecordedFact = tuple[int, int, Fact]
"""A position, when it was recorded (microseconds since 1970 UTC), and the fact."""


FoldOfFacts = Callable[[Connection, Sequence[RecordedFact]], None]
"""Folds the next facts about a resource, in order."""


class TableFold(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of one resource.

    Attributes:
        tables: emptied before they are made anew.
        fold: folds the next facts about the resource, in order.
    """

    tables: tuple[Table, ...]
    fold: FoldOfFacts


class FoldedResource(msgspec.Struct, frozen=True, kw_only=True):
    """What facts of some classes fold into, known before it is loaded.

    Attributes:
        name: under which the version is stored.
        version: of the fold.
        kinds: classes of the facts that the tables are made of.
        load: loads the tables and their fold.
    """

    name: str
    version: int
    kinds: tuple[type[Any], ...]
    load: Callable[[], TableFold]


def are_current(connection: Connection, resources: Sequence[FoldedResource]) -> bool:
    """Whether all tables exist and were made by these folds."""
    if not inspect(connection).has_table(projection.name):
        return False
    wanted = {each.name: each.version for each in resources}
    # Earlier releases listed tables here that are no projections.
    return wanted.items() <= _versions(connection).items()


def clear(
    connection: Connection, resources: Sequence[FoldedResource], *, is_repair: bool
) -> None:
    """Create the tables that are absent or of another version, and empty the others.

    Args:
        connection: holds the write lock.
        resources: whose tables they are; all of them, so that `metadata` has every table.
        is_repair: whether to make a table anew whose definition is not complete.
    """
    tables = {each.name: each.load().tables for each in resources}
    metadata.create_all(connection, [projection])
    if is_repair:
        broken = [
            each for each in metadata.tables.values() if missing_parts(connection, each)
        ]
        metadata.drop_all(connection, broken)
        metadata.create_all(connection, [projection])
    versions = _versions(connection)
    others = [each for each in resources if versions.get(each.name) != each.version]
    metadata.drop_all(
        connection, [table for each in others for table in tables[each.name]]
    )
    metadata.create_all(connection)
    clear_tables(connection, [*chain.from_iterable(tables.values()), projection])
    connection.execute(
        insert(projection),
        [{"name": each.name, "fold_version": each.version} for each in resources],
    )


def clear_tables(connection: Connection, tables: Iterable[Table]) -> None:
    """Delete every row of some tables."""
    for table in tables:
        connection.execute(delete(table))


def _versions(connection: Connection) -> dict[str, int]:
    # As they are: a version that is none is another one, and its tables are made anew.
    return dict(map(tuple, stored_rows(connection, projection)))
