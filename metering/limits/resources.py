"""Spend limits as callers get them back."""

from datetime import datetime
from typing import Literal

from metering.bodies import ResourceObject
from metering.credits.resources import CreditAmount
from metering.limits.requests import LimitWindowName


class SpendLimit(ResourceObject, frozen=True, kw_only=True):
    """How much a customer may spend in a window, and what of it is spent in this one.

    Attributes:
        amount: how much may be spent in each window.
        amount_held: kept by open holds that were made in this window.
        amount_left: what may still be spent in this window.
        amount_spent: what usage in this window costs, and what holds that were made in
            it drew.
        prices: ids of the prices by which usage costs something, as they were when the
            limit was made; empty where holds alone count.
        subscription: whose billing periods are the windows; None where others are.
        timezone: IANA name of the zone whose days or months count; None where those of
            no zone do.
        warn_at: percentages of `amount`, ascending.
        window_start: of this window; None where it is all time.
        window_end: exclusive.
    """

    id: str
    object: Literal["metering.spend_limit"] = "metering.spend_limit"
    amount: CreditAmount
    amount_held: CreditAmount
    amount_left: CreditAmount
    amount_spent: CreditAmount
    created: datetime
    customer: str
    livemode: bool
    metadata: dict[str, str]
    prices: tuple[str, ...]
    status: Literal["active", "canceled"]
    subscription: str | None
    timezone: str | None
    warn_at: tuple[int, ...]
    window: LimitWindowName
    window_end: datetime | None
    window_start: datetime | None


class SpendLimitWarning(ResourceObject, frozen=True, kw_only=True):
    """What a customer's usage costs reached a percentage of a spend limit.

    Attributes:
        amount: of the limit.
        amount_spent: what usage in the window cost with the event that reached it.
        event_position: of that event in the log.
        percentage: of `amount` that was reached.
        spend_limit: id of the limit.
        timestamp: when the event happened.
        window_start: of the window that it lies in; None where it is all time.
    """

    object: Literal["metering.spend_limit_warning"] = "metering.spend_limit_warning"
    amount: CreditAmount
    amount_spent: CreditAmount
    created: datetime
    customer: str
    event_position: int
    livemode: bool
    percentage: int
    spend_limit: str
    timestamp: datetime
    window: LimitWindowName
    window_start: datetime | None
