"""Thin events: error reports in Stripe's shape, as they are sent and as they are fetched.

What is sent leaves out the data of the report; its receiver fetches that by the id.
Source: https://docs.stripe.com/api/v2/core/events and
https://docs.stripe.com/event-destinations#thin-events
"""

from metering.arguments.times import time_of
from metering.bodies import Body
from metering.stream.resources import ErrorReport


def notification_body(report: ErrorReport) -> Body:
    """Return a report as it is sent to endpoints, without its data."""
    body: Body = {
        "id": report.id,
        "object": "v2.core.event",
        "context": None,
        "created": time_of(report.created),
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


def report_body(report: ErrorReport) -> Body:
    """Return a report as it is fetched, with its data."""
    return {**notification_body(report), "data": _data(report)}


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
