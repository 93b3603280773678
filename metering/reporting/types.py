"""Types of reports: what each is of, its columns, and of which time there is something."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from ledger.records.refusals import REPORTS_KEPT, WINDOW
from metering.arguments.clock import at_microseconds
from metering.reporting.contents.asked import AskedReport, ReportProgress
from metering.reporting.contents.credits import CREDITS, credits_activity
from metering.reporting.contents.events import EVENTS, events
from metering.reporting.contents.refusals import REFUSALS, rejected_events
from metering.reporting.contents.statements import STATEMENTS, statements
from metering.reporting.contents.usage import (
    BY_CUSTOMER,
    BY_DAY,
    usage_by_customer,
    usage_by_day,
)
from metering.reporting.requests import ReportTypeName
from metering.reporting.resources import ReportType
from metering.store.engine import Engine
from projections.windows import ceil_to, floor_to

ReportReader = Callable[[Engine, AskedReport, ReportProgress], Iterator[pa.RecordBatch]]

_UPDATED = datetime(2026, 12, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDefinition:
    """A type of report.

    Attributes:
        name: for people.
        schema: of its rows, with every column.
        read: yields the rows, the same for the same position.
        is_of_log: whether it follows from the log, which is kept for ever.
    """

    name: str
    schema: pa.Schema
    read: ReportReader
    is_of_log: bool = True

    def available(self, now: int) -> tuple[int, int]:
        """Return of which time there is something: the first and the last bound."""
        if self.is_of_log:
            return 0, now
        return ceil_to(max(now - REPORTS_KEPT, 0), WINDOW), floor_to(now, WINDOW)


DEFINITIONS: Mapping[ReportTypeName, ReportDefinition] = {
    "metering.usage_by_customer.1": ReportDefinition(
        name="Usage by customer", schema=BY_CUSTOMER, read=usage_by_customer
    ),
    "metering.usage_by_day.1": ReportDefinition(
        name="Usage by day", schema=BY_DAY, read=usage_by_day
    ),
    "metering.events.1": ReportDefinition(
        name="Meter events", schema=EVENTS, read=events
    ),
    "metering.rejected_events.1": ReportDefinition(
        name="Rejected meter events",
        schema=REFUSALS,
        read=rejected_events,
        is_of_log=False,
    ),
    "metering.credits_activity.1": ReportDefinition(
        name="Activity of credits", schema=CREDITS, read=credits_activity
    ),
    "metering.statements.1": ReportDefinition(
        name="Lines of statements", schema=STATEMENTS, read=statements
    ),
}


def type_resource(
    type_id: ReportTypeName, definition: ReportDefinition, now: int, *, livemode: bool
) -> ReportType:
    """Return a type as a resource, as it is at an instant."""
    start, end = definition.available(now)
    return ReportType(
        id=type_id,
        data_available_end=at_microseconds(end),
        data_available_start=at_microseconds(start),
        default_columns=tuple(definition.schema.names),
        livemode=livemode,
        name=definition.name,
        updated=_UPDATED,
        version=int(type_id.rpartition(".")[2]),
    )
