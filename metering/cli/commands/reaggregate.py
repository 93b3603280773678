"""``metering reaggregate``: recompute usage from the events, or see what would change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

import pyarrow as pa
import typer

from metering.arguments.schema import field_at
from metering.arguments.words import FormulaName, WindowName
from metering.cli.commands.query import OutputOption, RowLimitOption
from metering.cli.door import saying_what_is_safe
from metering.cli.interrupts import load_queries
from metering.cli.options import FieldOption, given_pairs, option, option_time
from metering.cli.screens.arrow_tables import check_output, give_rows, show_rows
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import print_text, show
from metering.cli.screens.text import counted, quantities
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget
from metering.reaggregation.differences import by_customer, differences
from metering.reaggregation.requests import Reaggregate
from metering.usage.requests import POSITION_MAX

_SAFE = "Interrupted; recomputing changes nothing"


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
    known = _as_of(as_of)
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


def _as_of(text: str | None) -> int | datetime | None:
    if text is None:
        return None
    is_position = text.isdecimal() and len(text) <= len(str(POSITION_MAX))
    return int(text) if is_position else option_time(text, "--as-of")
