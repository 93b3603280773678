"""Meter events and adjustments as callers get them back: frozen, with Stripe's field names.

Times are aware datetimes in UTC.
Source: https://docs.stripe.com/api/billing/meter-event and .../billing/meter-event-adjustment.
"""

from datetime import datetime
from typing import ClassVar, Literal

from metering.bodies import ResourceObject


class MeterEvent(ResourceObject, frozen=True, kw_only=True):
    """Usage of one customer at one time.

    Attributes:
        created: when the log accepted it.
        timestamp: when the usage happened.
        position: its place in the log.
        duplicate: whether this answers a repetition; the event counts once.
        cancelled: whether it no longer counts.
    """

    beyond_stripe: ClassVar = frozenset({"position", "duplicate", "cancelled"})

    object: Literal["billing.meter_event"] = "billing.meter_event"
    created: datetime
    event_name: str
    identifier: str
    payload: dict[str, str]
    timestamp: datetime
    livemode: bool
    position: int
    duplicate: bool = False
    cancelled: bool = False


class Cancel(ResourceObject, frozen=True, kw_only=True):
    """Which event an adjustment cancels."""

    identifier: str


class MeterEventAdjustment(ResourceObject, frozen=True, kw_only=True):
    """An event that no longer counts, from this answer on."""

    object: Literal["billing.meter_event_adjustment"] = "billing.meter_event_adjustment"
    event_name: str
    type: Literal["cancel"] = "cancel"
    cancel: Cancel
    status: Literal["complete"] = "complete"
    livemode: bool
