"""An explanation on a screen: a figure, its usage over time, and a tree of what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa

import metering
from ledger.usage.quantities import shortest
from metering.arguments.clock import microseconds
from metering.cli.screens.money import money_text
from metering.cli.screens.screen import can_draw, levels, screen_width, show
from metering.cli.screens.text import counted, moment, number, quantities, sparkline

_COLUMNS_AT_MOST = 60
_COUNTING = {"count", "unique_count"}
_SOURCES = {
    "hours": "kept totals of hours",
    "windows": "kept last events of windows",
    "events": "events one by one",
}
_REASONS = {
    "outside": "outside of the bounds, within an hour of them",
    "later": "recorded after the position",
    "cancelled": "cancelled",
    "replaced": "replaced by a later one",
}


def show_explanation(meter: metering.Meter, made: metering.Explanation) -> None:
    """Show what a figure is made of."""
    show(f"{meter.display_name}, {made.formula}, of {made.customer}", style="bold")
    show(
        f"{moment(made.start_time)} to {moment(made.end_time)} UTC,"
        f" as of position {number(made.position)}",
        style="dim",
    )
    show(quantities([made.value])[0], style="bold green")
    show(sparkline(_usage_over_time(made), levels()), style="cyan")
    show()
    reasons = Counter[str]()
    for batch in made.not_counted():
        columns = ("reason", "correction", "successor")
        reasons.update(map(_why, *(batch.column(each).to_pylist() for each in columns)))
    refused = sum(made.refused().column("error_count").to_pylist())
    adds_up = made.adds_up()
    verdict = "which add up to it" if adds_up else "which do not add up to it"
    _show_branch(
        f"Counted: {counted(made.event_count, 'event')}, {verdict}", _parts(made)
    )
    others = [
        f"{number(count)} {words}"
        for words, count in sorted(reasons.items(), key=lambda each: _rank(each[0]))
    ]
    if refused:
        others.append(f"{number(refused)} refused on the meter, of any customer")
    _show_branch(f"Not counted: {counted(sum(reasons.values()), 'event')}", others)
    show(f"digest of the log {made.digest}", style="dim")


def _why(reason: str, correction: str | None, successor: int | None) -> str:
    if correction is None:
        return _REASONS[reason]
    return (
        f"{'cancelled' if successor is None else 'replaced'} by correction {correction}"
    )


def _rank(words: str) -> tuple[int, str]:
    """Put the reasons in their order, and corrections behind them."""
    known = [*_REASONS.values()]
    return (known.index(words) if words in known else len(known)), words


def show_amount(made: metering.AmountExplanation) -> None:
    """Show what an amount is made of: parts of it, and the usage of each."""
    show(f"Due from {made.customer}", style="bold")
    show(f"as of position {number(made.position)}", style="dim")
    show(money_text(made.value, made.currency), style="bold green")
    show()
    verdict = "which add up to it" if made.adds_up() else "which do not add up to it"
    amounts = [money_text(part.amount, made.currency) for part in made.parts]
    width = max(map(len, amounts), default=0)
    _show_branch(
        f"{counted(len(made.parts), 'part')}, {verdict}",
        [
            f"{amount.rjust(width)} {part.kind} {part.id}{_usage_of(part)}"
            for amount, part in zip(amounts, made.parts, strict=True)
        ],
    )


def _usage_of(part: metering.AmountPart) -> str:
    usage = part.explanation
    if usage is None:
        return ""
    events = counted(usage.event_count, "event")
    return f": {quantities([usage.value])[0]} of {usage.meter}, {usage.formula} of {events}"


def show_exported(made: metering.ExportedExplanation) -> None:
    """Show where an explanation was exported, and what is shown by it."""
    show(
        f"Wrote {counted(made.event_count, 'event')} to {made.directory};"
        f" check them with python {Path(made.directory) / 'check.py'}"
    )
    show(
        f"{number(made.shown_count)} of them are shown by the log's chain, the others lie"
        " in commits with events of others"
        if made.shown_count < made.event_count
        else "All of them are shown by the log's chain"
    )
    position, digest = made.checkpoint.position, made.checkpoint.digest
    show(f"checkpoint: position {number(position)}, digest {digest}", style="dim")


def _parts(made: metering.Explanation) -> list[str]:
    values = quantities([part.value for part in made.parts])
    width = max(map(len, values), default=0)
    return [
        f"{value.rjust(width)} from {_SOURCES[part.source]}, {counted(part.event_count, 'event')},"
        f" {moment(part.start_time)} to {moment(part.end_time)}"
        for value, part in zip(values, made.parts, strict=True)
    ]


def _show_branch(title: str, leaves: Sequence[str]) -> None:
    twig, last = ("├─", "└─") if can_draw() else ("|-", "`-")
    show(title)
    for at, leaf in enumerate(leaves, 1):
        show(f"{last if at == len(leaves) else twig} {leaf}")


def _usage_over_time(made: metering.Explanation) -> list[Decimal]:
    """Return the usage in as many equal stretches of time as there are columns."""
    columns = min(_COLUMNS_AT_MOST, screen_width())
    start, end = microseconds(made.start_time), microseconds(made.end_time)
    usage = [Decimal(0)] * columns
    for batch in made.events():
        timestamps = batch.column("timestamp").cast(pa.int64()).to_numpy()
        at = (timestamps - start) // max(1, -(-(end - start) // columns))
        for column, value in _sums(at, batch, is_count=made.formula in _COUNTING):
            usage[column] += value
    return usage


def _sums(
    at: np.ndarray, batch: pa.RecordBatch, *, is_count: bool
) -> list[tuple[int, Decimal]]:
    """Add up the values of each column, or count where there are none."""
    table = pa.table({"at": at, "value": batch.column("value")})
    how = ("at", "count") if is_count else ("value", "sum")
    summed = table.group_by("at").aggregate([how])
    columns = summed.column("at").to_pylist()
    values = summed.column("_".join(how)).to_pylist()
    return [
        (column, Decimal(value) if is_count else shortest(value))
        for column, value in zip(columns, values, strict=True)
    ]
