"""Checks of usage, and usage that is recorded only where credits cover it."""

from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.holds.usual_holds import hold
from tests.metering.refusals import refused
from tests.metering.schedules.usual_schedules import schedule
from tests.metering.spending.usual_spending import (
    FEBRUARY,
    JANUARY,
    burned,
    spend,
    subscribed,
    use,
)
from tests.metering.subscriptions.usual_subscriptions import subscribe
from tests.metering.usual_credits import grant, usd
from tests.metering.usual_prices import TIERS, create_price, metered
from tests.metering.usual_usage import create_event, create_meter


@pytest.fixture
def m(store: metering.Metering, clock: metering.FixedClock) -> metering.Metering:
    """The store at the first of January."""
    clock.set(JANUARY)
    return store


def check(m: metering.Metering, quantity: object = 1, **given: Any) -> Any:
    """Allowed, reason, amount and remaining credits."""
    usual: dict[str, Any] = {"customer": "cus_1", "meter": "tokens"}
    found = m.check(**{**usual, "quantity": quantity, **given})
    return (
        found.allowed,
        found.reason,
        found.amount.monetary.value,
        found.remaining.credits.monetary.value,
    )


def test_a_check_says_what_usage_comes_to_and_what_remains(
    m: metering.Metering,
) -> None:
    price = subscribed(m)
    grant(m, 100)
    use(m, 3)
    hold(m, 20)
    position = m.position

    found = m.check(customer="cus_1", meter="tokens", quantity="2.5")

    assert price.recurring
    assert found == metering.Check(
        allowed=True,
        reason=None,
        customer="cus_1",
        meter=str(price.recurring.meter),
        quantity=Decimal("2.5"),
        amount=usd(25),
        remaining=metering.CheckRemaining(credits=usd(50)),
        position=position,
        livemode=False,
    )
    assert check(m, 5) == (True, None, 50, 50)
    assert check(m, "5.1") == (False, "insufficient_credits", 51, 50)
    assert m.position == position


def test_usage_is_rated_by_what_is_used_of_its_tiers(m: metering.Metering) -> None:
    subscribed(m, tiers=TIERS)
    grant(m, 20_000)
    use(m, 999)

    assert check(m, 1) == (True, None, 10, 10_010)
    assert check(m, 2) == (True, None, 10 + 105, 10_010)
    assert check(m, 2_000) == (False, "insufficient_credits", 10 + 100 + 9_995, 10_010)


def test_usage_that_nothing_bills_is_rated_by_a_price(m: metering.Metering) -> None:
    meter = create_meter(m)
    price = create_price(m, recurring=metered(meter.id))
    other = create_price(m, recurring=metered(create_meter(m, "calls").id))
    grant(m, 100)

    assert check(m, 3, price=price.id) == (True, None, 30, 100)
    with refused("usage_not_billed", "price"):
        check(m, 3)
    with refused(None, "price", meter.id):
        check(m, 3, price=other.id)
    with refused("resource_missing", "price"):
        check(m, 3, price="price_x")


def test_usage_is_recorded_only_where_it_is_covered(m: metering.Metering) -> None:
    subscribed(m)
    grant(m, 100)

    made = spend(m, "7", payload={"model": "large"})
    position = m.position
    with refused("insufficient_credits", "quantity", "30 usd", "comes to 40"):
        spend(m, 4, "e_2")
    assert (m.position, burned(m)) == (position, {"usd": (30, 70, 0)})
    spend(m, 3, "e_2")

    assert made.payload == {
        "stripe_customer_id": "cus_1", "value": "7", "model": "large"
    }  # fmt: skip
    assert (made.timestamp, made.position, made.duplicate) == (JANUARY, position, False)
    assert burned(m) == {"usd": (0, 100, 0)}


def test_members_of_a_pool_never_spend_the_same_cent(m: metering.Metering) -> None:
    price = subscribed(m)
    subscribe(m, price, customer="cus_2")
    m.credit_pools.create(id="team")
    for customer in ("cus_1", "cus_2"):
        m.credit_pools.add_member("team", customer=customer)
    grant(m, 100, customer=None, pool="team")
    grant(m, 20)

    spend(m, 9)

    assert check(m, 4, customer="cus_2") == (False, "insufficient_credits", 40, 30)
    with refused("insufficient_credits", "quantity", "30 usd", "comes to 40"):
        spend(m, 4, "e_2", customer="cus_2")
    spend(m, 3, "e_2", customer="cus_2")
    assert check(m, 1) == (False, "insufficient_credits", 10, 0)


