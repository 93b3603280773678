"""Events of customers and subscriptions: each with what it is about, as it was then."""

from datetime import timedelta

import metering
from metering.webhooks.snapshots import EVENT_TYPES
from tests.conftest import Connect
from tests.metering.subscriptions.usual_subscriptions import (
    licensed_price,
    metered_price,
    subscribe,
)
from tests.metering.usual_usage import NOW

DAY = timedelta(days=1)


def test_every_change_has_an_event_with_what_was_before(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    tokens, seats = metered_price(m), licensed_price(m)
    before = len(m.events.list(limit=100))
    customer = m.customers.create(name="A")
    m.customers.update(customer.id, name="B")
    made = subscribe(m, tokens, customer=customer.id)
    clock.advance(DAY)
    m.subscriptions.update(made.id, metadata={"a": "1"}, cancel_at_period_end=True)
    item = m.subscription_items.create(subscription=made.id, price=seats.id)
    m.subscription_items.update(item.id, quantity=2)
    m.subscriptions.pause(made.id)
    clock.advance(DAY)
    m.subscriptions.resume(made.id)
    clock.advance(DAY)
    m.customers.delete(customer.id)

    told = m.events.list(limit=100)[::-1][before:]

    kept = [(each.type, sorted(each.data.previous_attributes or {})) for each in told]
    assert kept == [
        ("customer.created", []),
        ("customer.updated", ["name"]),
        ("customer.subscription.created", []),
        (
            "customer.subscription.updated",
            [
                "cancel_at",
                "cancel_at_period_end",
                "canceled_at",
                "cancellation_details",
                "metadata",
            ],
        ),
        ("customer.subscription.updated", ["items"]),
        ("customer.subscription.updated", ["items"]),
        ("customer.subscription.paused", ["items", "status"]),
        (
            "customer.subscription.resumed",
            ["billing_cycle_anchor", "items", "status"],
        ),
        ("customer.subscription.deleted", []),
        ("customer.deleted", []),
    ]
    of_customers = {each for each in EVENT_TYPES if each.startswith("customer.")}
    assert {each.type for each in told} == of_customers
    states = [
        (each.data.object.status, len(each.data.object.items.data))
        for each in told
        if isinstance(each.data.object, metering.Subscription)
    ]
    assert states == [
        ("active", 1),
        ("active", 1),
        ("active", 2),
        ("active", 2),
        ("paused", 2),
        ("active", 2),
        ("canceled", 2),
    ]
    names = [
        each.data.object.name
        for each in told
        if isinstance(each.data.object, metering.Customer)
    ]
    assert names == ["A", "B", "B"]
    assert told[2].data.object == made
    assert m.events.retrieve(told[3].id) == told[3]
    for kind in of_customers:
        assert m.events.list(kind)[::-1] == [each for each in told if each.type == kind]


def test_what_time_did_is_no_part_of_a_change(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    made = subscribe(m, trial_period_days=1)

    clock.set(NOW + 100 * DAY)
    m.subscriptions.update(made.id, metadata={"a": "1"})

    [event] = m.events.list("customer.subscription.updated")
    assert event.data.previous_attributes == {"metadata": {}}
    assert isinstance(event.data.object, metering.Subscription)
    assert event.data.object.status == "active"
