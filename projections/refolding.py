"""Refolding: the tables of facts made anew beside the stored ones, to be compared.

The stored rows are copied first, as a snapshot has them. Facts are folded by the same
folds into tables of a scratch file. Then both are there, and statements find the rows in
which they differ, whatever the table, the column or the type.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    Table,
    and_,
    except_,
    literal,
    select,
)
from sqlalchemy.types import NullType

from ledger.database.bulk import insert_rows
from ledger.database.scratch import scratch_tables
from ledger.database.stored_values import missing_parts, stored_rows
from ledger.facts.union import RecordedFacts
from ledger.segments.sealed import Sealed
from projections.alerts.pending import PendingUsage
from projections.alerts.queries import AlertQueries
from projections.alerts.tables import CHECKPOINTS
from projections.folds import FactTables, folded_tables
from projections.kernels.meters import MeterDefinition
from projections.meters.tables import read_definitions
from projections.schema import projection

_ROWS_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """A row that is not what the log leads to.

    Attributes:
        key: the primary key, by column.
        columns: those that differ, each with what is stored and what should be.
        is_missing: whether there is no such row.
        is_extra: whether there should be none.
    """

    key: Mapping[str, Any]
    columns: Mapping[str, tuple[Any, Any]]
    is_missing: bool = False
    is_extra: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDifferences:
    """What is wrong with a table.

    Attributes:
        table: its name.
        missing_parts: of its definition, such as ``column name``.
        rows: the first rows that differ.
        row_count: of all rows that differ.
    """

    table: str
    missing_parts: tuple[str, ...] = ()
    rows: tuple[RowDifference, ...] = ()
    row_count: int = 0


@contextmanager
def refolded(stored: Connection) -> "Iterator[Refolding]":
    """Open a refolding, beside the tables as a connection sees them now.

    Raises:
        StoreError: there is no room for it.
    """
    with scratch_tables() as scratch:
        yield Refolding(scratch, stored)


def checkpoint_rows(stored: Connection) -> dict[str, list[Sequence[Any]]]:
    """Return all rows of the checkpoints of alerts as they are stored, by table."""
    return {each.name: list(stored_rows(stored, each)) for each in CHECKPOINTS}


class Refolding:
    """Folds the facts of a log anew.

    Args:
        scratch: an empty database of one's own.
        stored: sees the tables as they are stored; it is not needed later.
    """

    def __init__(self, scratch: Connection, stored: Connection) -> None:
        self._scratch = scratch
        self._folds = FactTables()
        self._folds.rebuild(scratch, iter(()), is_repair=False)
        self._missing = {each: missing_parts(stored, each) for each in folded_tables()}
        self._copies = {
            table: _copied(scratch, stored, table)
            for table, missing in self._missing.items()
            if not any(part.startswith(("table", "column")) for part in missing)
        }

    def take_in(self, facts: Sequence[RecordedFacts]) -> None:
        """Fold the next facts, in the order of the log."""
        self._folds.fold_facts(self._scratch, facts)

    def restart(self, usage: PendingUsage, sealed: Sealed) -> None:
        """Let usage begin behind segments, by the tables as the facts lead to them.

        Args:
            usage: follows the same log; its runs of the segments are there.
            sealed: the segments.
        """
        usage.restart(self._scratch, sealed)

    def alerts(self) -> AlertQueries:
        """Return the alerts as the facts so far lead to them."""
        return AlertQueries(self._scratch)

    def meters(self) -> Mapping[str, MeterDefinition]:
        """Return the meters as the facts so far lead to them, by id."""
        return read_definitions(self._scratch)

    def differences(self, at_most: int) -> Iterator[TableDifferences]:
        """Yield what is wrong with each table, one after the other.

        Args:
            at_most: how many rows of a table are named.
        """
        for table, missing in self._missing.items():
            copy = self._copies.get(table)
            found = iter(()) if copy is None else self._rows(table, copy)
            rows = tuple(islice(found, at_most))
            row_count = len(rows) + sum(1 for _ in found)
            yield TableDifferences(
                table=table.name,
                missing_parts=tuple(missing),
                rows=rows,
                row_count=row_count,
            )

    def _rows(self, table: Table, copy: Table) -> Iterator[RowDifference]:
        """Yield the rows that differ, as they are told apart by their keys."""
        names = [column.name for column in table.primary_key]
        others = except_(select(*copy.c), select(*table.c))
        for row in self._scratch.execute(others).all():
            values = dict(zip(table.columns.keys(), row, strict=True))
            key = {name: values[name] for name in names}
            made = self._scratch.execute(select(table).where(_is_at(table, key)))
            made_row = made.one_or_none()
            if made_row is not None:
                differing = {
                    name: (stored, right)
                    for (name, stored), right in zip(
                        values.items(), made_row, strict=True
                    )
                    if (type(stored), stored) != (type(right), right)
                }
                yield RowDifference(key=key, columns=differing)
            elif table is not projection:
                # Earlier releases listed versions of what is no projection.
                yield RowDifference(key=key, columns={}, is_extra=True)
        lost = except_(
            select(*(table.c[name] for name in names)),
            select(*(copy.c[name] for name in names)),
        )
        for row in self._scratch.execute(lost).all():
            key = dict(zip(names, row, strict=True))
            yield RowDifference(key=key, columns={}, is_missing=True)


def _is_at(table: Table, key: Mapping[str, Any]) -> Any:
    return and_(
        *(table.c[name] == literal(value, NullType()) for name, value in key.items())
    )


@cache
def _copy_of(table: Table) -> Table:
    """Return the table for a copy of a table; its statements are compiled once."""
    return Table(
        f"stored_{table.name}",
        MetaData(),
        *(Column(name, NullType()) for name in list(table.columns.keys())),
    )


def _copied(scratch: Connection, stored: Connection, table: Table) -> Table:
    """Copy the rows of a table, whatever the types of their values are."""
    copy = _copy_of(table)
    # Columns without a type, so that no value is converted.
    quoted = scratch.dialect.identifier_preparer
    columns = ", ".join(quoted.format_column(each) for each in copy.columns)
    scratch.exec_driver_sql(f"CREATE TABLE {quoted.format_table(copy)} ({columns})")
    rows = stored_rows(stored, table)
    while portion := list(islice(rows, _ROWS_AT_A_TIME)):
        insert_rows(scratch, copy, portion)
    return copy