def test_who_shares_a_pool_with_a_member_leaves_less_to_the_others(
    m: metering.Metering,
) -> None:
    price = subscribed(m)
    for customer in ("cus_2", "cus_3"):
        subscribe(m, price, customer=customer)
    for pool, *customers in (("left", "cus_1", "cus_2"), ("right", "cus_2", "cus_3")):
        m.credit_pools.create(id=pool)
        for customer in customers:
            m.credit_pools.add_member(pool, customer=customer)
        grant(m, 100, customer=None, pool=pool)

    spend(m, 10)
    spend(m, 10, "e_2", customer="cus_2")

    assert check(m, 1, customer="cus_3") == (False, "insufficient_credits", 10, 0)


def test_what_is_due_to_other_members_leaves_their_pool_more(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    price = subscribed(m)
    subscribe(m, price, customer="cus_2")
    m.credit_pools.create(id="team")
    for customer in ("cus_1", "cus_2"):
        m.credit_pools.add_member("team", customer=customer)
    grant(m, 100, customer=None, pool="team")
    for number in (1, 2):
        due = JANUARY + timedelta(days=number)
        schedule(m, 100, f"{number}", customer="cus_2", interval="year", anchor=due)
    theirs = {"stripe_customer_id": "cus_2", "value": "10"}
    create_event(m, "tokens", theirs)

    clock.set(JANUARY + timedelta(days=1))
    spend(m, 5)
    create_event(m, "tokens", theirs)
    clock.set(JANUARY + timedelta(days=2))
    m.credit_holds.create(id="job_1", customer="cus_1", meter="tokens", quantity=5)

    assert check(m, 1) == (False, "insufficient_credits", 10, 0)


def test_spending_again_answers_as_the_first_time(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    subscribed(m)
    grant(m, 100)
    made = spend(m, 10)
    clock.set(JANUARY + timedelta(hours=1))

    again = spend(m, 10)

    assert again.duplicate
    assert (again.position, again.timestamp) == (made.position, made.timestamp)
    with refused("identifier_conflict", None, kind=metering.IdentifierConflictError):
        spend(m, 9)
    assert burned(m) == {"usd": (0, 100, 0)}


def test_usage_that_cannot_be_weighed_is_refused(m: metering.Metering) -> None:
    subscribed(m)
    create_meter(m, "peak", "max")
    create_meter(m, "calls", "count")
    position = m.position

    with refused("meter_not_additive", "meter"):
        spend(m, 1, meter="peak")
    with refused("resource_missing", "meter"):
        spend(m, 1, meter="nothing")
    for quantity in (0, -1, "x", 10**18, Decimal("1e-13")):
        with refused(None, "quantity"):
            spend(m, quantity)
    with refused(None, "quantity", "counts events"):
        spend(m, 2, meter="calls")
    with refused(None, "quantity", "counts events"):
        check(m, "0.5", meter="calls")
    with refused(None, "quantity", "counts events"):
        hold(m, meter="calls", quantity="0.5", amount=None)
    with refused("usage_not_billed", "price"):
        spend(m, 1, meter="calls")
    with refused(None, "payload[value]", "left out"):
        spend(m, 1, payload={"value": "2"})
    with refused(
        "timestamp_in_future", "timestamp", kind=metering.MeterEventInvalidError
    ):
        spend(m, 1, timestamp=FEBRUARY)
    assert m.position == position


def test_usage_of_a_period_that_is_about_to_begin_is_billed_by_it(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    subscribed(m)
    grant(m, 100)
    clock.set(FEBRUARY - timedelta(minutes=1))
    use(m, 3)

    spend(m, 2, timestamp=FEBRUARY + timedelta(minutes=1))

    assert burned(m) == {"usd": (50, 50, 0)}
    with refused("insufficient_credits", "quantity"):
        spend(m, 6, "e_2")
    clock.set(FEBRUARY + timedelta(minutes=1))
    assert burned(m) == {"usd": (50, 50, 0)}


def test_usage_that_comes_to_too_much_is_refused_by_its_quantity(
    m: metering.Metering,
) -> None:
    subscribed(m, unit_amount=999_999_999_999)

    with refused("amount_too_large", "quantity"):
        check(m, 999_999_999_999_999_999)


def test_of_two_connections_that_spend_the_last_credit_one_does(
    connect: Connect, clock: metering.FixedClock
) -> None:
    connections = [connect(clock=clock) for _ in range(2)]
    subscribed(connections[0])
    grant(connections[0], 110)
    start, outcomes = Barrier(2), list[str | None]()

    def run(number: int) -> None:
        start.wait()
        for turn in range(4):
            try:
                spend(connections[number], 2, f"e_{number}_{turn}")
                outcomes.append(None)
            except metering.InvalidRequestError as error:
                outcomes.append(error.code)

    threads = [Thread(target=run, args=(number,)) for number in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(map(str, outcomes)) == ["None"] * 5 + ["insufficient_credits"] * 3
    for m in connections:
        assert burned(m) == {"usd": (10, 100, 0)}
