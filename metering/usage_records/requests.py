"""Requests about usage records.

Source: https://docs.stripe.com/api/usage_records/create?api-version=2025-02-24.acacia
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from metering.arguments.pages import PageRequest
from metering.arguments.strings import Name
from metering.arguments.times import Time

RECORDED_MAX = 10**18 - 1
"""What one record says at most; more integer digits no event has."""

ActionName = Literal["increment", "set"]


class UsageRecordCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded of a subscription item.

    Attributes:
        quantity: how much, a whole number.
        action: increment adds to what is recorded of the second, set replaces it.
        timestamp: when it was used, to the second, in the current period; now if left
            out.
    """

    quantity: Annotated[int, Meta(ge=0, le=RECORDED_MAX)]
    action: ActionName = "increment"
    timestamp: Time | Literal["now"] | None = None


class NamedUsageRecord(UsageRecordCreate, frozen=True, kw_only=True):
    """The same, with a name under which it counts once.

    Attributes:
        identifier: of the caller's, unique among records of the action.
    """

    identifier: Name | None = None


class UsageRecordSummaryList(PageRequest, frozen=True, kw_only=True):
    """Which page of an item's periods is listed."""
