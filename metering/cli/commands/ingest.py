"""``metering ingest``: events out of files that were seldom made for us."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Literal

import typer

import metering
from metering.cli.door import FAILED, saying_what_is_safe
from metering.cli.errors import MeterDiffersError
from metering.cli.options import argument, option
from metering.cli.screens.progress import progress_bar
from metering.cli.screens.reports import (
    FileReport,
    check_rejections_path,
    is_all_rejected,
    print_reports,
    show_reports,
    write_rejections,
)
from metering.cli.screens.text import number
from metering.cli.signatures import JsonOption, on_target
from metering.cli.targets import StoreTarget
from metering.usage.ingest.sources import open_source

_MeterColumnOption = Annotated[
    str | None, option("COLUMN", "If left out, the column that the meter names.")
]
_EPILOG = """Exits with 1 if every row is rejected or a file cannot be read.

A trace of another system becomes a meter like this:

\b
  metering ingest trace.csv --event-name tokens --create-meter sum
    --timestamp-column TIMESTAMP --value-column Tokens --customer cus_1
    --backfill
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How to read the files, and which meter to make for them."""

    columns: metering.Columns
    takes_any_past: bool
    event_name: str | None
    formula: Literal["sum", "count", "last"] | None


@on_target(epilog=_EPILOG)
def ingest(  # noqa: PLR0913  # a command's options are its arguments
    target: StoreTarget,
    files: Annotated[
        list[Path],
        argument(
            "FILE",
            ".parquet, .arrow, .csv, .ndjson or .jsonl, the last three also in .gz or"
            " .zst.",
        ),
    ],
    *,
    event_name: Annotated[
        str | None, option("NAME", "The same for all events.")
    ] = None,
    event_name_column: Annotated[
        str | None,
        option("COLUMN", "Column of the event name; event_name if left out."),
    ] = None,
    customer: Annotated[
        str | None, option("CUSTOMER", "The same for all events.")
    ] = None,
    customer_column: _MeterColumnOption = None,
    value: Annotated[str | None, option("VALUE", "The same for all events.")] = None,
    value_column: _MeterColumnOption = None,
    timestamp_column: Annotated[
        str, option("COLUMN", "Without this column events happen now.")
    ] = "timestamp",
    identifier_column: Annotated[
        str,
        option(
            "COLUMN",
            "Without this column identifiers are made of the file's content and the row"
            " number.",
        ),
    ] = "identifier",
    payload_column: Annotated[
        list[str] | None,
        option(
            "COLUMN",
            "Keep only this column beside these; may be repeated. All columns are"
            " kept if left out.",
        ),
    ] = None,
    backfill: Annotated[
        bool,
        typer.Option(
            "--backfill/--no-backfill",
            help="Take any past time, not just the last 35 days.",
        ),
    ] = False,
    create_meter: Annotated[
        Literal["sum", "count", "last"] | None,
        typer.Option(help="Create the meter of --event-name, if there is none."),
    ] = None,
    rejections: Annotated[
        Path | None, option("FILE", "Write rejected rows to .parquet, .csv or .ndjson.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Record the events of files, and create the store if there is none.

    Every batch of 50,000 rows is durable before the next. A bad row never fails the
    others; rows count from 0. Ingesting a file again counts nothing twice.
    """
    columns = metering.Columns(
        event_name=_either("event-name", event_name, event_name_column) or "event_name",
        identifier=identifier_column,
        timestamp=timestamp_column,
        customer=_either("customer", customer, customer_column),
        value=_either("value", value, value_column),
        payload_keys=tuple(payload_column) if payload_column else None,
    )
    plan = _Plan(
        columns=columns,
        takes_any_past=backfill,
        event_name=event_name,
        formula=create_meter,
    )
    _check(files, plan, rejections)
    reports: list[FileReport] = []
    try:
        # One by one, so that those before a failure stay in the list.
        reports.extend(_record(files, plan, target))
    finally:
        # What was recorded before a failure is reported as well.
        if reports:
            (print_reports if json else show_reports)(reports)
            write_rejections(reports, rejections)
    if is_all_rejected(reports):
        raise typer.Exit(FAILED)


def _either(
    name: str, constant: str | None, column: str | None
) -> metering.Constant | str | None:
    if constant is None:
        return column
    if column is not None:
        raise typer.BadParameter(f"give --{name} or --{name}-column, not both")
    return metering.Constant(constant)


def _check(files: Sequence[Path], plan: _Plan, rejections: Path | None) -> None:
    """Check what can be checked before a store is made.

    Raises:
        SourceError: a file cannot be read, or lacks a column that is named.
        RejectionsFileError: rejections could not be written.
    """
    if plan.formula is not None and plan.event_name is None:
        raise typer.BadParameter("--create-meter needs --event-name")
    check_rejections_path(rejections)
    for file in files:
        open_source(file, plan.columns)


def _record(
    files: Sequence[Path], plan: _Plan, target: StoreTarget
) -> Iterator[FileReport]:
    with target.open(create=True) as m:
        _need_meter(m, plan)
        for file in files:
            yield _ingest_file(m, file, plan)


def _need_meter(m: metering.Metering, plan: _Plan) -> None:
    """Create a meter, or make sure that the one there is has the formula.

    Raises:
        MeterDiffersError: it has another one.
    """
    if plan.formula is None or plan.event_name is None:
        return
    for meter in m.meters.list():
        if meter.event_name == plan.event_name:
            found = meter.default_aggregation.formula
            if found != plan.formula:
                raise MeterDiffersError(plan.event_name, found, plan.formula)
            return
    m.meters.create(
        display_name=plan.event_name,
        event_name=plan.event_name,
        default_aggregation={"formula": plan.formula},
    )


def _ingest_file(m: metering.Metering, file: Path, plan: _Plan) -> FileReport:
    rows = 0

    def sentence() -> str:
        return (
            f"Interrupted; {number(rows)} rows of {file} are done and safe, run the"
            " command again for the rest: nothing counts twice"
        )

    start = perf_counter()
    with saying_what_is_safe(sentence), progress_bar(file.name) as advance:

        def tell(progress: metering.IngestProgress) -> None:
            nonlocal rows
            rows = progress.rows
            advance(rows, progress.total_rows)

        try:
            receipt = m.meter_events.ingest(
                file, backfill=plan.takes_any_past, progress=tell, columns=plan.columns
            )
        except metering.SourceError as error:
            if not rows:
                raise
            raise metering.SourceError(
                f"{error.message}; the first {number(rows)} rows are done and kept",
                code=error.code,
                param=error.param,
            ) from error
    return FileReport(file=file, seconds=perf_counter() - start, receipt=receipt)
