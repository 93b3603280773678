"""Items of subscriptions: their prices, one after another, and the periods of each."""

from datetime import UTC, datetime, timedelta

import metering
from ledger.records.idempotency import Request
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.subscriptions.usual_subscriptions import (
    licensed_price,
    metered_price,
    periods,
    subscribe,
)
from tests.metering.usual_prices import create_price
from tests.metering.usual_usage import NOW, create_meter

DAY = timedelta(days=1)
APRIL = datetime(2026, 4, 1, 12, tzinfo=UTC)


def test_a_price_is_replaced_from_now_on(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    first, second = metered_price(m), metered_price(m)
    [item] = subscribe(m, first).items.data

    clock.advance(timedelta(hours=1, microseconds=7))
    changed = m.subscription_items.update(item.id, price=second.id, metadata={"a": "1"})
    m.rebuild()

    assert m.subscription_items.retrieve(item.id) == changed
    assert (changed.id, changed.price.id) == (item.id, second.id)
    assert changed.price_history == (
        metering.ItemPriceSince(price=first.id, quantity=None, since=NOW),
        metering.ItemPriceSince(price=second.id, quantity=None, since=clock.now()),
    )
    assert (changed.current_period_start, changed.current_period_end) == (NOW, APRIL)
    assert [each.id for each in m.subscriptions.list(price=second.id)] == [
        item.subscription
    ]
    assert list(m.subscriptions.list(price=first.id)) == []
    assert m.verify().ok


def test_another_interval_begins_where_its_price_does(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    subscription = subscribe(m, metered_price(m), licensed_price(m))
    [_, seats] = subscription.items.data
    weekly = licensed_price(m, interval="week")

    clock.advance(DAY)
    m.subscription_items.update(seats.id, price=weekly.id)

    assert periods(m.subscriptions.retrieve(subscription.id)) == [
        (NOW, APRIL),
        (NOW + DAY, NOW + 8 * DAY),
    ]


def test_a_quantity_has_a_history_too(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    [item] = subscribe(m, licensed_price(m)).items.data

    clock.advance(DAY)
    m.subscription_items.update(item.id, quantity=5)
    changed = m.subscriptions.update(
        item.subscription, items=[{"id": item.id, "quantity": 7}]
    )

    [shown] = changed.items.data
    assert [(each.quantity, each.since) for each in shown.price_history] == [
        (1, NOW),
        (5, NOW + DAY),
        (7, NOW + DAY),
    ]


def test_items_come_and_go(connect: Connect, clock: metering.FixedClock) -> None:
    m = connect(clock=clock)
    tokens, seats = metered_price(m), licensed_price(m)
    subscription = subscribe(m, tokens)
    [first] = subscription.items.data

    clock.advance(DAY)
    added = m.subscription_items.create(
        subscription=subscription.id, price=seats.id, quantity=2
    )
    both = list(m.subscription_items.list(subscription.id))
    clock.advance(DAY)
    m.subscription_items.delete(first.id)

    assert (added.current_period_start, added.current_period_end) == (NOW + DAY, APRIL)
    assert [each.id for each in both] == [added.id, first.id]
    assert [each.id for each in m.subscription_items.list(subscription.id)] == [
        added.id
    ]
    gone = m.subscription_items.retrieve(first.id)
    assert (gone.ended_at, gone.current_period_end) == (NOW + 2 * DAY, NOW + 2 * DAY)
    with refused("resource_missing", "id", "No such subscription_item"):
        m.subscription_items.update(first.id, price=tokens.id)
    with refused(None, "items", "must have at least one active plan"):
        m.subscription_items.delete(added.id)
    again = m.subscriptions.update(
        subscription.id,
        items=[{"id": added.id, "deleted": True}, {"price": tokens.id}],
    )
    assert [each.price.id for each in again.items.data] == [tokens.id]
    assert m.verify().ok


def test_a_price_of_something_else_does_not_take_its_place(
    store: metering.Metering,
) -> None:
    other = metered_price(store, meter=create_meter(store, "calls").id)
    [item] = subscribe(store, metered_price(store)).items.data
    euros = create_price(store, currency="eur", recurring={"interval": "month"})
    unused = metered_price(store)
    store.prices.update(unused.id, active=False)
    position = store.position

    for price, words in [
        (other, "is for meter"),
        (licensed_price(store), "is for no meter"),
        (
            euros,
            "only supports `eur`. This doesn't match the expected currency: `usd`.",
        ),
        (unused, "The price specified is inactive."),
        (create_price(store), "set to `type=one_time`"),
    ]:
        position = store.position
        with refused(None, "price", words):
            store.subscription_items.update(item.id, price=price.id)
        assert store.position == position
    with refused("resource_missing", "price", "No such price: 'price_x'"):
        store.subscription_items.update(item.id, price="price_x")
    with refused(None, "quantity", "Quantity should not be specified"):
        store.subscription_items.update(item.id, quantity=1)


def test_an_item_keeps_a_price_that_is_not_active_any_more(
    store: metering.Metering,
) -> None:
    price = licensed_price(store)
    [item] = subscribe(store, price).items.data
    store.prices.update(price.id, active=False)

    assert store.subscription_items.update(item.id, quantity=9).quantity == 9


def test_an_item_that_a_dead_process_added_is_found(store: metering.Metering) -> None:
    made = subscribe(store)
    seats = licensed_price(store)
    request = Request(
        key_id="key_1",
        idempotency_key="once",
        fingerprint=bytes(32),
        request_id="req_dead",
    )

    with store.internals.requests.on_behalf_of(request):
        item = store.subscription_items.create(subscription=made.id, price=seats.id)

    known = store.internals.requests.find(request)
    assert known is not None
    assert known.resource_id == item.id
