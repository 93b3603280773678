"""Alerts on credits: they trigger where what is available falls, and each time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_credits import DAY, apply, grant, line
from tests.metering.usual_usage import NOW, create_event, create_meter

Fallen = tuple[str, int, datetime, bool]
"""A customer, what is available then, when, and whether time did it."""


@pytest.fixture
def clock() -> metering.FixedClock:
    return metering.FixedClock(NOW)


@pytest.fixture
def store(connect: Connect, clock: metering.FixedClock) -> Iterator[metering.Metering]:
    with connect(clock=clock) as store:
        yield store


def watch(
    store: metering.Metering, value: object = 500, currency: object = "usd", **more: Any
) -> metering.Alert:
    threshold: Any = {**limit(currency=currency, value=value), **more}
    return store.alerts.create(
        title="Few",
        alert_type="credit_balance_threshold",
        credit_balance_threshold=threshold,
    )


def fallen(store: metering.Metering, *, catch_up: bool = True) -> list[Fallen]:
    if catch_up:
        store.catch_up()
    return [
        (
            each.customer,
            int(each.value),
            each.timestamp,
            each.event_position is None,
        )
        for each in store.alerts.triggered()
    ]


def test_an_alert_on_credits_is_told_as_it_was_created(
    store: metering.Metering,
) -> None:
    filters = [{"type": "customer", "customer": "cus_1"}]

    alert = watch(store, currency="USD", filters=filters)

    assert alert == metering.Alert(
        id=alert.id,
        alert_type="credit_balance_threshold",
        livemode=False,
        status="active",
        title="Few",
        credit_balance_threshold=metering.CreditBalanceThreshold(
            lte=metering.CreditBalanceLimit(
                monetary=metering.Monetary(currency="usd", value=500)
            ),
            filters=(metering.AlertFilter(customer="cus_1"),),
        ),
    )
    assert store.alerts.retrieve(alert.id) == alert
    assert store.alerts.list(alert_type="credit_balance_threshold") == [alert]
    assert store.alerts.list() == [alert]
    assert store.alerts.list(alert_type="usage_threshold") == []


def limit(**monetary: object) -> dict[str, object]:
    return {"lte": {"balance_type": "monetary", "monetary": monetary}}


@pytest.mark.parametrize(
    ("threshold", "param"),
    [
        (None, ""),
        ({}, "[lte]"),
        ({"lte": {}}, "[lte][balance_type]"),
        ({"lte": {"balance_type": "monetary"}}, "[lte][monetary]"),
        (limit(currency="usd"), "[lte][monetary][value]"),
        (limit(currency="usd", value=-1), "[lte][monetary][value]"),
        (limit(currency="zzz", value=1), "[lte][monetary][currency]"),
    ],
)
def test_a_threshold_that_breaks_a_rule_is_refused(
    store: metering.Metering, threshold: Any, param: str
) -> None:
    with refused(param=f"credit_balance_threshold{param}"):
        store.alerts.create(
            title="Few",
            alert_type="credit_balance_threshold",
            credit_balance_threshold=threshold,
        )


def test_a_threshold_of_the_other_type_is_refused(store: metering.Metering) -> None:
    usage: Any = {"gte": 1, "meter": "mtr_1", "recurrence": "one_time"}
    credit: Any = limit(currency="usd", value=1)

    with refused(param="credit_balance_threshold"):
        store.alerts.create(
            title="Few", usage_threshold=usage, credit_balance_threshold=credit
        )


def test_too_many_alerts_on_a_currency_are_refused(connect: Connect) -> None:
    with connect(alerts_max=1) as store:
        watch(store)
        watch(store, currency="eur")

        with pytest.raises(metering.InvalidRequestError) as caught:
            watch(store, filters=[{"type": "customer", "customer": "cus_1"}])

    assert caught.value.code == "alert_limit_reached"


@pytest.mark.dialect
def test_it_triggers_at_the_invoice_that_draws_credits_down(
    store: metering.Metering,
) -> None:
    watch(store)
    grant(store)
    apply(store, "in_1", line(499))
    assert fallen(store) == []

    apply(store, "in_2", line(1))
    apply(store, "in_3", line(1))

    [found] = (store.catch_up(), store.alerts.triggered())[1]
    assert (found.customer, int(found.value), found.timestamp) == ("cus_1", 500, NOW)
    assert found.event_position is not None
    assert found.event_position < found.position
    assert found.window_start is None


def test_it_triggers_again_once_credits_rose(store: metering.Metering) -> None:
    watch(store)
    grant(store, 600)
    apply(store, "in_1", line(200))
    store.credits.reinstate(invoice="in_1")
    apply(store, "in_2", line(300))
    grant(store, 600)
    apply(store, "in_3", line(900))

    values = [value for _, value, _, _ in fallen(store)]

    assert values == [400, 300, 0]


def test_it_triggers_at_the_instant_at_which_credits_expire(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    watch(store)
    grant(store, 700, expires_at=NOW + DAY)
    grant(store, 400, expires_at=NOW + 2 * DAY)
    grant(store, 800, effective_at=NOW + 3 * DAY, expires_at=NOW + 4 * DAY)
    assert fallen(store) == []
    clock.advance(DAY - timedelta(microseconds=1))
    assert fallen(store) == []

    clock.advance(timedelta(microseconds=1))

    assert fallen(store) == [("cus_1", 400, NOW + DAY, True)]
    clock.advance(5 * DAY)
    assert fallen(store) == [
        ("cus_1", 400, NOW + DAY, True),
        ("cus_1", 0, NOW + 4 * DAY, True),
    ]
    assert fallen(store)[2:] == []


def test_a_grant_that_follows_another_at_its_expiry_is_no_fall(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    watch(store)
    grant(store, 700, expires_at=NOW + DAY)
    grant(store, 700, effective_at=NOW + DAY, expires_at=NOW + 2 * DAY)
    clock.advance(DAY)

    assert fallen(store) == []


def test_who_was_never_above_does_not_fall(store: metering.Metering) -> None:
    grant(store, 1_000)
    apply(store, "in_1", line(700))
    watch(store)
    grant(store, 100, customer="cus_2")

    apply(store, "in_2", line(300))

    assert fallen(store) == []


def test_who_was_above_when_it_was_created_falls(store: metering.Metering) -> None:
    made = grant(store, 1_000)
    watch(store, value=0)

    store.credit_grants.expire(made.id)

    assert fallen(store) == [("cus_1", 0, NOW, False)]


def test_another_currency_and_another_customer_do_not_count(
    store: metering.Metering,
) -> None:
    watch(store, filters=[{"type": "customer", "customer": "cus_1"}])
    for customer in ("cus_1", "cus_2"):
        for currency in ("usd", "eur"):
            made = grant(store, customer=customer, currency=currency)
            if (customer, currency) != ("cus_1", "usd"):
                store.credit_grants.void(made.id)

    assert fallen(store) == []


def test_it_is_silent_while_it_is_not_active(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    alert = watch(store)
    grant(store, 600, expires_at=NOW + DAY)
    grant(store, 600, expires_at=NOW + 3 * DAY)
    store.alerts.deactivate(alert.id)
    apply(store, "in_1", line(700))
    clock.advance(2 * DAY)
    grant(store, 600)
    store.alerts.activate(alert.id)
    store.catch_up()

    clock.advance(DAY)

    assert fallen(store) == []
    apply(store, "in_2", line(100), period_end=clock.now())
    assert fallen(store) == [("cus_1", 500, NOW + 3 * DAY, False)]


def test_a_clock_that_went_back_hides_no_fall(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    watch(store)
    grant(store, 700, expires_at=NOW + 2 * DAY)
    grant(store, 700, customer="cus_2", expires_at=NOW + 5 * DAY)
    apply(store, "in_1", line(300), customer="cus_2")
    store.catch_up()
    clock.advance(DAY)
    store.catch_up()

    clock.advance(-DAY)
    grant(store, 900, customer="cus_3", expires_at=NOW + DAY / 2)
    clock.advance(DAY)

    assert fallen(store)[1:] == [("cus_3", 0, NOW + DAY / 2, True)]


@pytest.mark.dialect
def test_several_evaluators_record_each_fall_once(
    connect: Connect, clock: metering.FixedClock
) -> None:
    with connect(clock=clock) as one, connect(clock=clock) as other:
        watch(one)
        for number in range(3):
            grant(other, 600, expires_at=NOW + (number + 1) * DAY)
            one.catch_up()
            apply(other, f"in_{number}", line(150))
            other.catch_up()
            clock.advance(DAY)
            one.catch_up()
            other.catch_up()
            assert len(fallen(one, catch_up=False)) == number + 1
        before = fallen(one)

        one.rebuild()
        other.seal()

        assert fallen(one) == before
        assert one.verify().problems == ()


def test_both_types_are_told_in_the_order_of_the_log(
    store: metering.Metering,
) -> None:
    meter = create_meter(store)
    usage = store.alerts.create(
        title="Much",
        usage_threshold={"gte": 1, "meter": meter.id, "recurrence": "one_time"},
    )
    few = watch(store)
    made = grant(store)
    create_event(store)
    store.credit_grants.void(made.id)
    store.catch_up()

    found = store.alerts.triggered()

    assert [each.alert for each in found] == [usage, few]
    assert found == sorted(found, key=lambda each: each.position)
    assert store.alerts.triggered(few.id) == found[1:]
    assert store.alerts.triggered(customer="cus_2") == []
