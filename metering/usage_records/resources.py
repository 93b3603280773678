"""Usage records and their summaries as callers get them back, with Stripe's field names.

Times are aware datetimes in UTC, of whole seconds.
Source: https://docs.stripe.com/api/usage_records/object?api-version=2025-02-24.acacia
"""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal

from metering.bodies import ResourceObject
from metering.usage_records.requests import ActionName


class UsageRecord(ResourceObject, frozen=True, kw_only=True):
    """A quantity of a subscription item at one second.

    Attributes:
        id: also the identifier of the event that it is, by which that is cancelled.
        event_name: of the event.
        position: its place in the log.
        duplicate: whether this answers a repetition; the record counts once.
    """

    beyond_stripe: ClassVar = frozenset(
        {"action", "duplicate", "event_name", "position"}
    )

    id: str
    object: Literal["usage_record"] = "usage_record"
    action: ActionName
    event_name: str
    livemode: bool
    position: int
    quantity: int
    subscription_item: str
    timestamp: datetime
    duplicate: bool = False


class UsageRecordPeriod(ResourceObject, frozen=True, kw_only=True):
    """A billing period, ``[start, end)``."""

    end: datetime
    start: datetime


class UsageRecordSummary(ResourceObject, frozen=True, kw_only=True):
    """What the usage records of an item come to in a period.

    Attributes:
        invoice: id of the finalised statement that bills the whole period; None where
            there is none.
        total_usage: their aggregate; a whole number of whole records.
    """

    id: str
    object: Literal["usage_record_summary"] = "usage_record_summary"
    invoice: str | None
    livemode: bool
    period: UsageRecordPeriod
    subscription_item: str
    total_usage: Decimal
