"""``metering usage`` and ``metering reaggregate``: what everybody used, and would have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import typer

from metering.arguments.schema import field_at
from metering.arguments.words import FormulaName, UsageWindowName, WindowName
from metering.cli.commands.query import OutputOption, RowLimitOption
from metering.cli.door import saying_what_is_safe
from metering.cli.interrupts import load_queries
from metering.cli.options import FieldOption, given_pairs, option, option_position
from metering.cli.screens.arrow_tables import check_output, give_rows, show_rows
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import print_text, show
from metering.cli.screens.text import counted, number, quantities, second
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget
from metering.reaggregation.differences import by_customer, differences
from metering.reaggregation.requests import Reaggregate, SumUsage

_SAFE = "Interrupted; recomputing changes nothing"
_DISPLAY_NAME = "display_name"
_WINDOW = ("window_start", "window_end")


@on_target()
def usage(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    meter: Annotated[list[str] | None, FieldOption(SumUsage, "meters", "METER")],
    customer: Annotated[list[str] | None, FieldOption(SumUsage, "customers")],
    start: Annotated[datetime | None, FieldOption(SumUsage, "start_time")],
    end: Annotated[datetime | None, FieldOption(SumUsage, "end_time")],
    window: Annotated[
        UsageWindowName | None, FieldOption(SumUsage, more="A day if left out.")
    ] = None,
    total: Annotated[
        bool,
        typer.Option(
            "--total", help="Sum up all time between the bounds as one window."
        ),
    ] = False,
    timezone: Annotated[str, FieldOption(SumUsage, metavar="ZONE")],
    limit: RowLimitOption = None,
    output: OutputOption = None,
    json: JsonOption = False,
) -> None:
    """Sum up what every customer used on every meter, exactly and up to now.

    Times are ISO 8601, in UTC unless they say otherwise. Files and JSON have the columns
    of reaggregate, and the display name of the meter.
    """
    check_output(output)
    if total and window is not None:
        raise typer.BadParameter("give --window or --total, not both")
    with (
        saying_what_is_safe(_SAFE),
        target.open() as m,
        progress_bar("Summing up") as advance,
    ):
        table = m.usage(
            meters=meter or None,
            start_time=start,
            end_time=end,
            window=None if total else window or "day",
            timezone=timezone,
            customers=customer or None,
            progress=advance,
        )
        names = {each.id: each.display_name for each in m.meters.list()}
    table = table.append_column(_DISPLAY_NAME, _named(table.column("meter"), names))
    if output is None and not json:
        _show_when(table, is_total=total)
        table = _on_screen(table, is_total=total)
    give_rows(table, output, limit, is_json=json)


@on_target()
def reaggregate(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    meter: Annotated[list[str] | None, FieldOption(Reaggregate, "meters", "METER")],
    start: Annotated[datetime | None, FieldOption(Reaggregate, "start_time")],
    end: Annotated[datetime | None, FieldOption(Reaggregate, "end_time")],
    window: Annotated[WindowName, FieldOption(Reaggregate)],
    by: Annotated[list[str] | None, FieldOption(Reaggregate, "group_by", "KEY")],
    where: Annotated[
        list[str] | None, FieldOption(Reaggregate, "filters", "KEY=VALUE")
    ],
    timezone: Annotated[str, FieldOption(Reaggregate, metavar="ZONE")],
    as_of: Annotated[
        str | None,
        option("POSITION|TIME", field_at(Reaggregate, "as_of").description),
    ] = None,
    formula: Annotated[FormulaName | None, FieldOption(Reaggregate)],
    value_key: Annotated[str | None, FieldOption(Reaggregate, metavar="KEY")],
    skip_too_large: Annotated[bool, FieldOption(Reaggregate)],
    diff: Annotated[
        bool,
        typer.Option(
            "--diff",
            help="Show what would change against how usage is summed up now, by customer.",
        ),
    ] = False,
    sql: Annotated[
        bool,
        typer.Option(
            "--sql",
            help="Print SQL that gives the answer in any DuckDB, from the sealed files.",
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
    known = option_position(as_of, "--as-of")
    if diff and known is None and formula is None and value_key is None:
        raise typer.BadParameter("--diff needs --formula, --value-key or --as-of")
    if diff and skip_too_large:
        raise typer.BadParameter("--diff needs every sum; leave --skip-too-large out")
    if sql and (diff or skip_too_large or output is not None or json):
        raise typer.BadParameter(
            "--sql prints text alone; leave --diff, --skip-too-large, --output and --json"
            " out"
        )
    filters = given_pairs(where, "--where")
    with saying_what_is_safe(_SAFE):
        load_queries()
        with target.open() as m:
            table_of = partial(m.reaggregate, skip_too_large=skip_too_large)
            ask: Callable[..., Any] = partial(
                m.reaggregate_sql if sql else table_of,
                meters=meter or None,
                start_time=start,
                end_time=end,
                window=window,
                group_by=by or (),
                timezone=timezone,
                filters=filters,
            )
            trial = partial(ask, as_of=known, formula=formula, value_key=value_key)
            if sql:
                print_text(trial())
                return
            table = _asked(trial, "Recomputing")
            if diff:
                table = differences(_asked(ask, "Comparing"), table)
    if diff and output is None and not json:
        _show_difference(table, limit)
    else:
        give_rows(table, output, limit, is_json=json)
        skipped = table.column("value").null_count
        if skipped and not json:
            show(
                f"{counted(skipped, 'sum')} left out, of too many digits", style="bold"
            )


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


def _named(ids: pa.ChunkedArray, names: dict[str, str]) -> pa.ChunkedArray:
    """Return the name for each id."""
    at = pc.index_in(ids, pa.array(names, pa.string()))
    return pa.chunked_array([pa.array(names.values(), pa.string())]).take(at)


def _show_when(table: pa.Table, *, is_total: bool) -> None:
    """Show up to which position usage counts, and of one window its bounds."""
    position = number(int(table.schema.metadata[b"position"]))
    if is_total and table.num_rows:
        bounds = (second(table.column(each)[0].as_py()) for each in _WINDOW)
        show(f"{' to '.join(bounds)} UTC, as of position {position}", style="dim")
    else:
        show(f"As of position {position}, windows by their start in UTC", style="dim")


def _on_screen(table: pa.Table, *, is_total: bool) -> pa.Table:
    """Leave out what a line of a terminal has no room for."""
    columns = {
        "meter": table.column(_DISPLAY_NAME),
        "event_name": table.column("event_name"),
        "customer": table.column("customer"),
        "window": pa.array(_starts(table), pa.string()),
        "value": table.column("value"),
        "events": table.column("event_count"),
    }
    if is_total:
        del columns["window"]
    return pa.table(columns)


def _starts(table: pa.Table) -> list[str]:
    """Name windows by their start, without a time where all begin at midnight."""
    starts = [second(each) for each in table.column(_WINDOW[0]).to_pylist()]
    midnight = " 00:00:00"
    are_days = all(each.endswith(midnight) for each in starts)
    return [each.removesuffix(midnight) for each in starts] if are_days else starts
