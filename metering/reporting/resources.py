"""Reports as callers get them back: frozen, with Stripe's field names.

Source: https://docs.stripe.com/api/reporting/report_run/object and its neighbours.
"""

from datetime import datetime
from typing import ClassVar, Literal

from metering.bodies import ResourceObject
from metering.reporting.requests import (
    ReportFormName,
    ReportStatusName,
    ReportTypeName,
)


class ReportType(ResourceObject, frozen=True, kw_only=True):
    """A report that there is.

    Attributes:
        data_available_start: before which no interval begins.
        data_available_end: after which none ends.
        default_columns: all that it has, in their order.
        updated: when it was last changed.
    """

    id: ReportTypeName
    object: Literal["reporting.report_type"] = "reporting.report_type"
    data_available_end: datetime
    data_available_start: datetime
    default_columns: tuple[str, ...]
    livemode: bool
    name: str
    updated: datetime
    version: int


class ReportFile(ResourceObject, frozen=True, kw_only=True):
    """The file of a report.

    Attributes:
        expires_at: when it is removed.
        size: in bytes.
        url: where it is downloaded, with an API key; None once it has expired. It is a
            path where it is not an answer over HTTP.
    """

    id: str
    object: Literal["file"] = "file"
    created: datetime
    expires_at: datetime
    filename: str
    links: None = None
    purpose: Literal["finance_report_run"] = "finance_report_run"
    size: int
    title: str
    type: ReportFormName
    url: str | None


class ReportRunParameters(ResourceObject, frozen=True, kw_only=True):
    """What was given when a report was asked for."""

    absent_where_none: ClassVar = frozenset(
        {"columns", "format", "interval_end", "interval_start", "timezone"}
    )

    columns: tuple[str, ...] | None
    format: ReportFormName | None
    interval_end: datetime | None
    interval_start: datetime | None
    timezone: str | None


class ReportRun(ResourceObject, frozen=True, kw_only=True):
    """A report that was asked for.

    Attributes:
        error: why it failed.
        result: its file, once it has succeeded.
        position: of the log, up to which it counts.
        row_count: of its file.
    """

    beyond_stripe: ClassVar = frozenset({"position", "row_count"})

    id: str
    object: Literal["reporting.report_run"] = "reporting.report_run"
    created: datetime
    error: str | None
    livemode: bool
    parameters: ReportRunParameters
    position: int
    report_type: ReportTypeName
    result: ReportFile | None
    row_count: int | None
    status: ReportStatusName
    succeeded_at: datetime | None
