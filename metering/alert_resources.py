"""Resources of alerts: what callers get back. Frozen values with Stripe's field names.

Times are aware datetimes in UTC, usage values exact decimals.
Source: https://docs.stripe.com/api/billing/alert
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

AlertStatusName = Literal["active", "inactive", "archived"]
"""Whether an alert triggers."""

RecurrenceName = Literal["one_time", "calendar_month", "calendar_day"]
"""What usage is compared; the first is Stripe's."""


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Whose usage is watched."""

    type: Literal["customer"] = "customer"
    customer: str


class UsageThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """Usage that is reached, and the meter that measures it.

    Attributes:
        gte: usage of this much or more.
        meter: id of the meter.
        filters: the one customer whose usage is watched; None is everybody, each by
            itself.
        timezone: IANA name of the zone whose months or days count; None where all
            usage does.
    """

    gte: int
    meter: str
    recurrence: RecurrenceName
    filters: tuple[AlertFilter, ...] | None
    timezone: str | None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched: the usage that triggers it, once for each customer."""

    id: str
    object: Literal["billing.alert"] = "billing.alert"
    alert_type: Literal["usage_threshold"] = "usage_threshold"
    livemode: bool
    status: AlertStatusName
    title: str
    usage_threshold: UsageThreshold


class AlertTriggered(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's usage reached the threshold of an alert.

    Attributes:
        alert: as it is now.
        created: when it was found.
        customer: whose usage.
        value: the usage with the event that reached the threshold, exact.
        position: its place in the log.
        event_position: that of the event.
        timestamp: when the event happened.
        window_start: where the month or day began that the usage lies in; None where
            all usage counts.
    """

    object: Literal["billing.alert_triggered"] = "billing.alert_triggered"
    alert: Alert
    created: datetime
    customer: str
    livemode: bool
    value: Decimal
    position: int
    event_position: int
    timestamp: datetime
    window_start: datetime | None
