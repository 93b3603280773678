"""Subscriptions and their items as resources, as they are at an instant."""

from collections.abc import Mapping
from urllib.parse import quote

from ledger.facts.subscriptions import BillingMode
from metering.arguments.clock import at_microseconds, at_or_none
from metering.prices.resources import Price
from metering.prices.shown import price_resource
from metering.subscriptions.resources import (
    CancellationDetails,
    FlexibleBilling,
    ItemPriceSince,
    Plan,
    Subscription,
    SubscriptionBillingMode,
    SubscriptionItem,
    SubscriptionItemsOf,
)
from projections.kernels.prices import PriceDefinition
from projections.kernels.subscriptions.definitions import (
    ItemDefinition,
    SubscriptionDefinition,
)
from projections.kernels.subscriptions.schedule import current_period, status_at

PricesById = Mapping[str, PriceDefinition]
"""Prices by id: those of all items that are shown."""


def subscription_resource(
    subscription: SubscriptionDefinition,
    prices: PricesById,
    instant: int,
    *,
    livemode: bool,
) -> Subscription:
    """Return a subscription as a resource.

    Args:
        subscription: after its last change until the instant.
        prices: of its items.
        instant: microseconds since 1970 UTC.
        livemode: what the resource says of itself.
    """
    ends_at, canceled_at = subscription.ends_at, subscription.canceled_at
    items = tuple(
        item_resource(subscription, each, prices, instant, livemode=livemode)
        for each in subscription.items_at(instant)
    )
    return Subscription(
        id=subscription.subscription_id,
        billing_cycle_anchor=at_microseconds(subscription.anchor),
        billing_mode=_billing_mode(subscription.billing_mode),
        cancel_at=at_or_none(subscription.cancel_at),
        cancel_at_period_end=subscription.cancel_at_period_end,
        canceled_at=at_or_none(canceled_at),
        cancellation_details=CancellationDetails(
            comment=subscription.cancellation.comment,
            feedback=subscription.cancellation.feedback,
            reason=None if canceled_at is None else "cancellation_requested",
        ),
        collection_method=subscription.collection_method.value,
        created=at_microseconds(subscription.created),
        currency=subscription.currency,
        customer=subscription.customer,
        days_until_due=subscription.days_until_due,
        description=subscription.description,
        ended_at=at_or_none(ends_at) if subscription.is_ended(instant) else None,
        items=SubscriptionItemsOf(
            data=items,
            total_count=len(items),
            url="/v1/subscription_items?subscription="
            + quote(subscription.subscription_id),
        ),
        livemode=livemode,
        metadata=dict(subscription.metadata),
        start_date=at_microseconds(subscription.start),
        status=status_at(subscription, instant).value,
        trial_end=at_or_none(subscription.trial_end),
        trial_start=at_or_none(subscription.trial_start),
    )


def item_resource(
    subscription: SubscriptionDefinition,
    item: ItemDefinition,
    prices: PricesById,
    instant: int,
    *,
    livemode: bool,
) -> SubscriptionItem:
    """Return an item as a resource; see `subscription_resource`."""
    price = price_resource(prices[item.price.price_id], livemode=livemode)
    period = current_period(subscription, item, instant)
    return SubscriptionItem(
        id=item.item_id,
        created=at_microseconds(item.created),
        current_period_end=at_microseconds(period.end),
        current_period_start=at_microseconds(period.start),
        ended_at=at_or_none(item.ended),
        metadata=dict(item.metadata),
        plan=_plan(price),
        price=price,
        price_history=tuple(
            ItemPriceSince(
                price=each.price_id,
                quantity=each.quantity,
                since=at_microseconds(each.since),
            )
            for each in item.prices
        ),
        quantity=item.price.quantity,
        subscription=subscription.subscription_id,
    )


def _plan(price: Price) -> Plan:
    terms = price.recurring
    assert terms is not None, "an item is billed again and again"
    return Plan(
        id=price.id,
        active=price.active,
        amount=price.unit_amount,
        amount_decimal=price.unit_amount_decimal,
        billing_scheme=price.billing_scheme,
        created=price.created,
        currency=price.currency,
        interval=terms.interval,
        interval_count=terms.interval_count,
        livemode=price.livemode,
        metadata=price.metadata,
        meter=terms.meter,
        nickname=price.nickname,
        product=price.product,
        tiers_mode=price.tiers_mode,
        transform_usage=price.transform_quantity,
        trial_period_days=terms.trial_period_days,
        usage_type=terms.usage_type,
    )


def _billing_mode(mode: BillingMode) -> SubscriptionBillingMode:
    is_flexible = mode is BillingMode.FLEXIBLE
    return SubscriptionBillingMode(
        flexible=FlexibleBilling() if is_flexible else None, type=mode.value
    )
