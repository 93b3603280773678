"""Bodies of v2: resources as Stripe writes them there, with times in RFC 3339."""

from datetime import datetime

from metering import ErrorReport, MeterEvent, MeterEventSession
from metering.bodies import Body
from metering.resources import MeterEventAdjustment


def time_of(instant: datetime) -> str:
    """Write a time with the digits that it has, and three at the least."""
    precision = "microseconds" if instant.microsecond % 1_000 else "milliseconds"
    return instant.isoformat(timespec=precision).replace("+00:00", "Z")


def event_body(event: MeterEvent) -> Body:
    """Write a meter event."""
    return {
        "object": "v2.billing.meter_event",
        "created": time_of(event.created),
        "event_name": event.event_name,
        "identifier": event.identifier,
        "livemode": event.livemode,
        "payload": dict(event.payload),
        "timestamp": time_of(event.timestamp),
    }


def adjustment_body(
    adjustment: MeterEventAdjustment, adjustment_id: str, created: datetime
) -> Body:
    """Write an adjustment."""
    return {
        "id": adjustment_id,
        "object": "v2.billing.meter_event_adjustment",
        "cancel": {"identifier": adjustment.cancel.identifier},
        "created": time_of(created),
        "event_name": adjustment.event_name,
        "livemode": adjustment.livemode,
        "status": adjustment.status,
        "type": adjustment.type,
    }


def session_body(session: MeterEventSession) -> Body:
    """Write a session that was just made, with its token."""
    return {
        "id": session.id,
        "object": "v2.billing.meter_event_session",
        "authentication_token": session.authentication_token,
        "created": time_of(session.created),
        "expires_at": time_of(session.expires_at),
        "livemode": session.livemode,
    }


def report_body(report: ErrorReport) -> Body:
    """Write a report as a thin event, with its data."""
    body: Body = {
        "id": report.id,
        "object": "v2.core.event",
        "context": None,
        "created": time_of(report.created),
        "data": _data(report),
        "livemode": report.livemode,
        "reason": None,
        "type": report.type,
    }
    if report.meter is not None:
        body["related_object"] = {
            "id": report.meter,
            "type": "billing.meter",
            "url": f"/v1/billing/meters/{report.meter}",
        }
    return body


def _data(report: ErrorReport) -> Body:
    count = sum(each.error_count for each in report.error_types)
    is_one = count == 1
    return {
        "developer_message_summary": (
            f"There {'is' if is_one else 'are'} {count}"
            f" invalid event{'' if is_one else 's'}"
        ),
        "reason": {
            "error_count": count,
            "error_types": [
                {
                    "code": each.code,
                    "error_count": each.error_count,
                    "sample_errors": [
                        {
                            "error_message": message,
                            "request": {"identifier": identifier},
                        }
                        for message, identifier in each.samples
                    ],
                }
                for each in report.error_types
            ],
        },
        "validation_start": time_of(report.validation_start),
        "validation_end": time_of(report.validation_end),
    }
