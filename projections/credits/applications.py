"""Applications of credits, read from rows.

The row of an invoice that was settled alone has all of it. Of those of a billing run, the
most is in a block, which is read once for all of its rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from ledger.database.bulk import is_among
from ledger.database.rows import RowFormat, RowsByKey, damaged_value, without_null
from ledger.facts.credits.settlements import InvoiceBlock, SettledColumns
from projections.credits.tables import (
    APPLICATIONS,
    credit_application,
    credit_invoice_block,
)
from projections.kernels.credits.grants import Application


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfRun:
    """What the row of an invoice of a billing run has of its application."""

    position: int
    invoice: str
    reinstated_at: int | None
    reinstated_position: int | None
    block_position: int


_ROWS = RowFormat(credit_application, _OfRun)


def read_applications(
    connection: Connection, rows: Sequence[Row[Any]]
) -> list[Application]:
    """Return the applications of rows that begin with the table's columns, in order.

    Raises:
        StoreDamagedError: a row or its block holds what a fold never writes.
    """
    firsts = {row.block_position for row in rows} - {None}
    if not firsts:
        return [APPLICATIONS.read(row) for row in rows]
    blocks = _read_blocks(connection, sorted(firsts))
    return [
        APPLICATIONS.read(row)
        if row.block_position is None
        else _in_block(_ROWS.read(row), blocks[row.block_position])
        for row in rows
    ]


def _in_block(row: _OfRun, block: tuple[int, SettledColumns]) -> Application:
    recorded_at, columns = block
    at = row.position - row.block_position
    if not 0 <= at < len(columns.invoices):
        reason = f"its block has {len(columns.invoices)} invoices"
        key = {"position": row.position}
        raise damaged_value(credit_application.c.block_position, reason, key)
    return Application(
        position=row.position,
        invoice=row.invoice,
        customer=columns.customers[at],
        currency=columns.currencies[at],
        period_end=columns.period_ends[at],
        recorded_at=recorded_at,
        reinstated_at=row.reinstated_at,
        reinstated_position=row.reinstated_position,
        lines=columns.lines_of(at),
        draws=columns.draws_of(at),
    )


def _read_blocks(
    connection: Connection, firsts: Sequence[int]
) -> RowsByKey[int, tuple[int, SettledColumns]]:
    block = credit_invoice_block.c
    wanted: Select[Any] = select(
        block.first_position, block.recorded_at, block.encoded
    ).where(is_among(connection, block.first_position, firsts))
    rows = connection.execute(wanted)
    return RowsByKey(credit_invoice_block, (_decoded(row) for row in rows))


def _decoded(row: Row[Any]) -> tuple[int, tuple[int, SettledColumns]]:
    values = without_null(row, *credit_invoice_block.c)
    first_position, recorded_at, encoded = tuple(values)
    try:
        columns = InvoiceBlock.decoded(bytes(encoded)).columns
    except ValueError as error:
        key = {"first_position": first_position}
        column = credit_invoice_block.c.encoded
        raise damaged_value(column, str(error), key) from error
    return first_position, (recorded_at, columns)
