"""Requests about credit schedules, and the objects that callers pass in them."""

from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.strings import CustomerId, Name
from metering.arguments.times import Time
from metering.credits.requests import (
    AMOUNT_MAX,
    PRIORITY_MAX,
    ApplicabilityConfigParams,
    CategoryName,
    CreditAmountParams,
)
from metering.prices.requests import IntervalName

INTERVALS_MAX = 1_000
"""Of a period, and until a grant expires."""

RolloverName = Literal["none", "max_amount", "percent"]
"""What becomes of what is left of a period's grant."""
ScheduleStatusName = Literal["active", "paused", "canceled"]
IntervalCount = Annotated[int, Meta(ge=1, le=INTERVALS_MAX)]
Priority = Annotated[int, Meta(ge=0, le=PRIORITY_MAX)]


class RolloverParams(TypedDict):
    """How much of what is left of a period's grant rolls over at the period's end.

    Attributes:
        type: none of it, up to a max_amount, or a percent.
        max_amount: in minor units of the schedule's currency.
        percent: of what is left, rounded down to what can be paid.
    """

    type: RolloverName
    max_amount: NotRequired[Annotated[int, Meta(ge=1, le=AMOUNT_MAX)] | None]
    percent: NotRequired[Annotated[int, Meta(ge=1, le=100)] | None]


class CreditScheduleCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What credits are granted with, again and again.

    Attributes:
        id: of the schedule, of your own; one is made if left out.
        customer: whose credits.
        amount: how much is granted each period.
        applicability_config: what it can be used for.
        interval: how often credits are granted.
        interval_count: after how many of them; 1 if left out, at most three years.
        anchor: where a period begins, at most five years away; now if left out.
        rollover: what becomes of what is left at a period's end; if left out, it stays
            in its grant.
        expires_after: of each grant, in so many intervals; never if left out.
        category: whether the customer paid for them; promotional credits are used
            first.
        priority: lower priorities are used first.
        name: of each grant, for people.
        metadata: pairs of your own, of each grant too.
    """

    id: Name | None = None
    customer: CustomerId
    amount: CreditAmountParams
    applicability_config: ApplicabilityConfigParams
    interval: IntervalName
    interval_count: IntervalCount = 1
    anchor: Time | None = None
    rollover: RolloverParams | None = None
    expires_after: IntervalCount | None = None
    category: CategoryName = "paid"
    priority: Priority = 50
    name: Name | None = None
    metadata: Metadata | UnsetType | None = UNSET


class CreditScheduleUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a schedule can be changed, from the next period on.

    Attributes:
        amount: how much is granted each period; its currency stays.
        applicability_config: what it can be used for.
        rollover: what becomes of what is left at a period's end; if empty, it stays in
            its grant.
        expires_after: of each grant, in so many intervals; never if empty.
        category: whether the customer paid for them.
        priority: lower priorities are used first.
        name: of each grant, for people; none if empty.
        metadata: pairs that are added or replaced; an empty value removes its key.
    """

    amount: CreditAmountParams | None = None
    applicability_config: ApplicabilityConfigParams | None = None
    rollover: RolloverParams | UnsetType | None = UNSET
    expires_after: IntervalCount | UnsetType | None = UNSET
    category: CategoryName | None = None
    priority: Priority | None = None
    name: Name | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class CreditScheduleList(PageRequest, frozen=True, kw_only=True):
    """Which schedules are listed.

    Attributes:
        customer: only those of this customer.
    """

    customer: CustomerId | None = None
