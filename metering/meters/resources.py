"""Meters and summaries as callers get them back: frozen, with Stripe's field names.

Times are aware datetimes in UTC, usage values exact decimals.
Source: https://docs.stripe.com/api/billing/meter and .../billing/meter-event-summary.
"""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal

from metering.arguments.words import FormulaName
from metering.bodies import ResourceObject


class DefaultAggregation(ResourceObject, frozen=True, kw_only=True):
    """How the values of a window become one number."""

    formula: FormulaName


class CustomerMapping(ResourceObject, frozen=True, kw_only=True):
    """Which payload key names the customer."""

    event_payload_key: str
    type: Literal["by_id"] = "by_id"


class ValueSettings(ResourceObject, frozen=True, kw_only=True):
    """Which payload key holds the value."""

    event_payload_key: str


class StatusTransitions(ResourceObject, frozen=True, kw_only=True):
    """When the status last changed."""

    deactivated_at: datetime | None


class Meter(ResourceObject, frozen=True, kw_only=True):
    """What is measured: events of one name, and how they become a number."""

    id: str
    object: Literal["billing.meter"] = "billing.meter"
    created: datetime
    updated: datetime
    display_name: str
    event_name: str
    default_aggregation: DefaultAggregation
    customer_mapping: CustomerMapping
    value_settings: ValueSettings
    event_time_window: Literal["day", "hour"] | None
    status: Literal["active", "inactive"]
    status_transitions: StatusTransitions
    livemode: bool


class MeterEventSummary(ResourceObject, frozen=True, kw_only=True):
    """Aggregated usage of a customer on a meter in ``[start_time, end_time)``.

    Attributes:
        aggregated_value: exact.
        position: the answer counts every entry of the log up to here, and none after.
        customer: whose usage.
    """

    beyond_stripe: ClassVar = frozenset({"position", "customer"})

    id: str
    object: Literal["billing.meter_event_summary"] = "billing.meter_event_summary"
    aggregated_value: Decimal
    start_time: datetime
    end_time: datetime
    meter: str
    livemode: bool
    position: int
    customer: str
