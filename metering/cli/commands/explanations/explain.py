"""``metering explain``: what a customer's usage is made of, down to the event."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

import metering
from metering.arguments.schema import field_at
from metering.cli.commands.query import OutputOption, RowLimitOption
from metering.cli.errors import CheckpointFileError
from metering.cli.files import read_checkpoint
from metering.cli.options import FieldOption, argument, option, option_position
from metering.cli.screens.arrow_tables import check_output, give_rows
from metering.cli.screens.explanations import show_explanation, show_exported
from metering.cli.screens.screen import print_document
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget, find_meter
from metering.explaining.requests import ExplainUsage

_USUAL_TIME = timedelta(days=30)
_AHEAD = timedelta(minutes=5)


@on_target()
def explain(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    meter: Annotated[str, argument("METER", "Its id or event name.")],
    *,
    customer: Annotated[str, FieldOption(ExplainUsage)],
    start: Annotated[
        datetime | None,
        FieldOption(
            ExplainUsage, "start_time", more="30 days before the end if left out."
        ),
    ] = None,
    end: Annotated[
        datetime | None,
        FieldOption(ExplainUsage, "end_time", more="Just ahead of now if left out."),
    ] = None,
    as_of: Annotated[
        str | None,
        option("POSITION|TIME", field_at(ExplainUsage, "as_of").description),
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Show the events that count.")
    ] = False,
    not_counted: Annotated[
        bool,
        typer.Option(
            "--not-counted", help="Show the events that do not, each with the reason."
        ),
    ] = False,
    late: Annotated[
        str | None,
        option(
            "POSITION|TIME|STATEMENT",
            "Show what was recorded after this position of the log, after this time, or"
            " after what a statement counts.",
        ),
    ] = None,
    compare: Annotated[
        Path | None,
        option(
            "FILE",
            "Show what became of each row of a list of events, as ingest reads them: it"
            " counts or why not, was sent again, is refused with a code, or never came.",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        option(
            "DIR",
            "Write the events, the figure and a checker that needs Python alone into a"
            " new directory, for the customer.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        option(
            "FILE",
            "Lead what is exported to the position and digest in this file, which"
            " verify saved.",
        ),
    ] = None,
    limit: RowLimitOption = None,
    output: OutputOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a customer's usage is made of, and why everything else is not in it.

    Nothing is changed. Times are ISO 8601, in UTC unless they say otherwise. With
    --events, --not-counted, --late or --compare there is a table, and with --json every
    row is a line of its own. The customer checks what --export wrote with python check.py there,
    which finds any edit of any file; README.txt there says what it shows, and what not.
    """
    asked = [events, not_counted, late is not None, compare is not None]
    if sum(asked) + (export is not None) > 1:
        raise typer.BadParameter(
            "give one of --events, --not-counted, --late, --compare and --export"
        )
    if not any(asked) and (output is not None or limit is not None):
        raise typer.BadParameter(
            "--output and --limit need --events, --not-counted, --late or --compare"
        )
    check_output(output)
    saved = _checkpoint_of(export, checkpoint)
    with target.open() as m:
        # Events may be a little ahead of the clock.
        end = end or m.now().replace(microsecond=0) + _AHEAD
        found = find_meter(m, meter)
        made = m.explain(
            meter=found.id,
            customer=customer,
            start_time=start or end - _USUAL_TIME,
            end_time=end,
            as_of=option_position(as_of, "--as-of"),
        )
        if any(asked):
            since = _since(m, late)
            table = _asked(made, since, compare, events=events)
            if output is None and not json:
                table = _on_screen(table)
            give_rows(table, output, limit, is_json=json)
        elif export is not None:
            _give_exported(made.export(export, checkpoint=saved), is_json=json)
        elif json:
            print_document({**made.to_dict(), "adds_up": made.adds_up()})
        else:
            show_explanation(found, made)


def _since(
    m: metering.Metering, late: str | None
) -> int | datetime | metering.Statement | None:
    if late is None or late[:1].isdecimal():
        return option_position(late, "--late")
    return m.statements.retrieve(late)


def _give_exported(made: metering.ExportedExplanation, *, is_json: bool) -> None:
    if is_json:
        print_document(made.to_dict())
    else:
        show_exported(made)


def _checkpoint_of(
    export: Path | None, checkpoint: Path | None
) -> metering.Checkpoint | None:
    if checkpoint is None:
        return None
    if export is None:
        raise typer.BadParameter("--checkpoint needs --export")
    saved = read_checkpoint(checkpoint)
    if saved is None:
        raise CheckpointFileError(checkpoint, "there is no such file")
    return saved


def _asked(
    made: metering.Explanation,
    since: int | datetime | metering.Statement | None,
    compare: Path | None,
    *,
    events: bool,
) -> pa.Table:
    if compare is not None:
        return made.compare(compare)
    if since is not None:
        return made.late(since).read_all()
    reader = made.events() if events else made.not_counted()
    return reader.read_all()


def _on_screen(table: pa.Table) -> pa.Table:
    """Leave out the strings of a meter that has none."""
    has_none = "string" in table.column_names and (
        table.column("string").null_count == table.num_rows
    )
    return table.drop_columns(["string"]) if has_none else table
