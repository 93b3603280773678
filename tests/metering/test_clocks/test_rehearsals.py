"""A year is rehearsed on a test clock, and is the year that is lived without one."""

from datetime import UTC, datetime

import metering
from tests.conftest import Connect
from tests.metering.test_clocks.rehearsed import ALERTED, TABLE, first_of, live, told

START = first_of(1)


def test_a_year_on_a_clock_is_the_year_without_one(connect: Connect) -> None:
    m = connect()
    clock = m.test_clocks.create(frozen_time=START)
    customer = m.customers.create(test_clock=clock.id).id

    def advance(to: datetime) -> None:
        assert m.test_clocks.advance(clock.id, frozen_time=to).status == "ready"

    rehearsed = live(m, customer, advance)

    real = metering.FixedClock(START)
    with metering.connect(":memory:", clock=real) as lived:
        other = lived.customers.create().id

        def go_on(to: datetime) -> None:
            real.set(to)
            lived.deliver()

        assert live(lived, other, go_on) == TABLE
        assert [each.created for each in lived.alerts.triggered()] == ALERTED
        assert sorted(told(m)) == sorted(told(lived))
    assert rehearsed == TABLE
    assert [each.created for each in m.alerts.triggered()] == ALERTED
    [subscription] = m.subscriptions.list(customer, status="all")
    assert subscription.status == "canceled"
    assert subscription.ended_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert m.verify().problems == ()


def test_everything_is_as_it_was_once_it_is_made_anew(connect: Connect) -> None:
    m = connect()
    clock = m.test_clocks.create(frozen_time=START)
    customer = m.customers.create(test_clock=clock.id).id
    live(m, customer, lambda to: m.test_clocks.advance(clock.id, frozen_time=to))
    known = told(m), [*m.credit_balance_transactions.list(customer=customer)]

    m.rebuild()

    assert (told(m), [*m.credit_balance_transactions.list(customer=customer)]) == known
    assert m.test_clocks.retrieve(clock.id).frozen_time == first_of(13)
