"""Error reports as callers receive them: frozen values.

Source: https://docs.stripe.com/api/v2/core/events/event-types
"""

from datetime import datetime

from ledger.records.refusals import StoredReport
from metering.arguments.clock import at_microseconds
from metering.bodies import ResourceObject

REPORT_TRIGGERED = "v1.billing.meter.error_report_triggered"
NO_METER_FOUND = "v1.billing.meter.no_meter_found"
REPORT_TYPES = (REPORT_TRIGGERED, NO_METER_FOUND)


class ErrorType(ResourceObject, frozen=True, kw_only=True):
    """The errors of one code.

    Attributes:
        samples: the messages of the first few, each with the identifier of its
            request.
    """

    code: str
    error_count: int
    samples: tuple[tuple[str, str], ...]


class ErrorReport(ResourceObject, frozen=True, kw_only=True):
    """What was refused on one meter in one window.

    Attributes:
        created: when the window ended.
        meter: its id; None counts the events for whose name there was no meter.
        validation_end: exclusive.
    """

    id: str
    type: str
    created: datetime
    livemode: bool
    meter: str | None
    validation_start: datetime
    validation_end: datetime
    error_types: tuple[ErrorType, ...]


def report_resource(stored: StoredReport) -> ErrorReport:
    """Return a report as callers receive it."""
    return ErrorReport(
        id=stored.report_id,
        type=REPORT_TRIGGERED if stored.meter_id else NO_METER_FOUND,
        created=at_microseconds(stored.window_end),
        livemode=stored.livemode,
        meter=stored.meter_id or None,
        validation_start=at_microseconds(stored.window_start),
        validation_end=at_microseconds(stored.window_end),
        error_types=tuple(
            ErrorType(
                code=each.code,
                error_count=each.error_count,
                samples=each.samples,
            )
            for each in stored.error_types
        ),
    )
