"""Checks and usage that is spent obey spend limits."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest

import metering
from tests.metering.limits.usual_limits import limit, spent, warned
from tests.metering.refusals import refused
from tests.metering.spending.usual_spending import (
    JANUARY,
    MIDDLE,
    spend,
    subscribed,
    use,
)
from tests.metering.subscriptions.usual_subscriptions import subscribe
from tests.metering.usual_credits import grant, money, usd
from tests.metering.usual_prices import TIERS


@pytest.fixture
def m(store: metering.Metering, clock: metering.FixedClock) -> metering.Metering:
    """The store at the first of January, with credits that cover everything."""
    clock.set(JANUARY)
    grant(store, 100_000)
    return store


def test_a_check_says_what_a_limit_leaves(m: metering.Metering) -> None:
    subscribed(m, tiers=TIERS)
    limit(m, 10_000)
    use(m, 990)

    fits = m.check(customer="cus_1", meter="tokens", quantity=10)
    passes = m.check(customer="cus_1", meter="tokens", quantity="10.1")

    assert (fits.allowed, fits.amount, fits.remaining.spend_limit) == (
        True,
        usd(100),
        usd(100),
    )
    assert (passes.allowed, passes.reason) == (False, "spend_limit_reached")
    m.spend_limits.cancel("cap")
    free = m.check(customer="cus_1", meter="tokens", quantity="10.1")
    assert (free.allowed, free.remaining.spend_limit) == (True, None)


def test_a_check_says_what_a_limit_in_its_own_currency_leaves(
    m: metering.Metering,
) -> None:
    price = subscribed(m, currency_options={"eur": {"unit_amount": 1}})
    limit(m, 1_000)
    limit(m, amount=money(9, "eur"), id="in_euros", prices=[price.id])

    found = m.check(customer="cus_1", meter="tokens", quantity=1)

    assert found.remaining.spend_limit == usd(1_000)


def test_usage_before_a_subscription_is_in_none_of_its_periods(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    price = subscribed(m)
    clock.set(MIDDLE)
    later = subscribe(m, price)
    limit(m, 10, window="billing_period", subscription=later.id)

    spend(m, 2, "before", timestamp=MIDDLE - timedelta(seconds=1))

    assert spent(m) == (0, 0, 10)
    with refused("spend_limit_reached", "quantity"):
        spend(m, 2, "within", timestamp=MIDDLE)


def test_of_threads_that_spend_the_last_of_a_limit_one_wins(
    m: metering.Metering,
) -> None:
    subscribed(m)
    limit(m, 1_000, warn_at=[100])
    use(m, 94)
    start, codes = Barrier(6), list[str | None]()

    def race(number: int) -> None:
        start.wait()
        try:
            spend(m, 6, f"e_{number}")
        except metering.InvalidRequestError as error:
            codes.append(error.code)

    threads = [Thread(target=race, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == ["spend_limit_reached"] * 5
    assert spent(m) == (1_000, 0, 0)
    assert warned(m) == [(100, 1_000, JANUARY)]
    with refused("spend_limit_reached", "quantity", "0 usd more"):
        spend(m, "0.1", "more")
