"""Requests about alerts, and the objects that callers pass in them.

Source: https://docs.stripe.com/api/billing/alert/create
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from msgspec import Meta

from metering.alerts.resources import AlertTypeName, RecurrenceName
from metering.arguments.currencies import Currency
from metering.arguments.pages import PageLimit, PageRequest
from metering.arguments.strings import CustomerId, Id
from metering.arguments.zones import ZoneName
from metering.usage.requests import LogPosition

GTE_MAX = 999_999_999_999_999_999
ALLOWANCES_MAX = 10_000
PRICES_MAX = 20
LONGEST_TITLE = 256

AllowedQuantity = Annotated[Decimal, Meta(ge=0, le=GTE_MAX)]
"""More than none, with up to 12 decimal places."""


class AlertFilterParams(TypedDict):
    """The one customer whose usage or credits are watched.

    Attributes:
        customer: only this one; each customer if left out.
    """

    type: Literal["customer"]
    customer: CustomerId


AlertFilters = Annotated[Sequence[AlertFilterParams], Meta(max_length=1)]


class PercentOfParams(TypedDict):
    """How much customers may use, of which a threshold is a percentage.

    Attributes:
        quantity: of each customer that is not named; none of them is watched if left
            out.
        customers: of those that are named, by customer.
    """

    quantity: NotRequired[AllowedQuantity | None]
    customers: NotRequired[
        Annotated[Mapping[CustomerId, AllowedQuantity], Meta(max_length=ALLOWANCES_MAX)]
        | None
    ]


class UsageThresholdParams(TypedDict):
    """Usage that is reached; see `Alerts.create`.

    Attributes:
        gte: usage of this much or more; with percent_of, so many percent.
        meter: id of the meter that measures the usage.
        recurrence: which usage counts: all of it, or that since the start of the month
            or day.
        filters: the customer that is watched; each if left out.
        timezone: IANA name of the zone of months and days; UTC if left out.
        percent_of: how much customers may use, of which gte is a percentage.
    """

    gte: Annotated[int, Meta(ge=1, le=GTE_MAX)]
    meter: Id
    recurrence: RecurrenceName
    filters: NotRequired[AlertFilters | None]
    timezone: NotRequired[ZoneName | None]
    percent_of: NotRequired[PercentOfParams | None]


class SpendThresholdParams(TypedDict):
    """What usage costs; see `Alerts.create`.

    Attributes:
        gte: usage that costs this much or more, in minor units.
        currency: ISO 4217 code, such as usd.
        prices: ids of the metered prices that it is rated by.
        subscription: whose metered prices, customer and billing periods count; instead
            of all that follows and of prices.
        recurrence: which usage counts: that since the start of the month or day, or all
            of it; calendar_month if left out.
        filters: the customer that is watched; each if left out.
        timezone: IANA name of the zone of months and days; UTC if left out.
    """

    gte: Annotated[int, Meta(ge=1, le=GTE_MAX)]
    currency: Currency
    prices: NotRequired[
        Annotated[Sequence[Id], Meta(min_length=1, max_length=PRICES_MAX)] | None
    ]
    subscription: NotRequired[Id | None]
    recurrence: NotRequired[RecurrenceName | None]
    filters: NotRequired[AlertFilters | None]
    timezone: NotRequired[ZoneName | None]


class MoneyLeftParams(TypedDict):
    """Available credits in minor units of a currency.

    Attributes:
        currency: ISO 4217 code of the credits, such as usd.
        value: available credits of this much or less, in minor units.
    """

    currency: Currency
    value: Annotated[int, Meta(ge=0, le=GTE_MAX)]


class CreditBalanceLimitParams(TypedDict):
    """What credits fall to."""

    balance_type: Literal["monetary"]
    monetary: MoneyLeftParams


class CreditBalanceThresholdParams(TypedDict):
    """Credits that are fallen to; see `Alerts.create`.

    Attributes:
        filters: the customer that is watched; each if left out.
        include_unbilled_usage: whether what is watched is what unbilled usage leaves.
    """

    lte: CreditBalanceLimitParams
    filters: NotRequired[AlertFilters | None]
    include_unbilled_usage: NotRequired[bool | None]


class AlertCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert is created with.

    Attributes:
        alert_type: which of the thresholds is given.
        title: for people.
        usage_threshold: usage that triggers it.
        spend_threshold: what usage costs, which triggers it.
        credit_balance_threshold: credits that trigger it.
    """

    alert_type: AlertTypeName = "usage_threshold"
    title: Annotated[str, Meta(min_length=1, max_length=LONGEST_TITLE)]
    usage_threshold: UsageThresholdParams | None = None
    spend_threshold: SpendThresholdParams | None = None
    credit_balance_threshold: CreditBalanceThresholdParams | None = None


class AlertList(PageRequest, frozen=True, kw_only=True):
    """Which alerts are listed.

    Attributes:
        alert_type: only those of this type.
        meter: only those on this meter.
    """

    alert_type: AlertTypeName | None = None
    meter: Id | None = None


class TriggerList(msgspec.Struct, frozen=True, kw_only=True):
    """Which triggers are listed.

    Attributes:
        limit: how many; None is all.
        starting_after: position of the trigger before the first one.
        ending_before: position of the trigger behind the last one.
    """

    limit: PageLimit | None = None
    starting_after: LogPosition | None = None
    ending_before: LogPosition | None = None
