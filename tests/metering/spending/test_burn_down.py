"""Burn-down: the available balance once unbilled usage has drawn on it."""

from datetime import timedelta

import pytest

import metering
from tests.metering.holds.usual_holds import hold
from tests.metering.refusals import refused
from tests.metering.spending.usual_spending import (
    FEBRUARY,
    JANUARY,
    MIDDLE,
    burned,
    subscribed,
    use,
)
from tests.metering.subscriptions.usual_subscriptions import metered_price, subscribe
from tests.metering.usual_credits import balance, for_prices, grant
from tests.metering.usual_prices import TIERS

DAY = timedelta(days=1)


@pytest.fixture
def m(store: metering.Metering, clock: metering.FixedClock) -> metering.Metering:
    """The store at the first of January."""
    clock.set(JANUARY)
    return store


def test_unbilled_usage_lowers_what_is_available_at_each_event(
    m: metering.Metering,
) -> None:
    subscribed(m)
    grant(m, 100)
    use(m, 3)
    first = burned(m)
    event = use(m, 9)
    second = burned(m)
    m.meter_event_adjustments.create(
        event_name="tokens", type="cancel", cancel={"identifier": event.identifier}
    )

    assert first == {"usd": (70, 30, 0)}
    assert second == {"usd": (0, 100, 20)}
    assert burned(m) == first
    assert balance(m) == {"usd": (100, 100)}


def test_a_period_counts_until_a_statement_of_it_stands(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    subscribed(m)
    grant(m, 100)
    use(m, 2)
    clock.set(MIDDLE)
    use(m, 4)
    both = burned(m)
    [stated] = m.statements.run(period_end=FEBRUARY).statements.to_pylist()
    billed = burned(m)
    m.statements.void(stated["id"])

    assert both == {"usd": (40, 60, 0)}
    assert billed == {"usd": (40, 40, 0)}
    assert burned(m) == both


def test_what_a_statement_within_a_period_leaves_is_unbilled(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    price = subscribed(m, tiers=TIERS)
    grant(m, 100_000)
    use(m, 1_001)
    clock.set(JANUARY + DAY)
    m.statements.finalize(
        id="st_1",
        customer="cus_1",
        prices=[price.id],
        start_time=JANUARY,
        end_time=FEBRUARY,
        at=JANUARY + DAY,
    )
    use(m, 2)

    # A statement of the rest begins at its first tier.
    assert burned(m) == {"usd": (100_000 - 10_105 - 20, 20, 0)}


def test_credits_are_drawn_as_the_statements_to_come_will(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    price = subscribed(m)
    other = metered_price(m, meter=price.recurring and price.recurring.meter)
    subscribe(m, other)
    first = grant(m, 50, applicability_config=for_prices(other.id), priority=10)
    brief = grant(m, 1_000, expires_at=MIDDLE)
    rest = grant(m, 25)
    clock.set(JANUARY + DAY)
    use(m, 3)
    clock.set(FEBRUARY)
    use(m, 1)

    def drawn(of: metering.CreditGrant) -> object:
        return burned(m, filter={"type": "credit_grant", "credit_grant": of.id})["usd"]

    # January: 30 by each price. One of February expires before its period ends.
    assert drawn(brief) == (1_000 - 30, 30, 0)
    assert drawn(first) == (50 - 30 - 10, 40, 0)
    assert drawn(rest) == (25 - 10, 10, 0)
    hold(m, 980)
    assert drawn(rest) == (25 - 20, 20, 0)


def test_usage_without_credits_is_uncovered_in_its_currency(
    m: metering.Metering,
) -> None:
    subscribed(m)
    grant(m, 100, currency="eur")
    use(m, 3)

    assert burned(m) == {"eur": (100, 0, 0), "usd": (0, 0, 30)}


def test_a_past_balance_has_no_unbilled_usage(m: metering.Metering) -> None:
    with refused("parameters_exclusive", "at", "include_unbilled_usage"):
        burned(m, at=JANUARY)
