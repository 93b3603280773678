"""The options of ``metering ingest``: which column of a file means what."""

from pathlib import Path
from typing import Annotated, Literal

import typer

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help=".parquet, .arrow, .csv, .ndjson or .jsonl, the last three also in .gz or"
        " .zst.",
    ),
]
EventNameOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of all events.")
]
EventNameColumnOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Usually event_name.")
]
CustomerOption = Annotated[
    str | None, typer.Option(metavar="CUSTOMER", help="Of all events.")
]
ValueOption = Annotated[
    str | None, typer.Option(metavar="VALUE", help="Of all events.")
]
MeterColumnOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Usually what the meter names.")
]
TimestampColumnOption = Annotated[
    str, typer.Option(metavar="COLUMN", help="Events happen now without it.")
]
IdentifierColumnOption = Annotated[
    str,
    typer.Option(
        metavar="COLUMN",
        help="Without it identifiers are made of the file's content and the number of"
        " the row.",
    ),
]
PayloadColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="The only columns to keep beside these; may be repeated. All others are"
        " kept if left out.",
    ),
]
BackfillOption = Annotated[
    bool,
    typer.Option(
        "--backfill/--no-backfill",
        help="Take any past time, not just the last 35 days.",
    ),
]
CreateMeterOption = Annotated[
    Literal["sum", "count", "last"] | None,
    typer.Option(help="Create the meter of --event-name, if there is none."),
]
RejectionsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write rejected rows to .parquet, .csv or .ndjson."
    ),
]
EPILOG = """Exits with 0 if a row was recorded, or had been, or there was none; with 1 if
every row was rejected, or a file cannot be read.

A trace that was made for something else becomes a meter like this:

\b
  metering ingest trace.csv --event-name tokens --create-meter sum
    --timestamp-column TIMESTAMP --value-column Tokens --customer cus_1
    --backfill
"""
