"""Events of customers and subscriptions: each with what it is about, as it was then."""

from datetime import timedelta

import metering
from metering.webhooks.event_rules import EVENT_TYPES
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


def test_what_time_ends_is_told_once(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    made = subscribe(m, trial_period_days=2, cancel_at=NOW + 5 * DAY)
    subscribe(m, trial_period_days=2, cancel_at=NOW + 5 * DAY, customer="cus_2")
    for _ in range(2):
        m.deliver()
        clock.set(NOW + 2 * DAY)
    m.deliver()
    [_, trial_over] = m.events.list("customer.subscription.updated")
    for days in (4, 5, 6):
        clock.set(NOW + days * DAY)
        m.deliver()
    m.rebuild()
    m.deliver()

    [_, ended] = m.events.list("customer.subscription.deleted")

    assert isinstance(trial_over.data.object, metering.Subscription)
    assert (trial_over.data.object.id, trial_over.data.object.status) == (
        made.id,
        "active",
    )
    before = trial_over.data.previous_attributes or {}
    assert (sorted(before), before["status"]) == (["items", "status"], "trialing")
    assert isinstance(ended.data.object, metering.Subscription)
    assert (ended.data.object.status, ended.data.object.ended_at) == (
        "canceled",
        NOW + 5 * DAY,
    )
    assert len(m.events.list("customer.subscription.updated")) == 2
    assert m.verify().ok


def test_an_end_that_was_asked_for_is_told_by_its_change(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    made = subscribe(m, trial_period_days=2)
    clock.set(NOW + DAY)
    m.subscriptions.update(made.id, trial_end="now")
    m.subscriptions.cancel(made.id)
    position = m.position

    clock.set(NOW + 9 * DAY)
    m.deliver()

    assert m.position == position


def test_ends_that_nobody_noticed_in_time_are_told_in_order(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    made = subscribe(m, trial_period_days=2, cancel_at=NOW + 5 * DAY)
    clock.set(NOW + 50 * DAY)

    m.deliver()

    told = m.events.list(limit=2)[::-1]
    assert [each.type for each in told] == [
        "customer.subscription.updated",
        "customer.subscription.deleted",
    ]
    states = [
        each.data.object.status
        for each in told
        if isinstance(each.data.object, metering.Subscription)
    ]
    assert states == ["active", "canceled"]
    assert m.subscriptions.retrieve(made.id).status == "canceled"


def test_events_are_the_same_page_by_page_from_both_ends_and_one_by_one(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    tokens, seats = metered_price(m), licensed_price(m)
    made = subscribe(m, tokens, seats)
    for number in range(4):
        m.prices.update(seats.id, nickname=f"nickname {number}")
        m.subscriptions.update(made.id, metadata={"a": f"{number}"})
    [first] = m.events.list("customer.subscription.created")

    newest_first = list(m.events.list(limit=8))
    oldest_first = list(m.events.list(limit=8, ending_before=first.id))

    shown = [
        (each.data.object.metadata, each.data.object.items.data[1].price.nickname)
        for each in newest_first
        if isinstance(each.data.object, metering.Subscription)
    ]
    assert shown == [
        ({"a": "3"}, "nickname 3"),
        ({"a": "2"}, "nickname 2"),
        ({"a": "1"}, "nickname 1"),
        ({"a": "0"}, "nickname 0"),
    ]
    assert oldest_first == newest_first
    assert [m.events.retrieve(each.id) for each in newest_first] == newest_first
