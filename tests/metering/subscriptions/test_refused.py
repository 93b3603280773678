"""Subscriptions that are refused: by their own parameters, and by what is there."""

from datetime import timedelta
from typing import Any

import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.subscriptions.usual_subscriptions import (
    licensed_price,
    metered_price,
    subscribe,
)
from tests.metering.usual_prices import create_price
from tests.metering.usual_usage import NOW

DAY = timedelta(days=1)
PRICE = "price_x"

ALONE: list[tuple[dict[str, Any], str, str]] = [
    ({"customer": ""}, "customer", "must be"),
    ({"items": []}, "items", "0 elements"),
    ({"items": [{"price": PRICE}] * 21}, "items", "21 elements"),
    ({"items": [{"price": PRICE}]}, "items[0][price]", "No such price: 'price_x'"),
    ({"items": [{"prices": PRICE}]}, "items[0][prices]", "unknown parameter"),
    ({"items": [{}]}, "items[0][price]", "Missing required param"),
    ({"currency": "eur"}, "items[0][price]", "only supports `usd`"),
    ({"trial_end": NOW}, "trial_end", "in the future"),
    ({"trial_end": NOW + 2_000 * DAY}, "trial_end", "within five years"),
    ({"trial_end": "soon"}, "trial_end", "soon"),
    ({"trial_period_days": 731}, "trial_period_days", "1 to 730"),
    (
        {"trial_end": NOW + DAY, "trial_period_days": 1},
        "trial_period_days",
        "exclude each other",
    ),
    ({"backdate_start_date": NOW + DAY}, "backdate_start_date", "in the past"),
    ({"billing_cycle_anchor": NOW}, "billing_cycle_anchor", "in the future"),
    (
        {"billing_cycle_anchor": NOW + 32 * DAY},
        "billing_cycle_anchor",
        "cannot be later than next natural billing date (1775044800) for plan.",
    ),
    (
        {"billing_cycle_anchor": NOW + DAY, "trial_period_days": 2},
        "billing_cycle_anchor",
        "at the end of the trial or after it",
    ),
    ({"cancel_at": NOW}, "cancel_at", "in the future"),
    (
        {"cancel_at": NOW + DAY, "cancel_at_period_end": True},
        "cancel_at",
        "exclude each other",
    ),
    ({"days_until_due": 3}, "days_until_due", "send_invoice"),
    ({"collection_method": "post"}, "collection_method", "one of"),
    ({"billing_mode": {"type": "other"}}, "billing_mode[type]", "one of"),
    ({"description": "x" * 501}, "description", "500"),
]


@pytest.mark.parametrize(("given", "param", "words"), ALONE)
def test_a_subscription_that_breaks_a_rule_is_not_recorded(
    store: metering.Metering, given: dict[str, Any], param: str, words: str
) -> None:
    price = metered_price(store)
    position = store.position

    with refused(None, param, words):
        subscribe(store, price, **given)

    assert store.position == position


def test_a_price_that_cannot_be_used_is_refused(store: metering.Metering) -> None:
    metered, unused = metered_price(store), licensed_price(store)
    store.prices.update(unused.id, active=False)
    yearly = licensed_price(store, interval="year")
    create: Any = store.subscriptions.create

    for items, param, words in [
        ([{"price": unused.id}], "items[0][price]", "The price specified is inactive."),
        (
            [{"price": create_price(store).id}],
            "items[0][price]",
            "The price specified is set to `type=one_time`",
        ),
        (
            [{"price": yearly.id}, {"price": metered.id, "quantity": 1}],
            "items[1][quantity]",
            "Quantity should not be specified where usage_type is `metered`.",
        ),
        (
            [{"price": metered.id}, {"price": metered.id}],
            "items",
            "is already using that Price.",
        ),
    ]:
        position = store.position
        with refused(None, param, words):
            create(customer="cus_1", items=items)
        assert store.position == position
    with refused(None, "items", "Found mismatch in interval field."):
        subscribe(store, metered, yearly, billing_mode={"type": "classic"})


def test_a_subscription_has_at_most_twenty_items(store: metering.Metering) -> None:
    prices = [licensed_price(store) for _ in range(21)]
    made = subscribe(store, *prices[:20])

    with refused(None, "items", "21 of them; must be at most 20"):
        store.subscription_items.create(subscription=made.id, price=prices[20].id)


def test_what_is_not_there_is_not_changed(store: metering.Metering) -> None:
    made = subscribe(store)
    items = store.subscription_items
    for call in (
        store.subscriptions.retrieve,
        store.subscriptions.update,
        store.subscriptions.cancel,
        store.subscriptions.pause,
        store.subscriptions.resume,
    ):
        with refused("resource_missing", "id", "No such subscription: 'sub_x'"):
            call("sub_x")
    calls: tuple[Any, ...] = (items.retrieve, items.update, items.delete)
    for call in calls:
        with refused("resource_missing", "id", "No such subscription_item: 'si_x'"):
            call("si_x")
    with refused("resource_missing", "items[0][id]", "No such subscription_item"):
        store.subscriptions.update(made.id, items=[{"id": "si_x", "deleted": True}])
    with refused("parameter_missing", "items[0][price]"):
        store.subscriptions.update(made.id, items=[{"quantity": 1}])
    with refused("resource_missing", "subscription"):
        items.list("sub_x")
    with refused("resource_missing", "subscription"):
        items.create(subscription="sub_x", price=made.items.data[0].price.id)


def test_a_paused_subscription_is_resumed_before_it_begins_anew(
    store: metering.Metering,
) -> None:
    made = subscribe(store)
    store.subscriptions.pause(made.id)

    with refused(None, "billing_cycle_anchor", "resume it first"):
        store.subscriptions.update(made.id, billing_cycle_anchor="now")
    with refused(None, "trial_end", "resume it first"):
        store.subscriptions.update(made.id, trial_end=NOW + DAY)
    with refused(None, "billing_cycle_anchor", "a trial sets it"):
        store.subscriptions.update(
            subscribe(store).id, trial_end=NOW + DAY, billing_cycle_anchor="now"
        )
