"""What a subscription is by the request that creates it."""

from collections.abc import Callable, Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ledger.facts.subscriptions import (
    BillingMode,
    CollectionMethod,
    ItemTerms,
    SubscriptionCreated,
)
from metering.arguments.metadata import merge_metadata
from metering.subscriptions.beginning import beginning_of
from metering.subscriptions.changing import check_days_until_due
from metering.subscriptions.ending import planned_end
from metering.subscriptions.item_terms import (
    ItemParams,
    check_currency,
    check_together,
    new_terms,
    recurring_price,
    terms_of,
)
from metering.subscriptions.requests import SubscriptionCreate
from projections.kernels.prices import PriceDefinition
from projections.kernels.subscriptions.changes import (
    phases_from,
    subscription_created,
)
from projections.prices.queries import PriceQueries


def subscription_asked(
    asked: SubscriptionCreate,
    new_id: Callable[[str], str],
    seen: PriceQueries,
    now: int,
) -> SubscriptionCreated:
    """Return the fact that creates a subscription.

    Args:
        asked: the request.
        new_id: makes the id of a resource, given its prefix.
        seen: the prices.
        now: the present instant.

    Raises:
        ResourceMissingError: there is no such price.
        InvalidRequestError: parameters do not fit each other, or a price cannot be used.
    """
    mode = BillingMode((asked.billing_mode or {"type": "flexible"})["type"])
    method = CollectionMethod(asked.collection_method)
    check_days_until_due(asked.days_until_due, method)
    prices = [
        recurring_price(seen, each["price"], ItemParams.of_list(number))
        for number, each in enumerate(asked.items)
    ]
    currency = asked.currency or prices[0].currency
    items = _items(asked, prices, currency, new_id)
    check_together(items, mode)
    beginning = beginning_of(asked, items, _trial_days(prices), now)
    created = SubscriptionCreated(
        subscription_id=new_id("sub"),
        customer=asked.customer,
        currency=currency,
        billing_mode=mode,
        phases=phases_from(beginning.start, beginning.anchor, beginning.trial_end),
        trial_end=beginning.trial_end,
        cancel_at=None,
        cancel_at_period_end=False,
        collection_method=method,
        days_until_due=asked.days_until_due,
        description=asked.description,
        metadata=merge_metadata({}, asked.metadata or None),
        items=items,
    )
    cancel_at = UNSET if asked.cancel_at is None else asked.cancel_at
    at_end: bool | UnsetType = asked.cancel_at_period_end or UNSET
    endless = subscription_created(created, 0, now)
    ending, is_at_period_end = planned_end(endless, cancel_at, at_end, now)
    return replace(created, cancel_at=ending, cancel_at_period_end=is_at_period_end)


def _items(
    asked: SubscriptionCreate,
    prices: Sequence[PriceDefinition],
    currency: str,
    new_id: Callable[[str], str],
) -> tuple[ItemTerms, ...]:
    items = []
    for number, (given, price) in enumerate(zip(asked.items, prices, strict=True)):
        params = ItemParams.of_list(number)
        check_currency(price, currency, params)
        metadata = merge_metadata({}, given.get("metadata"))
        quantity = given.get("quantity")
        items.append(new_terms(price, new_id("si"), quantity, metadata, params))
    return tuple(items)


def _trial_days(prices: Sequence[PriceDefinition]) -> int | None:
    """Return the longest trial of some prices, in days."""
    days = [terms_of(each).trial_period_days for each in prices]
    return max((each for each in days if each is not None), default=None)
