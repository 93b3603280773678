"""Subscriptions as they are found, and as they are shown."""

from collections.abc import Sequence

from ledger.appending.writing import Writing
from ledger.entries import Head
from metering.arguments.ids import found_by_id
from metering.errors import ResourceMissingError
from metering.store.customer_time import with_clock
from metering.store.engine import Engine
from metering.subscriptions.resources import Subscription
from metering.subscriptions.shown import subscription_resource
from projections.kernels.subscriptions.definitions import SubscriptionDefinition
from projections.prices.queries import PriceQueries
from projections.subscriptions.queries import SubscriptionQueries


def subscription_of(
    seen: SubscriptionQueries, subscription_id: object, param: str = "id"
) -> SubscriptionDefinition:
    """Return a subscription by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.subscription, subscription_id, "subscription", param)


def living_subscription(
    engine: Engine, writing: Writing, subscription_id: object, param: str = "id"
) -> SubscriptionDefinition:
    """Return a subscription that has not ended, or refuse the parameter that holds its id.

    The write transaction goes by the test clock of its customer, if it has one.
    """
    seen = SubscriptionQueries(writing.connection)
    found = subscription_of(seen, subscription_id, param)
    engine.follow(writing, found.customer)
    if found.is_ended(writing.now):
        raise ResourceMissingError("subscription", subscription_id, param=param)
    return found


def shown_subscriptions(
    engine: Engine,
    seen: SubscriptionQueries,
    found: Sequence[SubscriptionDefinition],
    now: int,
    head: Head,
) -> list[Subscription]:
    """Return subscriptions as resources, as they are at the present instant."""
    ids = {item.price.price_id for each in found for item in each.items_at(now)}
    prices = PriceQueries(seen.connection).prices_used(ids)
    livemode = engine.settings.livemode
    clocked = engine.clocked(seen, head)
    return [
        with_clock(
            clocked,
            subscription_resource(each, prices, now, livemode=livemode),
            each.customer,
        )
        for each in found
    ]
