"""``metering reaggregate``: recompute usage from the events, or see what would change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Annotated

import pyarrow as pa
import typer

from metering.arguments.words import FormulaName, WindowName
from metering.cli.commands.query import OutputOption, RowLimitOption
from metering.cli.door import saying_what_is_safe
from metering.cli.options import option, option_time, time_option
from metering.cli.screens.arrow_tables import check_output, give_rows, show_rows
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import show
from metering.cli.screens.text import counted, quantities
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget
from metering.reaggregation.differences import by_customer, differences

_SAFE = "Interrupted; recomputing changes nothing"


@on_target()
def reaggregate(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    meter: Annotated[
        list[str] | None,
        option("METER", "Its id or event name; may be repeated. All if left out."),
    ] = None,
    start: Annotated[
        datetime | None,
        time_option("--start", "Inclusive; the first event if left out."),
    ] = None,
    end: Annotated[
        datetime | None,
        time_option("--end", "Exclusive; after the last event if left out."),
    ] = None,
    window: Annotated[WindowName, typer.Option(help="Length of the windows.")] = "day",
    by: Annotated[
        list[str] | None,
        option("KEY", "Split usage by this payload key; may be repeated."),
    ] = None,
    where: Annotated[
        list[str] | None,
        option(
            "KEY=VALUE",
            "Only events with this in the payload; several values of one key are"
            " alternatives.",
        ),
    ] = None,
    timezone: Annotated[str, option("ZONE", "Time zone of the windows.")] = "UTC",
    as_of: Annotated[
        str | None,
        option("POSITION|TIME", "As known at a position of the log, or at a time."),
    ] = None,
    formula: Annotated[
        FormulaName | None,
        typer.Option(help="Try another formula than the meters have."),
    ] = None,
    value_key: Annotated[
        str | None, option("KEY", "Try another payload key for the value.")
    ] = None,
    diff: Annotated[
        bool,
        typer.Option(
            "--diff",
            help="Show what would change against how usage is summed up now, by customer.",
        ),
    ] = False,
    limit: RowLimitOption = None,
    output: OutputOption = None,
    json: JsonOption = False,
) -> None:
    """Recompute the usage of all customers from the events alone.

    Nothing is changed. Times are ISO 8601, in UTC unless they say otherwise. With
    --output or --json, --diff gives every window that differs.
    """
    check_output(output)
    known = _as_of(as_of)
    if diff and known is None and formula is None and value_key is None:
        raise typer.BadParameter("--diff needs --formula, --value-key or --as-of")
    filters = _filters(where or ())
    with saying_what_is_safe(_SAFE), target.open() as m:
        ask = partial(
            m.reaggregate,
            meters=meter or None,
            start_time=start,
            end_time=end,
            window=window,
            group_by=by or (),
            timezone=timezone,
            filters=filters,
        )
        trial = partial(ask, as_of=known, formula=formula, value_key=value_key)
        table = _asked(trial, "Recomputing")
        if diff:
            table = differences(_asked(ask, "Comparing"), table)
    if diff and output is None and not json:
        _show_difference(table, limit)
    else:
        give_rows(table, output, limit, is_json=json)


def _asked(ask: Callable[..., pa.Table], description: str) -> pa.Table:
    with progress_bar(description) as advance:
        return ask(progress=advance)


def _show_difference(table: pa.Table, limit: int | None) -> None:
    if table.num_rows == 0:
        show("Nothing would change.", style="bold green")
        return
    customers = by_customer(table)
    show_rows(customers, limit)
    total = sum(customers.column("difference").to_pylist(), Decimal(0))
    windows = counted(table.num_rows, "window")
    who = counted(customers.num_rows, "customer")
    change = quantities([total.normalize()])[0]
    show(f"{who} would change in {windows}, by {change} in all", style="bold")


def _as_of(text: str | None) -> int | datetime | None:
    if text is None:
        return None
    return int(text) if text.isdecimal() else option_time(text, "--as-of")


def _filters(where: Sequence[str]) -> dict[str, list[str]]:
    filters: dict[str, list[str]] = {}
    for each in where:
        key, equals, text = each.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"give --where KEY=VALUE, not {each!r}")
        filters.setdefault(key, []).append(text)
    return filters
