"""Customers of test clocks get and lose features by the time of their clock."""

from datetime import UTC, datetime

import pytest

import metering
from tests.conftest import Connect
from tests.metering.entitlements.test_entitlements_are_told import UPDATED
from tests.metering.entitlements.usual_features import attach, keys
from tests.metering.subscriptions.usual_subscriptions import licensed_price, subscribe
from tests.metering.usual_usage import NOW

THEN = datetime(2030, 1, 31, tzinfo=UTC)
FEBRUARY_END = datetime(2030, 2, 28, tzinfo=UTC)
MARCH_END = datetime(2030, 3, 31, tzinfo=UTC)


@pytest.mark.parametrize("is_watched", [True, False], ids=["watched", "not watched"])
def test_a_customer_of_a_clock_sees_changes_with_its_own_periods(
    connect: Connect,
    is_watched: bool,  # noqa: FBT001  # pytest passes it by name
) -> None:
    m = connect(clock=metering.FixedClock(NOW))
    clocks = m.test_helpers.test_clocks
    clock = clocks.create(frozen_time=THEN).id
    customer = m.customers.create(test_clock=clock).id
    price = licensed_price(m)
    attach(m, price, "sso")
    subscribe(m, price, customer=customer)
    subscribe(m, price)
    late = attach(m, price, "audit")

    def check(key: str) -> tuple[bool, datetime | None]:
        found = m.entitlements.check(customer=customer, feature=key)
        return found.entitled, found.until

    def watch() -> None:
        if is_watched:
            m.deliver()

    watch()
    assert (check("sso"), check("audit")) == ((True, None), (False, FEBRUARY_END))

    clocks.advance(clock, frozen_time=FEBRUARY_END)
    watch()
    assert (keys(m, customer), keys(m)) == (["audit", "sso"], ["sso"])
    m.entitlements.product_features.delete(price.product, late.id)
    assert check("audit") == (True, MARCH_END)

    clocks.advance(clock, frozen_time=datetime(2030, 5, 1, tzinfo=UTC))
    m.deliver()
    assert (keys(m, customer), keys(m)) == (["sso"], ["sso"])
    told = [
        (event.created, len(event.data.object.entitlements.data))
        for event in m.events.list(type=UPDATED)
        if isinstance(event.data.object, metering.ActiveEntitlementSummary)
        and event.data.object.customer == customer
    ]
    assert told == [(MARCH_END, 1), (FEBRUARY_END, 2), (THEN, 1)]
    assert m.verify().ok


def test_a_customer_of_a_deleted_clock_has_nothing_and_is_told_nothing(
    connect: Connect,
) -> None:
    m = connect(clock=metering.FixedClock(NOW))
    clock = m.test_helpers.test_clocks.create(frozen_time=THEN).id
    customer = m.customers.create(test_clock=clock).id
    price = licensed_price(m)
    attach(m, price)
    subscribe(m, price, customer=customer)

    m.test_helpers.test_clocks.delete(clock)
    m.deliver()

    with pytest.raises(metering.ResourceMissingError):
        m.entitlements.active_entitlements.list(customer)
    with pytest.raises(metering.ResourceMissingError):
        m.entitlements.check(customer=customer, feature="sso")
    assert list(m.events.list(type=UPDATED)) == []
