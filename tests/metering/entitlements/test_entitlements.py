"""Who has which feature: by its subscriptions, now and to come."""

from datetime import UTC, datetime, timedelta

import pytest

import metering
from tests.conftest import Connect
from tests.metering.entitlements.usual_features import attach, keys
from tests.metering.subscriptions.usual_subscriptions import licensed_price, subscribe

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
FEBRUARY_END = datetime(2026, 2, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_new_subscription_sees_what_hangs_there_and_others_with_their_next_period(
    connect: Connect,
) -> None:
    clock = metering.FixedClock(START)
    m = connect(clock=clock)
    price = licensed_price(m)
    attach(m, price, "sso")
    subscribe(m, price)
    late = attach(m, price, "audit")
    clock.advance(DAY)
    subscribe(m, price, customer="cus_2")

    assert keys(m) == ["sso"]
    assert keys(m, "cus_2") == ["audit", "sso"]
    to_come = m.entitlements.check(customer="cus_1", feature="audit")
    assert (to_come.entitled, to_come.until) == (False, FEBRUARY_END)

    clock.set(FEBRUARY_END)
    assert keys(m) == ["audit", "sso"]
    clock.advance(timedelta(microseconds=1))
    m.entitlements.product_features.delete(price.product, late.id)

    assert keys(m) == ["audit", "sso"]
    ending = m.entitlements.check(customer="cus_2", feature="audit")
    assert (ending.entitled, ending.until) == (True, START + 29 * DAY)
    clock.set(START + 29 * DAY)
    assert (keys(m), keys(m, "cus_2")) == (["audit", "sso"], ["sso"])


def test_of_facts_at_one_instant_the_order_of_the_log_counts(connect: Connect) -> None:
    m = connect(clock=metering.FixedClock(START))
    basic, pro = licensed_price(m), licensed_price(m)
    other = licensed_price(m, product=pro.product)
    made = subscribe(m, basic)
    m.subscription_items.create(subscription=made.id, price=pro.id)
    attach(m, pro)

    assert keys(m) == []

    m.subscription_items.update(made.items.data[0].id, price=other.id)

    assert keys(m) == ["sso"]


def test_a_store_that_entitles_at_once_lets_subscriptions_see_a_change_at_once() -> (
    None
):
    clock = metering.FixedClock(START)
    with metering.connect(":memory:", clock=clock, entitle_at_once=True) as m:
        price = licensed_price(m)
        subscribe(m, price)
        hung = attach(m, price)

        assert keys(m) == ["sso"]

        clock.advance(DAY)
        m.entitlements.product_features.delete(price.product, hung.id)

        assert keys(m) == []


def test_the_environment_says_whether_a_store_entitles_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("METERING_ENTITLE_AT_ONCE", "1")

    with metering.connect(":memory:", clock=metering.FixedClock(START)) as m:
        price = licensed_price(m)
        subscribe(m, price)
        attach(m, price)

        assert keys(m) == ["sso"]


def test_trialing_and_active_entitle_and_paused_and_canceled_do_not(
    connect: Connect,
) -> None:
    clock = metering.FixedClock(START)
    m = connect(clock=clock)
    price = licensed_price(m)
    attach(m, price)
    made = subscribe(m, price, trial_period_days=3)
    assert (made.status, keys(m)) == ("trialing", ["sso"])

    clock.advance(4 * DAY)
    assert keys(m) == ["sso"]
    m.subscriptions.pause(made.id)
    assert keys(m) == []
    m.subscriptions.resume(made.id)
    assert keys(m) == ["sso"]
    m.subscriptions.update(made.id, cancel_at=clock.now() + DAY)
    ending = m.entitlements.check(customer="cus_1", feature="sso")
    assert (ending.entitled, ending.until) == (True, clock.now() + DAY)
    clock.advance(DAY)
    assert keys(m) == []


def test_one_feature_of_two_products_is_one_entitlement_and_lasts_with_either(
    connect: Connect,
) -> None:
    m = connect(clock=metering.FixedClock(START))
    basic, pro = licensed_price(m), licensed_price(m)
    made = attach(m, basic).entitlement_feature.id
    m.entitlements.product_features.create(pro.product, entitlement_feature=made)
    first, _ = subscribe(m, basic), subscribe(m, pro)
    [before] = m.entitlements.active_entitlements.list("cus_1")

    m.subscriptions.cancel(first.id)

    [after] = m.entitlements.active_entitlements.list("cus_1")
    assert after == before
    assert m.entitlements.active_entitlements.retrieve(before.id) == before


def test_what_is_archived_stays_and_its_lookup_key_finds_it_beside_another(
    connect: Connect,
) -> None:
    m = connect(clock=metering.FixedClock(START))
    price, other = licensed_price(m), licensed_price(m)
    old = attach(m, price).entitlement_feature.id
    subscribe(m, price)
    m.entitlements.features.update(old, active=False)
    new = attach(m, other).entitlement_feature.id

    found = m.entitlements.check(customer="cus_1", feature="sso")

    assert (found.entitled, found.feature) == (True, old)
    assert not m.entitlements.check(customer="cus_1", feature=new).entitled
    nobody = m.entitlements.check(customer="cus_2", feature="sso")
    assert (nobody.entitled, nobody.feature) == (False, new)


def test_what_another_connection_changes_is_seen_by_the_next_check(
    connect: Connect,
) -> None:
    clock = metering.FixedClock(START)
    one, two = connect(clock=clock), connect(clock=clock)
    price = licensed_price(one)
    attach(one, price)

    def has(m: metering.Metering, customer: str = "cus_1") -> bool:
        return m.entitlements.check(customer=customer, feature="sso").entitled

    assert not has(one)
    made = subscribe(two, price)
    assert has(one)
    assert not has(one, "cus_2")
    two.subscriptions.pause(made.id)
    assert not has(one)
    subscribe(two, price, customer="cus_2")
    assert has(one, "cus_2")


def test_entitlements_are_paged(connect: Connect) -> None:
    m = connect(clock=metering.FixedClock(START))
    price = licensed_price(m)
    for number in range(5):
        attach(m, price, f"key_{number}")
    subscribe(m, price)

    page = m.entitlements.active_entitlements.list("cus_1", limit=2)

    assert [each.lookup_key for each in page] == ["key_4", "key_3"]
    assert keys(m) == ["key_4", "key_3", "key_2", "key_1", "key_0"]
    before = m.entitlements.active_entitlements.list(
        "cus_1", limit=2, ending_before=page.next_page()[-1].id
    )
    assert [each.lookup_key for each in before] == ["key_3", "key_2"]
