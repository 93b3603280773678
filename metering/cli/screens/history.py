"""The running balance of credits on a screen: a plot of each currency, and its changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import msgspec
import pyarrow as pa

from metering.arguments.clock import at_microseconds, microseconds
from metering.cli.screens.charts import Paper, Step, balance_chart, marks
from metering.cli.screens.documents import print_line
from metering.cli.screens.money import amount_text
from metering.cli.screens.screen import (
    Column,
    can_draw,
    screen_width,
    show,
    show_drawing,
    show_table,
)
from metering.cli.screens.text import counted, second

_SECOND = 1_000_000


class HistoryDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The balance of a currency from an instant on, in minor units."""

    instant: datetime
    currency: str
    ledger_balance: int
    available_balance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownHistory:
    """Whose balance is shown, over which time.

    Attributes:
        starts_late: whether to leave out the time before there were credits.
    """

    customer: str
    start: datetime
    end: datetime
    starts_late: bool


def print_history(table: pa.Table, limit: int | None) -> None:
    """Print one line of JSON for each row of a history, at most the last ones."""
    first = 0 if limit is None else max(0, table.num_rows - limit)
    for document in history_documents(table.slice(first)):
        print_line(document)


def history_documents(table: pa.Table) -> list[HistoryDocument]:
    """Turn the rows of a history into documents."""
    return [HistoryDocument(**row) for row in table.to_pylist()]


def show_history(table: pa.Table, asked: ShownHistory, limit: int) -> None:
    """Show a plot for each currency, and its last changes below."""
    show(f"Credits of {asked.customer}", style="bold")
    steps = steps_by_currency(history_documents(table))
    if not any(step.ledger for each in steps.values() for step in each):
        _show_times(asked.start, asked.end)
        show("There were none in this time.")
        return
    start = microseconds(asked.start)
    if asked.starts_late:
        start = max(start, _first_second_with_credits(steps))
    _show_times(at_microseconds(start), asked.end)
    for currency, each in steps.items():
        show()
        show_plot(each, (start, microseconds(asked.end)), currency)
        _show_changes(each, start, currency, limit)


def steps_by_currency(
    documents: Sequence[HistoryDocument],
) -> dict[str, list[Step]]:
    """Take a history apart by currency, each in the order of time."""
    currencies = sorted({each.currency for each in documents})
    steps: dict[str, list[Step]] = {currency: [] for currency in currencies}
    for each in documents:
        steps[each.currency].append(
            Step(
                instant=microseconds(each.instant),
                available=each.available_balance,
                ledger=each.ledger_balance,
            )
        )
    return steps


def show_plot(steps: Sequence[Step], bounds: tuple[int, int], currency: str) -> None:
    """Draw the balance of a currency, as wide as the screen is."""
    paper = Paper(width=screen_width(), is_plain=not can_draw())
    full, pending = marks(paper)
    title = f"{currency.upper()}: {full} available"
    if any(step.ledger > step.available for step in steps):
        title += f", {pending} pending"
    show(title)
    amount = partial(amount_text, currency=currency)
    for line in balance_chart(steps, bounds, amount, paper):
        show_drawing(line.label, line.drawn, style="cyan")


def _first_second_with_credits(steps: dict[str, list[Step]]) -> int:
    first = min(
        next((step.instant for step in each if step.ledger), each[-1].instant)
        for each in steps.values()
    )
    return first // _SECOND * _SECOND


def _show_times(start: datetime, end: datetime) -> None:
    show(f"{second(start)} to {second(end)} UTC", style="dim")


def _show_changes(steps: Sequence[Step], start: int, currency: str, limit: int) -> None:
    amount = partial(amount_text, currency=currency)
    changes = [step for step in steps if step.instant >= start or step.ledger]
    show()
    show_table(
        [
            Column("from (UTC)", lambda step: at_microseconds(step.instant)),
            Column("available", lambda step: amount(step.available), is_number=True),
            Column("ledger", lambda step: amount(step.ledger), is_number=True),
        ],
        changes[-limit:],
    )
    if len(changes) > limit:
        earlier = counted(len(changes) - limit, "earlier row")
        show(f"{earlier} left out; --limit shows more.", style="dim")
