"""Requests about single items of subscriptions.

Source: https://docs.stripe.com/api/subscription_items/create and its neighbours.
"""

import msgspec
from msgspec import UNSET, UnsetType

from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.strings import Id
from metering.subscriptions.requests import (
    PaymentBehaviorName,
    ProrationBehaviorName,
    Quantity,
)


class SubscriptionItemCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What an item is created with.

    Attributes:
        subscription: id of the subscription that has it from now on.
        price: id of an active, recurring price.
        quantity: of a licensed price, 1 if left out; a meter says that of a metered one.
        metadata: pairs of your own.
        payment_behavior: changes nothing.
        proration_behavior: changes nothing.
    """

    subscription: Id
    price: Id
    quantity: Quantity | None = None
    metadata: Metadata | UnsetType | None = UNSET
    payment_behavior: PaymentBehaviorName | None = None
    proration_behavior: ProrationBehaviorName | None = None


class SubscriptionItemUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of an item can be changed, from now on.

    Attributes:
        price: id of an active price of the same meter.
        quantity: of a licensed price.
        metadata: pairs that are added or replaced; an empty value removes its key.
        payment_behavior: changes nothing.
        proration_behavior: changes nothing.
    """

    price: Id | None = None
    quantity: Quantity | None = None
    metadata: Metadata | UnsetType | None = UNSET
    payment_behavior: PaymentBehaviorName | None = None
    proration_behavior: ProrationBehaviorName | None = None


class SubscriptionItemDelete(msgspec.Struct, frozen=True, kw_only=True):
    """How an item is ended.

    Attributes:
        clear_usage: changes nothing; usage is kept.
        proration_behavior: changes nothing.
    """

    clear_usage: bool | None = None
    proration_behavior: ProrationBehaviorName | None = None


class SubscriptionItemList(PageRequest, frozen=True, kw_only=True):
    """Which items are listed.

    Attributes:
        subscription: id of the subscription that has them.
    """

    subscription: Id
