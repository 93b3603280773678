"""Two stores are compared figure by figure, exactly, and neither is changed."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.alerts.test_alerts import create_alert
from tests.metering.branching.usual_branches import beside
from tests.metering.holds.usual_holds import hold
from tests.metering.usual_credits import apply, grant, money
from tests.metering.usual_prices import create_price, metered
from tests.metering.usual_usage import NOW, cancel_event, create_event, create_meter

DAY = timedelta(days=1)
FIRST = (NOW - 40 * DAY).replace(day=1, hour=0)


@pytest.fixture
def origin(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    """A store with usage, a price, an alert and credits."""
    opened = connect(clock=clock)
    meter = create_meter(opened)
    create_price(opened, recurring=metered(meter.id))
    create_alert(opened, meter, gte=10)
    grant(opened, 1_000)
    for number in range(3):
        use(opened, "0.1", at=NOW - number * 15 * DAY, identifier=f"event-{number}")
    return opened


@pytest.fixture
def branch(origin: metering.Metering, store_target: str) -> Iterator[metering.Metering]:
    with origin.branch(beside(store_target)) as branch:
        yield branch


def use(
    store: metering.Metering,
    value: str,
    customer: str = "cus_1",
    at: Any = NOW,
    identifier: str | None = None,
) -> None:
    payload = {"stripe_customer_id": customer, "value": value}
    create_event(store, payload=payload, timestamp=at, identifier=identifier)


def rows(found: metering.Difference, *names: str) -> list[tuple[Any, ...]]:
    """Some columns of the rows that differ."""
    return [tuple(row[name] for name in names) for row in found.table.to_pylist()]


def test_a_branch_does_not_differ(
    origin: metering.Metering, branch: metering.Metering
) -> None:
    found = metering.diff(origin, branch)

    assert not found
    assert (found.position_a, found.position_b) == (origin.position, branch.position)
    assert (set(found.counts().values()), found.customers()) == ({0}, [])


def test_usage_differs_by_customer_meter_and_window(
    origin: metering.Metering, branch: metering.Metering
) -> None:
    use(branch, "0.20", at=NOW - 29 * DAY)
    use(branch, "5", "cus_2")
    cancel_event(branch, "event-0")
    create_meter(branch, "calls", "count")
    create_event(branch, "calls", timestamp=NOW)

    by_month = metering.diff(origin, branch)
    in_all = metering.diff(origin, branch, window=None)

    columns = ("subject", "customer", "window_start", "a", "b", "difference")
    january, february, march = (
        NOW.replace(month=month, day=1, hour=0) for month in (1, 2, 3)
    )
    assert rows(by_month, *columns) == [
        ("calls", "cus_1", march, Decimal(0), Decimal(1), Decimal(1)),
        ("tokens", "cus_1", january, Decimal("0.1"), Decimal("0.3"), Decimal("0.2")),
        ("tokens", "cus_1", march, Decimal("0.1"), Decimal(0), Decimal("-0.1")),
        ("tokens", "cus_2", march, Decimal(0), Decimal(5), Decimal(5)),
    ]
    assert rows(in_all, "subject", "customer", "difference") == [
        ("calls", "cus_1", Decimal(1)),
        ("tokens", "cus_1", Decimal("0.1")),
        ("tokens", "cus_2", Decimal(5)),
    ]
    assert rows(metering.diff(branch, origin, window=None), "a", "b") == [
        (b, a) for a, b in rows(in_all, "a", "b")
    ]
    assert by_month.counts()["usage"] == 4
    assert in_all.customers() == ["cus_1", "cus_2"]
    assert february not in {start for (start,) in rows(by_month, "window_start")}


def test_statements_of_two_prices_differ_by_line(
    origin: metering.Metering, store_target: str
) -> None:
    meter = origin.meters.retrieve(event_name="tokens")
    [old] = origin.prices.list()
    new = create_price(origin, recurring=metered(meter.id), unit_amount=50)
    with (
        origin.branch(beside(store_target, "old")) as a,
        origin.branch(beside(store_target, "new")) as b,
    ):
        for store, price in ((a, old), (b, new)):
            use(store, "150", at=NOW - DAY)
            store.statements.finalize(
                id="st_1",
                customer="cus_1",
                prices=[price.id],
                start_time=NOW - DAY,
                end_time=NOW,
            )

        found = metering.diff(a, b)
        b.statements.void("st_1")
        voided = metering.diff(a, b)

    # The grant of 1,000 is drawn in full in both.
    columns = ("kind", "detail", "currency", "a", "b", "difference")
    assert rows(found, *columns) == [
        ("statement", None, "usd", 500, 6_500, 6_000),
        *sorted(
            [
                ("statement_line", old.id, "usd", 1_500, 0, -1_500),
                ("statement_line", new.id, "usd", 0, 7_500, 7_500),
            ]
        ),
    ]
    assert rows(voided, *columns) == [
        ("balance", "available", "usd", 0, 1_000, 1_000),
        ("balance", "ledger", "usd", 0, 1_000, 1_000),
        ("statement", None, "usd", 500, 0, -500),
        ("statement_line", old.id, "usd", 1_500, 0, -1_500),
    ]
    assert {row["subject"] for row in found.table.to_pylist()} == {"st_1"}


def test_alerts_of_a_branch_are_evaluated(
    origin: metering.Metering, branch: metering.Metering
) -> None:
    [alert] = origin.alerts.list()
    use(branch, "12", "cus_2")
    use(origin, "12", "cus_3")

    found = metering.diff(origin, branch)

    triggered = [
        row
        for row in rows(found, "kind", "customer", "subject", "a", "b")
        if row[0] == "alert"
    ]
    assert triggered == [("alert", "cus_2", alert.id, 0, 1)]
    assert list(origin.alerts.triggered()) == []


def test_balances_are_those_that_are_retrieved(
    origin: metering.Metering, branch: metering.Metering
) -> None:
    grant(branch, 500, customer="cus_2", expires_at=NOW + DAY)
    grant(branch, 300, customer="cus_2", currency="eur")
    apply(branch, "in_1")
    hold(branch, 200)
    branch.credit_pools.create(id="team")
    branch.credit_pools.add_member("team", customer="cus_2")
    branch.credit_schedules.create(
        id="plan",
        customer="cus_3",
        amount=money(),
        applicability_config={"scope": {"price_type": "metered"}},
        interval="month",
    )
    clock = branch.test_helpers.test_clocks.create(frozen_time=NOW)
    clocked = branch.customers.create(name="A", test_clock=clock.id)
    grant(branch, 700, customer=clocked.id)

    found = metering.diff(origin, branch)

    for row in rows(found, "kind", "customer", "detail", "currency", "a", "b"):
        kind, customer, detail, currency, *sides = row
        assert kind == "balance"
        for store, value in zip((origin, branch), sides, strict=True):
            summary = store.credit_balance_summary.retrieve(customer=customer)
            amounts = {
                each.ledger_balance.monetary.currency: getattr(
                    each, f"{detail}_balance"
                ).monetary.value
                for each in summary.balances
            }
            assert amounts.get(currency, 0) == value
    assert found.customers() == sorted(["cus_1", "cus_2", "cus_3", clocked.id])
    assert found.counts()["balance"] == 11


def test_neither_store_is_changed(
    origin: metering.Metering, branch: metering.Metering
) -> None:
    use(branch, "12", "cus_2")
    use(origin, "12", "cus_3")
    branch.catch_up()
    before = origin.verify(), branch.verify()
    done = []

    metering.diff(origin, branch, progress=lambda *each: done.append(each))

    assert (origin.verify(), branch.verify()) == before
    assert done == [(number, 8) for number in range(1, 9)]


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"b": "branch"}, "b"),
        ({"window": "minute"}, "window"),
        ({"timezone": "Mars"}, "timezone"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    store: metering.Metering, given: Any, param: str
) -> None:
    with pytest.raises(metering.InvalidRequestError) as raised:
        metering.diff(**{"a": store, "b": store, **given})

    assert raised.value.param == param
