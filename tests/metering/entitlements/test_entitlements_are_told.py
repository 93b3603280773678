"""Each change of what a customer has is told once, in order, whenever somebody looks."""

from datetime import UTC, datetime, timedelta

import metering
from metering.bodies import body_of
from tests.conftest import Connect
from tests.metering.entitlements.usual_features import attach
from tests.metering.subscriptions.usual_subscriptions import licensed_price, subscribe

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
FEBRUARY_END = datetime(2026, 2, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)
UPDATED = "entitlements.active_entitlement_summary.updated"


def told(m: metering.Metering) -> list[tuple[str, list[str], list[str]]]:
    """Whose features changed: the lookup keys of these, and of those before."""
    found = []
    for event in list(m.events.list(type=UPDATED, limit=100))[::-1]:
        summary, before = event.data.object, event.data.previous_attributes
        assert isinstance(summary, metering.ActiveEntitlementSummary)
        assert before is not None
        has, had = summary.entitlements.data, before["entitlements"]["data"]
        assert list(before["entitlements"]) == ["data"]
        found.append(
            (
                summary.customer,
                [each.lookup_key for each in has],
                [each.lookup_key for each in had],
            )
        )
    return found


def test_what_facts_and_time_change_is_told_once_by_whoever_looks(
    connect: Connect,
) -> None:
    clock = metering.FixedClock(START)
    m, other = connect(clock=clock), connect(clock=clock)
    price = licensed_price(m)
    attach(m, price, "sso")
    made = subscribe(m, price)
    m.deliver()
    attach(m, price, "audit")
    m.deliver()
    other.deliver()
    assert told(m) == [("cus_1", ["sso"], [])]

    clock.set(FEBRUARY_END + DAY)
    other.deliver()
    m.subscriptions.update(made.id, cancel_at=clock.now() + DAY)
    m.deliver()
    clock.advance(9 * DAY)
    m.deliver()
    other.deliver()

    assert told(m) == [
        ("cus_1", ["sso"], []),
        ("cus_1", ["audit", "sso"], ["sso"]),
        ("cus_1", [], ["audit", "sso"]),
    ]
    assert m.verify().ok


def test_nobody_who_looks_late_misses_what_was_between(connect: Connect) -> None:
    clock = metering.FixedClock(START)
    m = connect(clock=clock)
    price = licensed_price(m)
    attach(m, price, "sso")
    first = subscribe(m, price)
    clock.advance(DAY)
    m.subscriptions.cancel(first.id)
    clock.advance(DAY)
    subscribe(m, price)

    m.deliver()

    assert told(m) == [
        ("cus_1", ["sso"], []),
        ("cus_1", [], ["sso"]),
        ("cus_1", ["sso"], []),
    ]


def test_a_change_at_the_instant_of_the_last_one_told_is_told(connect: Connect) -> None:
    m = connect(clock=metering.FixedClock(START))
    price = licensed_price(m)
    attach(m, price, "sso")
    made = subscribe(m, price)
    m.deliver()

    m.subscriptions.cancel(made.id)
    m.deliver()

    assert told(m) == [("cus_1", ["sso"], []), ("cus_1", [], ["sso"])]


def test_a_summary_holds_ten_and_says_that_there_are_more() -> None:
    with metering.connect(":memory:", clock=metering.FixedClock(START)) as m:
        price = licensed_price(m)
        for number in range(11):
            attach(m, price, f"key_{number:02}")
        subscribe(m, price)
        m.deliver()
        [event] = m.events.list(type=UPDATED)

        body = body_of(event)["data"]

    entitlements = body["object"]["entitlements"]
    assert entitlements["has_more"]
    assert entitlements["url"] == "/v1/customer/cus_1/entitlements"
    assert [each["lookup_key"] for each in entitlements["data"]] == [
        f"key_{number:02}" for number in range(10, 0, -1)
    ]
    assert body["previous_attributes"] == {"entitlements": {"data": []}}
