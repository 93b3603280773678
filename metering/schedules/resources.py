"""Credit schedules as callers get them back."""

from datetime import datetime
from typing import Literal

from metering.bodies import ResourceObject
from metering.credits.requests import CategoryName
from metering.credits.resources import ApplicabilityConfig, CreditAmount
from metering.prices.requests import IntervalName
from metering.schedules.requests import RolloverName, ScheduleStatusName


class ScheduleRollover(ResourceObject, frozen=True, kw_only=True):
    """How much of what is left of a period's grant rolls over.

    Attributes:
        max_amount: in minor units; None for other types.
        percent: of what is left; None for other types.
    """

    type: RolloverName
    max_amount: int | None = None
    percent: int | None = None


class CreditSchedule(ResourceObject, frozen=True, kw_only=True):
    """Credits that a customer is granted again and again.

    What can be changed is as it is from the next period on.

    Attributes:
        anchor: where a period begins; the others lie so many intervals from it.
        expires_after: of each grant, in intervals; None is never.
        next_grant_at: when the next grant falls due; None while nothing is granted.
        rollover: None leaves what is left in its grant.
    """

    id: str
    object: Literal["metering.credit_schedule"] = "metering.credit_schedule"
    amount: CreditAmount
    anchor: datetime
    applicability_config: ApplicabilityConfig
    canceled_at: datetime | None
    category: CategoryName
    created: datetime
    customer: str
    expires_after: int | None
    interval: IntervalName
    interval_count: int
    livemode: bool
    metadata: dict[str, str]
    name: str | None
    next_grant_at: datetime | None
    paused_at: datetime | None
    priority: int
    rollover: ScheduleRollover | None
    status: ScheduleStatusName
    updated: datetime
