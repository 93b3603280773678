"""Facts about reports: what was asked for, and the file that it came to.

A run counts what the log holds up to the fact that created it. Times are microseconds
since 1970 UTC.
Source of the words: https://docs.stripe.com/api/reporting/report_run
"""

import enum
from typing import Literal

import msgspec


class ReportForm(enum.Enum):
    """How the file of a report is written."""

    CSV = "csv"
    PARQUET = "parquet"

    @property
    def word(self) -> Literal["csv", "parquet"]:
        """Its name, as callers give it."""
        return "csv" if self is ReportForm.CSV else "parquet"


class ReportPart(msgspec.Struct, frozen=True, array_like=True):
    """A part of a report's file.

    Attributes:
        byte_count: its length.
        sha256: of its bytes, in hexadecimal digits.
    """

    byte_count: int
    sha256: str


class ReportRunCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="report_run.created",
):
    """A report was asked for. What was left out is None.

    Attributes:
        columns: in the order of the file.
        interval_start: inclusive.
        interval_end: exclusive.
        timezone: in which times are written.
    """

    run_id: str
    report_type: str
    columns: tuple[str, ...] | None
    interval_start: int | None
    interval_end: int | None
    timezone: str | None
    form: ReportForm | None


class ReportRunSucceeded(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="report_run.succeeded",
):
    """A report is made, and its file is durable.

    Attributes:
        file_id: of the file.
        attempt: names the parts of the file, together with their numbers.
        parts: of the file, in order.
        row_count: of the report.
        expires_at: when the file is to be removed.
    """

    run_id: str
    file_id: str
    attempt: str
    parts: tuple[ReportPart, ...]
    row_count: int
    expires_at: int


class ReportRunFailed(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="report_run.failed"
):
    """A report cannot be made, for a reason that does not pass."""

    run_id: str
    error: str


class ReportFileRemoved(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="report_file.removed",
):
    """The file of a report was removed, after it had expired."""

    run_id: str


ReportFact = ReportRunCreated | ReportRunSucceeded | ReportRunFailed | ReportFileRemoved
ReportEnd = ReportRunSucceeded | ReportRunFailed
"""What becomes of a run, once."""
