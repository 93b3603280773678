"""What a billing run or a reinstatement came to, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from operator import itemgetter

import pyarrow as pa

from metering.cli.screens.money import money_text
from metering.cli.screens.screen import Column, print_document, show, show_table
from metering.cli.screens.text import counted, number

_REJECTIONS_SHOWN = 5
_INVOICE = "invoice"
_EXPIRED = "credits_expired"


def moved_of(transactions: pa.Table) -> dict[str, int]:
    """Add up transactions by currency, in minor units; what expired again is left out."""
    moved: Counter[str] = Counter()
    for row in transactions.select(_columns(transactions)).to_pylist():
        if row.get("type") != _EXPIRED:
            moved[row["currency"]] += row["amount"]
    return dict(sorted(moved.items()))


def print_outcome(
    counts: Mapping[str, int], moved: tuple[str, pa.Table], rejections: pa.Table
) -> None:
    """Print one JSON document: counts, what was moved by currency, and rejections.

    Args:
        counts: of invoices, by what became of them.
        moved: the name of what happened to the transactions, and these.
        rejections: of a receipt.
    """
    name, transactions = moved
    print_document(
        {
            **counts,
            name: moved_of(transactions),
            "transactions": transactions.num_rows,
            "rejections": rejections.to_pylist(),
        }
    )


def show_outcome(
    counts: Mapping[str, int], moved: tuple[str, pa.Table], rejections: pa.Table
) -> None:
    """Show the same in sentences, and the first rejections; see `print_outcome`."""
    name, transactions = moved
    shown = [f"{number(n)} {what}" for what, n in counts.items() if n]
    show(f"Invoices: {', '.join(shown) or 'none'}", style="bold")
    amounts = [
        money_text(amount, code) for code, amount in moved_of(transactions).items()
    ]
    if amounts:
        how_many = counted(transactions.num_rows, "transaction")
        show(
            f"{name.capitalize().replace('_', ' ')}: {' and '.join(amounts)} in {how_many}"
        )
    if rejections.num_rows:
        show_table(
            [
                Column("row", itemgetter("row")),
                Column(_INVOICE, itemgetter(_INVOICE)),
                Column("message", itemgetter("message")),
            ],
            rejections.slice(0, _REJECTIONS_SHOWN).to_pylist(),
        )
    if rejections.num_rows > _REJECTIONS_SHOWN:
        show("--json gives all that were rejected.", style="dim")


def _columns(transactions: pa.Table) -> list[str]:
    wanted = ("currency", "amount", "type")
    return [name for name in wanted if name in transactions.column_names]
