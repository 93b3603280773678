"""What an ingestion of files came to, for people and for programs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

import metering
from ledger.usage.quantities import FRACTION_DIGITS
from metering.arguments.times import UNIT_NAMES
from metering.cli.errors import RejectionsFileError
from metering.cli.files import check_place
from metering.cli.screens.arrow_tables import WRITERS, write_table
from metering.cli.screens.screen import Column, print_document, show, show_table
from metering.cli.screens.text import counted, number, rate
from metering.usage.ingest.options import Identity, IngestOptions

_REJECTIONS_SHOWN = 5
_KEYS_SHOWN = 5
_COUNTED = (
    *("accepted", "duplicates", "rejected", "cancelled", "rounded"),
    *("first_position", "last_position", "left_out"),
)
_REMEDIES = {
    "no_meter": "Create the meter with meters create, or here with --create-meter.",
    "archived_meter": "Reactivate the meter with meters reactivate.",
    "meter_event_no_customer_defined": "Name the customer with --customer-column or"
    " --customer.",
    "timestamp_invalid": "Give the unit of numbers with --timestamp-unit, and the zone of"
    " times that name none with --timezone.",
    "timestamp_too_far_in_past": "Take older timestamps with --backfill.",
}


_MEANINGS: dict[Identity, str] = {
    "file": "by the file and their place in it (--identity file): the same file counts"
    " once, and a row that comes in another file counts again.",
    "row": "by what they say (--identity row): a row counts once in whatever file it"
    " comes, and equal rows as often as one file has them.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What became of the rows of one file."""

    file: Path
    seconds: float
    receipt: metering.IngestReceipt

    @property
    def rows(self) -> int:
        """Return how many rows there were."""
        receipt = self.receipt
        taken = receipt.accepted + receipt.duplicates
        return taken + receipt.rejected + receipt.cancelled


def check_rejections_path(path: Path | None) -> None:
    """Refuse a file for rejections that could not be written, before the work is done.

    Raises:
        RejectionsFileError: it will not be possible.
    """
    if path is None:
        return
    if path.suffix not in WRITERS:
        raise RejectionsFileError(path, f"its name must end in {', '.join(WRITERS)}")
    check_place(path, RejectionsFileError)


def write_rejections(reports: Sequence[FileReport], path: Path | None) -> None:
    """Write columns file, row, identifier, code and message, in order of the rows.

    Raises:
        RejectionsFileError: the file cannot be written.
    """
    if path is None:
        return
    table = pa.concat_tables(
        report.receipt.rejections.add_column(
            0, "file", pa.array([str(report.file)] * report.receipt.rejected, "string")
        )
        for report in reports
    )
    write_table(table, path, RejectionsFileError)


def is_all_rejected(reports: Sequence[FileReport]) -> bool:
    """Whether there were rows, and all were rejected."""
    rejected = sum(report.receipt.rejected for report in reports)
    return rejected > 0 and rejected == sum(report.rows for report in reports)


def print_reports(reports: Sequence[FileReport], options: IngestOptions) -> None:
    """Print a JSON list of one object for each file.

    The first rejections stand for all.
    """
    print_document(
        [
            {
                "file": str(report.file),
                **{name: getattr(report.receipt, name) for name in _COUNTED},
                "timestamp_unit": options.timestamp_unit,
                "timezone": options.timezone,
                "seconds": round(report.seconds, 3),
                "first_rejections": _first_rejections(report),
            }
            for report in reports
        ]
    )


def show_reports(reports: Sequence[FileReport], options: IngestOptions) -> None:
    """Show a row of counts for each file, the first rejections, and how times were read."""
    show_table(
        [
            Column("file", lambda report: report.file.name),
            Column("accepted", lambda report: report.receipt.accepted),
            Column("duplicates", lambda report: report.receipt.duplicates),
            Column("rejected", lambda report: report.receipt.rejected),
            Column("rows/s", _rate, is_number=True),
        ],
        reports,
    )
    for report in reports:
        _show_rounded(report)
        _show_left_out(report)
        _show_cancelled(report)
        _show_rejections(report)
    unnamed = sum(report.receipt.unnamed for report in reports)
    if unnamed:
        rows = counted(unnamed, "row")
        meaning = _MEANINGS[options.identity]
        show(f"Without an identifier: {rows}, told apart {meaning}")
    show(_reading_of_times(options), style="dim")


def _reading_of_times(options: IngestOptions) -> str:
    unit, zone = UNIT_NAMES[options.timestamp_unit], options.timezone
    local = "are refused" if zone is None else f"are local to {zone}"
    now = "; rows without a time happen now" if options.now else ""
    return f"Times: numbers count {unit} since 1970; those without a zone {local}{now}."


def _show_left_out(report: FileReport) -> None:
    left_out = list(report.receipt.left_out.items())
    if not left_out:
        return
    first = [f"{name} ({number(rows)})" for name, rows in left_out[:_KEYS_SHOWN]]
    more = len(left_out) - len(first)
    named = ", ".join([*first, *([f"{number(more)} more keys"] if more else [])])
    show(f"{report.file.name}: left out of payloads, rows by key: {named}")


def _show_cancelled(report: FileReport) -> None:
    if cancelled := report.receipt.cancelled:
        rows = counted(cancelled, "row")
        show(f"{report.file.name}: {rows} of cancelled events left aside")


def _rate(report: FileReport) -> str:
    return rate(report.rows, report.seconds)


def _show_rounded(report: FileReport) -> None:
    if rounded := report.receipt.rounded:
        values = counted(rounded, "value")
        show(f"{report.file.name}: {values} rounded to {FRACTION_DIGITS} digits")


def _show_rejections(report: FileReport) -> None:
    rejected = report.receipt.rejected
    if not rejected:
        return
    codes = Counter(report.receipt.rejections.column("code").to_pylist())
    show(f"{report.file.name}: {number(rejected)} rejected", style="bold")
    show_table(
        [
            Column("row", itemgetter("row")),
            Column("code", itemgetter("code")),
            Column("message", itemgetter("message")),
        ],
        _first_rejections(report),
    )
    if rejected > _REJECTIONS_SHOWN:
        counted = ", ".join(f"{number(n)} {code}" for code, n in codes.most_common())
        show(f"All: {counted}. Write them to a file with --rejections.", style="dim")
    for code in codes:
        if code in _REMEDIES:
            show(_REMEDIES[code])


def _first_rejections(report: FileReport) -> list[dict[str, Any]]:
    """Return columns row, from 0, identifier, code and message."""
    rejections = report.receipt.rejections.slice(0, _REJECTIONS_SHOWN)
    first: list[dict[str, Any]] = rejections.to_pylist()
    return first
