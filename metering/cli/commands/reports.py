"""``metering reports``: what the store holds as files: asked for, made, downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.cli.door import FAILED, saying_what_is_safe
from metering.cli.options import FieldOption, argument, option
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.screen import Cell, Column, print_document, show
from metering.cli.screens.text import number, second
from metering.cli.signatures import JsonOption
from metering.cli.targets import StoreTarget
from metering.reporting.requests import (
    ReportFormName,
    ReportRunCreate,
    ReportTypeName,
)

_SAFE = "Interrupted; the report stays asked for, and a worker or reports make makes it"
_RunArgument = Annotated[str, argument("RUN", "Its id.")]
_FileArgument = Annotated[Path, argument("FILE", "Where to write it.")]
_DownloadOption = Annotated[
    Path | None, option("FILE", "Where to write it, once it is made.", "--output", "-o")
]


def _details(_: metering.Metering, run: metering.ReportRun) -> list[tuple[str, Cell]]:
    file = run.result
    return [
        ("id", run.id),
        ("type", run.report_type),
        ("status", run.status),
        ("error", run.error),
        ("counts up to", number(run.position)),
        ("rows", None if run.row_count is None else number(run.row_count)),
        ("bytes", None if file is None else number(file.size)),
        ("kept until", None if file is None else f"{second(file.expires_at)} UTC"),
        ("created", f"{second(run.created)} UTC"),
    ]


REPORTS = Resource(details=_details, argument=_RunArgument, calls=lambda m: m.reports)


@REPORTS.lists
def reports(m: metering.Metering) -> Listing[metering.ReportRun]:
    """List the reports that were asked for, newest first; run and download them."""
    return Listing(
        m.reports.list(limit=LIMIT_MAX).auto_paging_iter(),
        _columns,
        none="No reports; make one with reports run.",
    )


@REPORTS.command()
def types(m: metering.Metering) -> Listing[metering.ReportType]:
    """List the types of reports, with their columns."""
    return Listing(
        m.reports.types(),
        lambda _: [
            Column("type", lambda each: each.id),
            Column("of", lambda each: each.name),
            Column("columns", lambda each: ", ".join(each.default_columns)),
        ],
        none="No types of reports.",
    )


@REPORTS.add
def run(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    report_type: Annotated[ReportTypeName, argument("TYPE", "What it is of.")],
    *,
    column: Annotated[
        list[str] | None, FieldOption(ReportRunCreate, "parameters[columns]")
    ] = None,
    start: Annotated[
        datetime | None, FieldOption(ReportRunCreate, "parameters[interval_start]")
    ] = None,
    end: Annotated[
        datetime | None, FieldOption(ReportRunCreate, "parameters[interval_end]")
    ] = None,
    timezone: Annotated[
        str | None, FieldOption(ReportRunCreate, "parameters[timezone]")
    ] = None,
    format: Annotated[  # noqa: A002  # its option
        ReportFormName | None, FieldOption(ReportRunCreate, "parameters[format]")
    ] = None,
    output: _DownloadOption = None,
    json: JsonOption = False,
) -> None:
    """Ask for a report, make it, and write its file where --output says."""
    parameters = metering.ReportParameters()
    if column:
        parameters["columns"] = column
    if start is not None:
        parameters["interval_start"] = start
    if end is not None:
        parameters["interval_end"] = end
    if timezone is not None:
        parameters["timezone"] = timezone
    if format is not None:
        parameters["format"] = format
    with saying_what_is_safe(_SAFE), target.open() as m:
        asked = m.reports.create(report_type=report_type, parameters=parameters)
        with progress_bar("Reporting") as advance:
            m.reports.make(progress=advance)
        made = m.reports.retrieve(asked.id)
        if output is not None and made.result is not None:
            m.reports.download(made.id, output)
        REPORTS.tell(m, made, is_json=json)
    if made.status == "failed":
        raise typer.Exit(FAILED)


REPORTS.actions(retrieve="Show a report that was asked for, and what became of it.")


@REPORTS.add
def make(target: StoreTarget, *, json: JsonOption = False) -> None:
    """Make every report that was asked for and is not made, as a worker does."""
    with (
        saying_what_is_safe(_SAFE),
        target.open() as m,
        progress_bar("Reporting") as advance,
    ):
        made = m.reports.make(progress=advance)
    if json:
        print_document({"made": made})
    else:
        show(f"Made {number(made)} {'report' if made == 1 else 'reports'}")


@REPORTS.command()
def download(m: metering.Metering, run: _RunArgument, file: _FileArgument) -> Done:
    """Write the file of a report, whole or not at all."""
    size = m.reports.download(run, file)
    return Done(
        {"id": run, "file": str(file), "size": size},
        f"Wrote {number(size)} bytes to {file}",
    )


def _columns(_: Sequence[metering.ReportRun]) -> list[Column[metering.ReportRun]]:
    return [
        Column("id", lambda run: run.id),
        Column("type", lambda run: run.report_type),
        Column("status", lambda run: run.status),
        Column("rows", lambda run: run.row_count and number(run.row_count)),
        Column("created (UTC)", lambda run: second(run.created)),
    ]


group = REPORTS.group
