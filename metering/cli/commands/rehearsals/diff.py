"""``metering diff``: how two stores differ, customer by customer."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

import metering
from metering.arguments.words import UsageWindowName
from metering.cli.commands.query import OutputOption, RowLimitOption
from metering.cli.door import FAILED, saying_what_is_safe
from metering.cli.interrupts import load_queries
from metering.cli.options import FieldOption, argument
from metering.cli.screens.arrow_tables import check_output, give_rows
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import show
from metering.cli.screens.text import counted
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget
from metering.reaggregation.requests import SumUsage

_WORDS = {
    "usage": "usage total",
    "statement": "statement",
    "statement_line": "line",
    "alert": "alert",
    "balance": "balance",
}


@on_target()
def diff(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    stores: Annotated[
        list[str],
        argument(
            "[A] B",
            "Two stores, each a directory or the URL of a PostgreSQL database; or the"
            " second alone, where the first is that of --store.",
        ),
    ],
    *,
    window: Annotated[
        UsageWindowName | None, FieldOption(SumUsage, more="A month if left out.")
    ] = None,
    total: Annotated[
        bool,
        typer.Option("--total", help="Sum up all usage of a customer as one window."),
    ] = False,
    timezone: Annotated[str, FieldOption(SumUsage, metavar="ZONE")],
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code",
            help="Exit with 1 if anything differs; if left out, only a failure does.",
        ),
    ] = False,
    limit: RowLimitOption = None,
    output: OutputOption = None,
    json: JsonOption = False,
) -> None:
    """Show where usage, statements, alerts and credit balances of two stores differ.

    As a rule B is a branch of A, or both are of one store: then the differences are what
    was changed in them comes to, by customer. Money is in minor units, such as cents, and
    what a store has not is 0. Both are read, and of a branch alerts are evaluated.
    --segments and --cache are those of A.
    """
    check_output(output)
    if len(stores) > 2:
        raise typer.BadParameter("give two stores at most", param_hint="[A] B")
    if total and window is not None:
        raise typer.BadParameter("give --window or --total, not both")
    first = target if len(stores) == 1 else replace(target, store=stores[0])
    second = StoreTarget(store=stores[-1], segments=None, cache=None)
    load_queries()
    with (
        saying_what_is_safe("Interrupted; comparing changes nothing"),
        first.open() as a,
        second.open() as b,
        progress_bar("Comparing") as advance,
    ):
        found = metering.diff(
            a,
            b,
            window=None if total else window or "month",
            timezone=timezone,
            progress=advance,
        )
    if not found and not json and output is None:
        show("Nothing differs.", style="bold green")
    else:
        give_rows(found.table, output, limit, is_json=json)
        if not json:
            _show_counts(found)
    if exit_code and found:
        raise typer.Exit(FAILED)


def _show_counts(found: metering.Difference) -> None:
    counts = [
        counted(count, _WORDS[kind]) for kind, count in found.counts().items() if count
    ]
    who = counted(len(found.customers()), "customer")
    show(f"Differing: {', '.join(counts)}; of {who}", style="bold")
