"""Arrow tables of statements, and of what is reported of them."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from ledger.usage.columns import TIMESTAMP, rows_table
from ledger.usage.quantities import QUANTITY, shortest
from metering.arguments.times import time_of
from projections.kernels.rating.rating import TIER
from projections.kernels.statements import StatementRecord

LINES = pa.schema(
    [
        pa.field("statement", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("customer", pa.string(), nullable=False),
        pa.field("subscription", pa.string()),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("created", TIMESTAMP, nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("digest", pa.string(), nullable=False),
        pa.field("line", pa.string(), nullable=False),
        pa.field("price", pa.string(), nullable=False),
        pa.field("meter", pa.string()),
        pa.field("subscription_item", pa.string()),
        pa.field("period_start", TIMESTAMP, nullable=False),
        pa.field("period_end", TIMESTAMP, nullable=False),
        pa.field("quantity", QUANTITY, nullable=False),
        pa.field("amount", pa.int64(), nullable=False),
        pa.field("credits_applied", pa.int64(), nullable=False),
        pa.field("amount_due", pa.int64(), nullable=False),
        pa.field("tiers", pa.list_(TIER), nullable=False),
    ]
)


def lines_table(records: Iterable[StatementRecord]) -> pa.Table:
    """Return a row for each line of statements, in their order."""
    rows: list[tuple[object, ...]] = []
    for record in records:
        content = record.content
        drawn = Counter[int]()
        for credit in content.credits:
            drawn[credit.line] += credit.amount
        of_statement = (
            record.statement_id,
            "finalized" if record.voided_at is None else "void",
            content.customer,
            content.subscription_id,
            content.currency,
            record.created,
            content.position,
            record.digest,
        )
        rows += [
            (
                *of_statement,
                line.id,
                line.price_id,
                line.meter_id,
                line.item_id,
                line.period_start,
                line.period_end,
                line.quantity,
                line.amount,
                drawn[number],
                line.amount - drawn[number],
                [(tier.up_to, tier.quantity, tier.amount) for tier in line.tiers],
            )
            for number, line in enumerate(content.lines)
        ]
    return rows_table(rows, LINES)


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a table for JSON: times in RFC 3339, decimals as strings."""
    names = table.column_names
    columns = [
        [_plain(each) for each in column.to_pylist()] for column in table.columns
    ]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(value: object) -> object:
    match value:
        case datetime():
            return time_of(value)
        case Decimal():
            return f"{shortest(value):f}"
        case _:
            return value
