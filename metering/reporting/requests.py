"""Requests about reports.

Source: https://docs.stripe.com/api/reporting/report_run/create
"""

from collections.abc import Sequence
from typing import Annotated, Literal, TypedDict

import msgspec
from msgspec import Meta

from metering.arguments.pages import PageRequest
from metering.arguments.strings import Name
from metering.arguments.times import CreatedBounds, Time
from metering.arguments.zones import ZoneName

ReportTypeName = Literal[
    "metering.usage_by_customer.1",
    "metering.usage_by_day.1",
    "metering.events.1",
    "metering.rejected_events.1",
    "metering.credits_activity.1",
    "metering.statements.1",
]
"""What reports are of."""
ReportFormName = Literal["csv", "parquet"]
"""How files of reports are written."""
ReportStatusName = Literal["pending", "succeeded", "failed"]

ReportColumns = Annotated[Sequence[Name], Meta(min_length=1, max_length=100)]


class ReportParameters(TypedDict, total=False):
    """What of a report is asked for.

    Attributes:
        columns: which, in the order of the file; all if left out.
        format: csv if left out.
        interval_end: exclusive; when the run is created if left out.
        interval_start: inclusive; the beginning of what there is if left out.
        timezone: IANA name of the zone in which times are written; UTC if left out. It
            moves no bound and no day.
    """

    columns: ReportColumns
    format: ReportFormName
    interval_end: Time
    interval_start: Time
    timezone: ZoneName


class ReportRunCreate(msgspec.Struct, frozen=True, kw_only=True):
    """Which report is to be made.

    Attributes:
        report_type: what it is of.
        parameters: which columns, of which time, written how.
    """

    report_type: ReportTypeName
    parameters: ReportParameters | None = None


class ReportRunList(PageRequest, frozen=True, kw_only=True):
    """Which runs are listed.

    Attributes:
        created: only those created then, or within these bounds.
    """

    created: Time | CreatedBounds | None = None
