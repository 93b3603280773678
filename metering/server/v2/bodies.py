"""Bodies of v2: resources as Stripe writes them there, with times in RFC 3339."""

from datetime import datetime

from metering import MeterEvent, MeterEventSession
from metering.arguments.times import time_of
from metering.bodies import Body
from metering.usage.resources import MeterEventAdjustment


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
