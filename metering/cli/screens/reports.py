"""What an ingestion of files came to, for people and for programs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

import metering
from metering.cli.screens.documents import print_document
from metering.cli.screens.screen import Column, show, show_table
from metering.cli.screens.text import number, rate

_REJECTIONS_SHOWN = 5
_REMEDIES = {
    "no_meter": "Create the meter with meters create, or here with --create-meter.",
    "archived_meter": "Reactivate the meter with meters reactivate.",
    "meter_event_no_customer_defined": "Name the customer with --customer-column or"
    " --customer.",
    "timestamp_too_far_in_past": "Take older timestamps with --backfill.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What became of the rows of one file."""

    file: Path
    seconds: float
    receipt: metering.IngestReceipt

    @property
    def rows(self) -> int:
        """Count all rows."""
        receipt = self.receipt
        return receipt.accepted + receipt.duplicates + receipt.rejected


class RejectionDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One rejected row; rows count from 0."""

    row: int
    identifier: str | None
    code: str
    message: str


class FileDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows of one file; the first rejections stand for all."""

    file: str
    accepted: int
    duplicates: int
    rejected: int
    first_position: int | None
    last_position: int | None
    seconds: float
    first_rejections: list[RejectionDocument]


def is_all_rejected(reports: Sequence[FileReport]) -> bool:
    """Whether there were rows, and all were rejected."""
    rejected = sum(report.receipt.rejected for report in reports)
    return rejected > 0 and rejected == sum(report.rows for report in reports)


def print_reports(reports: Sequence[FileReport]) -> None:
    """Print a JSON list of one object for each file."""
    print_document(
        [
            FileDocument(
                file=str(report.file),
                accepted=report.receipt.accepted,
                duplicates=report.receipt.duplicates,
                rejected=report.receipt.rejected,
                first_position=report.receipt.first_position,
                last_position=report.receipt.last_position,
                seconds=round(report.seconds, 3),
                first_rejections=_first_rejections(report),
            )
            for report in reports
        ]
    )


def show_reports(reports: Sequence[FileReport]) -> None:
    """Show a row of counts for each file, and the first rejections."""
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
        _show_rejections(report)


def _rate(report: FileReport) -> str:
    return rate(report.rows, report.seconds)


def _show_rejections(report: FileReport) -> None:
    rejected = report.receipt.rejected
    if not rejected:
        return
    codes = Counter(report.receipt.rejections.column("code").to_pylist())
    show(f"{report.file.name}: {number(rejected)} rejected", style="bold")
    show_table(
        [
            Column("row", lambda each: each.row),
            Column("code", lambda each: each.code),
            Column("message", lambda each: each.message),
        ],
        _first_rejections(report),
    )
    if rejected > _REJECTIONS_SHOWN:
        counted = ", ".join(f"{number(n)} {code}" for code, n in codes.most_common())
        show(f"All: {counted}. Write them to a file with --rejections.", style="dim")
    for code in codes:
        if code in _REMEDIES:
            show(_REMEDIES[code])


def _first_rejections(report: FileReport) -> list[RejectionDocument]:
    first = report.receipt.rejections.slice(0, _REJECTIONS_SHOWN)
    return [RejectionDocument(**row) for row in first.to_pylist()]
