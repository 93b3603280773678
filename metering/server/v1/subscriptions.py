"""Routes of subscriptions and their items.

A subscription is created for a customer that there is, as at Stripe; the library takes
any string.
Source: https://docs.stripe.com/api/subscriptions and https://docs.stripe.com/api/subscription_items
"""

from collections.abc import Callable
from typing import Any

from metering.connection import Metering
from metering.errors import ResourceMissingError
from metering.server.v1.created import listing_by_creation
from metering.server.v1.resources import ResourceRoutes
from metering.subscriptions.item_requests import (
    SubscriptionItemCreate,
    SubscriptionItemDelete,
    SubscriptionItemList,
    SubscriptionItemUpdate,
)
from metering.subscriptions.requests import (
    SubscriptionCancel,
    SubscriptionCreate,
    SubscriptionList,
    SubscriptionPause,
    SubscriptionResume,
    SubscriptionUpdate,
)
from metering.subscriptions.resources import Subscription

# Clients ask for what comes of a payment; where there is none, it stays null.
_OF_PAYMENTS = {
    "default_payment_method": "payment method",
    "latest_invoice": "invoice",
    "latest_invoice.confirmation_secret": "secret",
    "latest_invoice.payment_intent": "payment intent",
    "pending_setup_intent": "setup intent",
}
_SUBSCRIPTIONS = ResourceRoutes(
    path="/v1/subscriptions",
    retrieve=lambda m: m.subscriptions.retrieve,
    expansions={
        "customer": "customer",
        "items.data.price.currency_options": "part of a price",
        "items.data.price.product": "product",
        "items.data.price.tiers": "part of a price",
        "test_clock": "test_clock",
        **_OF_PAYMENTS,
    },
)
_ITEMS = ResourceRoutes(
    path="/v1/subscription_items",
    retrieve=lambda m: m.subscription_items.retrieve,
    expansions={
        "price.currency_options": "part of a price",
        "price.product": "product",
        "price.tiers": "part of a price",
    },
)


def _creating(m: Metering) -> Callable[..., Subscription]:
    def create(customer: str, **given: Any) -> Subscription:
        try:
            m.customers.retrieve(customer)
        except ResourceMissingError as missing:
            raise ResourceMissingError(
                "customer", customer, param="customer"
            ) from missing
        return m.subscriptions.create(customer=customer, **given)

    return create


ROUTES = (
    _SUBSCRIPTIONS.creates(
        "Create a subscription, which is active at once or on trial.",
        _creating,
        takes=SubscriptionCreate,
    ),
    _SUBSCRIPTIONS.retrieves("Retrieve a subscription."),
    _SUBSCRIPTIONS.changes(
        "Change a subscription from now on.",
        lambda m: m.subscriptions.update,
        takes=SubscriptionUpdate,
    ),
    _SUBSCRIPTIONS.lists(
        "List subscriptions, those that have not ended if no status is given.",
        listing_by_creation(lambda m: m.subscriptions.list),
        SubscriptionList,
    ),
    _SUBSCRIPTIONS.ends(
        "End a subscription now.",
        lambda m: m.subscriptions.cancel,
        takes=SubscriptionCancel,
    ),
    _SUBSCRIPTIONS.changes(
        "Bill nothing of a subscription until it is resumed.",
        lambda m: m.subscriptions.pause,
        verb="pause",
        takes=SubscriptionPause,
    ),
    _SUBSCRIPTIONS.changes(
        "Bill a paused subscription from now on.",
        lambda m: m.subscriptions.resume,
        verb="resume",
        takes=SubscriptionResume,
    ),
    _ITEMS.creates(
        "Add an item to a subscription.",
        lambda m: m.subscription_items.create,
        takes=SubscriptionItemCreate,
    ),
    _ITEMS.retrieves("Retrieve an item of a subscription."),
    _ITEMS.changes(
        "Change an item from now on; what it cost until now stays known.",
        lambda m: m.subscription_items.update,
        takes=SubscriptionItemUpdate,
    ),
    _ITEMS.lists(
        "List the items of a subscription.",
        lambda m: m.subscription_items.list,
        SubscriptionItemList,
    ),
    _ITEMS.deletes(
        "End an item now.",
        "subscription_item",
        lambda m: m.subscription_items.delete,
        takes=SubscriptionItemDelete,
    ),
)
