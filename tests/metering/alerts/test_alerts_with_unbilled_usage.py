"""Alerts on credits that include unbilled usage: what it will draw makes them fall."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.holds.usual_holds import hold
from tests.metering.refusals import refused
from tests.metering.spending.usual_spending import (
    FEBRUARY,
    JANUARY,
    burned,
    subscribed,
    use,
)
from tests.metering.usual_credits import DAY, grant
from tests.metering.usual_usage import cancel_event


@pytest.fixture
def clock() -> metering.FixedClock:
    return metering.FixedClock(JANUARY)


@pytest.fixture
def store(connect: Connect, clock: metering.FixedClock) -> Iterator[metering.Metering]:
    with connect(clock=clock) as store:
        yield store


@pytest.fixture
def m(store: metering.Metering) -> metering.Metering:
    """The store, with a subscription to tokens of 10 cents, and 10 dollars of credits."""
    subscribed(store)
    grant(store, 1_000)
    return store


def watch(m: metering.Metering, value: int = 500, **more: Any) -> metering.Alert:
    money: Any = {"currency": "usd", "value": value}
    threshold: Any = {
        "lte": {"balance_type": "monetary", "monetary": money},
        "include_unbilled_usage": True,
        **more,
    }
    return m.alerts.create(
        title="Few",
        alert_type="credit_balance_threshold",
        credit_balance_threshold=threshold,
    )


def fallen(m: metering.Metering) -> list[int]:
    """What was left each time that it fell."""
    m.catch_up()
    return [int(each.value) for each in m.alerts.triggered()]


def test_usage_that_no_statement_covers_makes_credits_fall(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    alert = watch(m)
    use(m, 49)
    assert fallen(m) == []

    last = use(m, 1)
    assert fallen(m) == [500]
    use(m, 10)
    clock.set(FEBRUARY)
    m.statements.run(period_end=FEBRUARY)

    assert fallen(m) == [500]
    [trigger] = m.alerts.triggered()
    assert (trigger.alert, trigger.customer) == (alert, "cus_1")
    assert (trigger.timestamp, trigger.event_position) == (JANUARY, last.position)
    assert alert.credit_balance_threshold is not None
    assert alert.credit_balance_threshold.include_unbilled_usage is True
    assert burned(m) == {"usd": (400, 0, 0)}


def test_credits_fall_again_once_they_were_above(m: metering.Metering) -> None:
    watch(m)

    use(m, 60)
    assert fallen(m) == [400]
    grant(m, 50)
    use(m, 1)
    assert fallen(m) == [400]
    grant(m, 1_000)
    assert fallen(m) == [400]
    event = use(m, 100)
    assert fallen(m) == [400, 440]
    cancel_event(m, event.identifier)
    assert fallen(m) == [400, 440]
    m.rebuild()
    use(m, 95)

    assert fallen(m) == [400, 440, 490]
    assert m.verify().problems == ()


def test_holds_and_time_make_what_is_left_fall_and_rise(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    watch(m)
    grant(m, 300, expires_at=JANUARY + 3 * DAY)
    use(m, 70)
    assert fallen(m) == []

    held = hold(m, 200)
    assert fallen(m) == [400]
    m.credit_holds.release(held.id)
    assert fallen(m) == [400]
    hold(m, 100, "job_2", expires_at=JANUARY + DAY)
    assert fallen(m) == [400, 500]
    clock.set(JANUARY + 2 * DAY)
    assert fallen(m) == [400, 500]
    clock.set(JANUARY + 3 * DAY)

    assert fallen(m) == [400, 500, 300]


def test_usage_from_before_the_alert_counts_and_credits_that_were_low_do_not(
    m: metering.Metering,
) -> None:
    use(m, 70)
    m.catch_up()
    first = watch(m)
    grant(m, 100, customer="cus_2")
    assert fallen(m) == []

    use(m, 1)
    assert fallen(m) == [290]
    m.alerts.deactivate(first.id)
    use(m, 1)
    m.alerts.activate(first.id)
    use(m, 1)

    assert fallen(m) == [290, 270]
    watch(m, filters=[{"type": "customer", "customer": "cus_2"}])
    use(m, 1)
    assert fallen(m) == [290, 270]


def test_corrections_make_what_is_left_rise_and_fall(m: metering.Metering) -> None:
    watch(m)
    event = use(m, 60)
    wrong: Any = {"type": "cancel", "event_name": "tokens"}

    made = m.corrections.apply(
        [{**wrong, "identifiers": [event.identifier]}], reason="twice", author="Ada"
    )
    m.corrections.revert(made.id, reason="once", author="Ada")

    assert fallen(m) == [400, 400]


def test_a_process_that_begins_finds_what_was_not_looked_at(
    connect: Connect, clock: metering.FixedClock
) -> None:
    with connect(clock=clock) as m:
        subscribed(m)
        grant(m, 1_000)
        watch(m)
        use(m, 20)
        m.seal()
        use(m, 40)
    with connect(clock=clock) as m, connect(clock=clock) as other:
        assert fallen(m) == [400]
        assert fallen(other) == [400]
        grant(other, 1_000)
        other.catch_up()
        use(other, 110)
        m.seal()

        assert fallen(other) == [400, 300]


def test_credits_that_are_added_hide_no_fall_that_nobody_looked_for(
    m: metering.Metering, connect: Connect, clock: metering.FixedClock
) -> None:
    watch(m)

    use(m, 60)
    with connect(clock=clock) as other:
        grant(other, 1_000)
        use(m, 110)
        m.credit_grants.void(grant(m, 500).id)
    use(m, 1)

    assert fallen(m) == [400, 300, 290]
    assert m.verify().problems == ()


def test_a_call_that_is_refused_records_the_fall_before_it(
    m: metering.Metering,
) -> None:
    watch(m)
    use(m, 60)

    with refused("resource_missing", "id"):
        m.credit_grants.void("credgr_unknown")

    assert [int(each.value) for each in m.alerts.triggered()] == [400]


def test_connections_that_evaluate_at_once_trigger_once(
    m: metering.Metering, connect: Connect, clock: metering.FixedClock
) -> None:
    watch(m)
    with connect(clock=clock) as second, connect(clock=clock) as third:
        stores = [m, second, third]
        together = Barrier(len(stores))

        def evaluate(store: metering.Metering) -> None:
            together.wait()
            store.catch_up()

        with ThreadPoolExecutor(len(stores)) as threads:
            for fall in range(1, 6):
                use(m, 60)
                list(threads.map(evaluate, stores))
                assert len(m.alerts.triggered()) == fall
                grant(m, 600)
