"""``metering statements run`` and ``export``: many statements at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from metering.cli.commands.query import OutputOption, RowLimitOption
from metering.cli.door import FAILED, saying_what_is_safe
from metering.cli.options import FieldOption
from metering.cli.screens.arrow_tables import check_output, give_rows
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import Column, print_document, show, show_table
from metering.cli.screens.statements import due_text
from metering.cli.screens.text import number
from metering.cli.signatures import JsonOption
from metering.cli.targets import StoreTarget
from metering.statements.requests import (
    StatementList,
    StatementRun,
    StatementStatusName,
)
from metering.statements.tables import plain_rows

_SAFE = "Interrupted; what was recorded stays, and running it again does nothing twice"
_REJECTIONS_SHOWN = 5


def run(
    target: StoreTarget,
    *,
    period_end: Annotated[
        datetime | None,
        FieldOption(StatementRun, more="Now if left out."),
    ] = None,
    customer: Annotated[list[str] | None, FieldOption(StatementRun, "customers")],
    since: Annotated[datetime | None, FieldOption(StatementRun)],
    json: JsonOption = False,
) -> None:
    """Finalize every period of a subscription that has ended, and draw the credits.

    What is stated already stays as it is: running it again does nothing twice. One that
    cannot be made does not fail the others.
    """
    with (
        saying_what_is_safe(_SAFE),
        target.open() as m,
        progress_bar("Stating") as advance,
    ):
        receipt = m.statements.run(
            period_end=period_end or m.now(),
            customers=customer or None,
            since=since,
            progress=advance,
        )
    counts = {
        "finalized": receipt.finalized,
        "repeated": receipt.repeated,
        "rejected": receipt.rejected,
    }
    if json:
        rejections = plain_rows(receipt.rejections)
        print_document(
            {**counts, "position": receipt.position, "rejections": rejections}
        )
    else:
        told = [f"{number(n)} {what}" for what, n in counts.items() if n]
        show(f"Statements: {', '.join(told) or 'none'}", style="bold")
        if receipt.finalized:
            show(f"Due: {due_text(receipt)}")
        if receipt.rejected:
            shown = receipt.rejections.slice(0, _REJECTIONS_SHOWN).to_pylist()
            names = ("customer", "period_end", "message")
            show_table([_column(name) for name in names], shown)
        if receipt.rejected > _REJECTIONS_SHOWN:
            show("--json gives all that were rejected.", style="dim")
    if receipt.rejected and not receipt.finalized and not receipt.repeated:
        raise typer.Exit(FAILED)


def export(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    *,
    customer: Annotated[str | None, FieldOption(StatementList)],
    subscription: Annotated[str | None, FieldOption(StatementList)],
    start: Annotated[datetime | None, FieldOption(StatementList, "start_time")],
    end: Annotated[datetime | None, FieldOption(StatementList, "end_time")],
    status: Annotated[StatementStatusName | None, FieldOption(StatementList)],
    limit: RowLimitOption = None,
    output: OutputOption = None,
    json: JsonOption = False,
) -> None:
    """Write the lines of finalised statements, a row each, oldest statement first."""
    check_output(output)
    with target.open() as m:
        table = m.statements.to_table(
            customer,
            subscription=subscription,
            start_time=start,
            end_time=end,
            status=status,
        )
    give_rows(table, output, limit, is_json=json)


def _column(name: str) -> Column[dict[str, str]]:
    return Column(name.replace("_", " "), lambda row: row[name])
