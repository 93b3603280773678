"""The running balance of credits on a screen: a plot of each currency, and its changes."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import pyarrow as pa

from ledger.usage.arrow import compute as pc
from metering.arguments.clock import at_microseconds, microseconds
from metering.cli.screens.charts import Paper, Step, balance_chart, marks
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


def show_history(
    table: pa.Table, bounds: tuple[datetime, datetime], *, starts_late: bool, limit: int
) -> None:
    """Show a plot for each currency, and its last changes below.

    Args:
        table: the history.
        bounds: start and end, half-open.
        starts_late: whether to leave out the time before there were credits.
        limit: how many changes of each currency.
    """
    steps = steps_by_currency(table)
    if not any(step.ledger for each in steps.values() for step in each):
        _show_times(*bounds)
        show("There were none in this time.")
        return
    start, end = map(microseconds, bounds)
    if starts_late:
        start = max(start, _first_second_with_credits(steps))
    _show_times(at_microseconds(start), bounds[1])
    for currency, each in steps.items():
        show()
        show_plot(each, (start, end), currency)
        _show_changes(each, start, currency, limit)


def steps_by_currency(history: pa.Table) -> dict[str, list[Step]]:
    """Take a history apart by currency, each in the order of time."""
    currencies = sorted(pc.unique(history.column("currency")).to_pylist())
    steps: dict[str, list[Step]] = {currency: [] for currency in currencies}
    for row in history.to_pylist():
        steps[row["currency"]].append(
            Step(
                instant=microseconds(row["instant"]),
                available=row["available_balance"],
                ledger=row["ledger_balance"],
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
