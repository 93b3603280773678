"""Requests about spend limits."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ledger.facts.alerts import Recurrence
from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.strings import CustomerId, Id, Name
from metering.arguments.zones import ZoneName
from metering.credits.requests import PRICES_MAX, CreditAmountParams

LimitWindowName = Literal["day", "month", "all_time", "billing_period"]
"""The time in which a limit may be spent; the last is that of a subscription."""
RECURRENCES: dict[LimitWindowName, Recurrence] = {
    "day": Recurrence.CALENDAR_DAY,
    "month": Recurrence.CALENDAR_MONTH,
    "all_time": Recurrence.ONE_TIME,
    "billing_period": Recurrence.BILLING_PERIOD,
}
"""The windows by their names."""

WARN_AT = (50, 80, 100)
"""Where a limit warns if its maker does not say."""
WARNINGS_MAX = 20

Percentages = Annotated[
    Sequence[Annotated[int, Meta(ge=1, le=100)]], Meta(max_length=WARNINGS_MAX)
]


class SpendLimitCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What a spend limit is created with.

    Attributes:
        customer: who may spend so much.
        amount: how much, in each window.
        window: the time in which it may be spent.
        warn_at: percentages of the amount at which an event warns, once each a window.
        prices: ids of the metered prices by which usage is spent; if left out, those of
            the customer's subscriptions as they are now.
        subscription: whose metered prices count instead, and whose billing periods for
            that window.
        timezone: IANA name of the zone of days and months; UTC if left out.
        id: of your own, used once; one is made if left out.
        metadata: pairs of your own.
    """

    customer: CustomerId
    amount: CreditAmountParams
    window: LimitWindowName = "month"
    warn_at: Percentages = WARN_AT
    prices: (
        Annotated[Sequence[Id], Meta(min_length=1, max_length=PRICES_MAX)] | None
    ) = None
    subscription: Id | None = None
    timezone: ZoneName | None = None
    id: Name | None = None
    metadata: Metadata | UnsetType | None = UNSET


class SpendLimitUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a spend limit is changed.

    Attributes:
        amount: how much may be spent in each window, this one too; in the same
            currency.
        warn_at: percentages of the amount at which an event warns.
        metadata: pairs of your own; an empty value removes its key.
    """

    amount: CreditAmountParams | None = None
    warn_at: Percentages | None = None
    metadata: Metadata | UnsetType | None = UNSET


class SpendLimitList(PageRequest, frozen=True, kw_only=True):
    """Which spend limits are listed.

    Attributes:
        customer: only those of this customer.
    """

    customer: CustomerId | None = None
