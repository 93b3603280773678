"""``metering ingest``: events out of files that were seldom made for us."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated, Literal

import typer
from msgspec.structs import asdict

import metering
from metering.arguments.times import TimeUnit
from metering.arguments.words import RoundingName
from metering.cli.door import FAILED, saying_what_is_safe
from metering.cli.errors import MeterDiffersError
from metering.cli.options import FieldOption, argument, option
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
from metering.usage.ingest.options import NULL_VALUES, Identity, IngestOptions

_CreatableFormula = Literal["sum", "count", "last"]
_MeterColumnOption = Annotated[
    str | None, option("COLUMN", "If left out, the column that the meter names.")
]
_EPILOG = """Exits with 1 if every row is rejected or a file cannot be read.

A trace of another system becomes a meter like this:

\b
  metering ingest trace.csv --event-name tokens --create-meter sum
    --timestamp-column TIMESTAMP --timezone UTC --value-column Tokens
    --customer cus_1 --backfill
"""


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
    timestamp: Annotated[str | None, option("TIME", "The same for all events.")] = None,
    timestamp_column: Annotated[
        str | None,
        option("COLUMN", "Column of the timestamp; timestamp if left out."),
    ] = None,
    timestamp_unit: Annotated[TimeUnit, FieldOption(IngestOptions)] = "s",
    timezone: Annotated[str | None, FieldOption(IngestOptions)] = None,
    now: Annotated[bool, FieldOption(IngestOptions)] = False,
    identifier_column: Annotated[
        str,
        option("COLUMN", "Rows without one are told apart as --identity says."),
    ] = "identifier",
    payload_column: Annotated[
        list[str] | None,
        option(
            "COLUMN",
            "Keep only this column beside those that options name; may be repeated. Name"
            " the meter's own for customer and value, too. All are kept if left out.",
        ),
    ] = None,
    backfill: Annotated[bool, FieldOption(IngestOptions)] = False,
    rounding: Annotated[RoundingName | None, FieldOption(IngestOptions)] = None,
    identity: Annotated[Identity, FieldOption(IngestOptions)] = "file",
    null: Annotated[
        list[str] | None,
        FieldOption(IngestOptions, "null_values", metavar="TEXT", name="--null"),
    ] = None,
    create_meter: Annotated[
        _CreatableFormula | None,
        typer.Option(help="Create the meter of --event-name, if there is none."),
    ] = None,
    rejections: Annotated[
        Path | None, option("FILE", "Write rejected rows to .parquet, .csv or .ndjson.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Record the events of files, and create the store if there is none.

    Every batch of up to 50,000 rows is durable before the next. A bad row never fails the
    others; rows count from 0. Ingesting a file again counts nothing twice.
    """
    columns = metering.Columns(
        event_name=_either("event-name", event_name, event_name_column) or "event_name",
        identifier=identifier_column,
        timestamp=_either("timestamp", timestamp, timestamp_column) or "timestamp",
        customer=_either("customer", customer, customer_column),
        value=_either("value", value, value_column),
        payload_keys=tuple(payload_column) if payload_column else None,
    )
    if create_meter is not None and event_name is None:
        raise typer.BadParameter("--create-meter needs --event-name")
    options = IngestOptions(
        backfill=backfill,
        now=now,
        timestamp_unit=timestamp_unit,
        timezone=timezone,
        rounding=rounding,
        identity=identity,
        null_values=null or NULL_VALUES,
    )
    check_rejections_path(rejections)
    from metering.usage.ingest.sources import open_source

    for file in files:
        # Before a store is made: it can be read, and has the columns that are named.
        open_source(file, columns, options)
    reports: list[FileReport] = []
    try:
        with target.open(create=True) as m:
            if create_meter is not None and event_name is not None:
                _need_meter(m, event_name, create_meter)
            # One by one, so that those before a failure stay in the list.
            reports.extend(_ingest_file(m, file, columns, options) for file in files)
    finally:
        # What was recorded before a failure is reported as well.
        if reports:
            (print_reports if json else show_reports)(reports, options)
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


def _need_meter(
    m: metering.Metering, event_name: str, formula: _CreatableFormula
) -> None:
    """Create a meter, or make sure that the one there is has the formula.

    Raises:
        MeterDiffersError: it has another one.
    """
    for meter in m.meters.list():
        if meter.event_name == event_name:
            found = meter.default_aggregation.formula
            if found != formula:
                raise MeterDiffersError(event_name, found, formula)
            return
    m.meters.create(
        display_name=event_name,
        event_name=event_name,
        default_aggregation={"formula": formula},
    )


def _ingest_file(
    m: metering.Metering, file: Path, columns: metering.Columns, options: IngestOptions
) -> FileReport:
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
                file, progress=tell, columns=columns, **asdict(options)
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
