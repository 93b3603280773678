"""Alerts, events and histories of balances follow holds."""

from datetime import datetime
from typing import Any

import metering
from tests.conftest import Connect
from tests.metering.holds.usual_holds import hold
from tests.metering.usual_credits import DAY, grant
from tests.metering.usual_usage import NOW


def triggered(m: metering.Metering) -> list[tuple[int, datetime, int | None]]:
    m.catch_up()
    found = m.alerts.triggered()
    return [(int(each.value), each.timestamp, each.event_position) for each in found]


def test_an_alert_on_credits_watches_what_is_available(connect: Connect) -> None:
    clock = metering.FixedClock(NOW)
    m = connect(clock=clock)
    limit: Any = {
        "balance_type": "monetary",
        "monetary": {"currency": "usd", "value": 500},
    }
    m.alerts.create(
        title="Few",
        alert_type="credit_balance_threshold",
        credit_balance_threshold={"lte": limit},
    )
    grant(m, 1_000)
    first = m.position
    assert triggered(m) == []

    hold(m, 600)
    assert triggered(m) == [(400, NOW, first + 1)]
    m.credit_holds.settle("job_1")
    assert len(triggered(m)) == 1
    grant(m, 1_000)
    hold(m, 1_000, "job_2", expires_at=NOW + DAY)
    at = m.position
    assert triggered(m)[-1] == (400, NOW, at)
    clock.advance(2 * DAY)
    hold(m, 900, "job_3")
    at = m.position

    assert triggered(m)[-1] == (500, NOW + 2 * DAY, at)
    assert len(triggered(m)) == 3
    assert m.verify().problems == ()


def test_each_end_of_a_hold_is_an_event_told_once(connect: Connect) -> None:
    clock = metering.FixedClock(NOW)
    m = connect(clock=clock)
    grant(m, 1_000, expires_at=NOW + DAY)
    hold(m, 300, "job_1")
    hold(m, 300, "job_2")
    hold(m, 300, "job_3", expires_at=NOW + 3 * DAY)
    m.credit_holds.settle("job_1", amount=100, final=False, settlement="a")
    clock.advance(2 * DAY)
    m.credit_holds.settle("job_1", amount=50)
    m.credit_holds.release("job_2")
    clock.advance(2 * DAY)
    m.deliver()
    m.deliver()

    events = list(m.events.list(limit=100))[::-1]

    told = [
        (each.type, told_of(each.data.object))
        for each in events
        if each.type.startswith("metering.credit_hold")
    ]
    assert told == [
        ("metering.credit_hold.created", ("open", 0)),
        ("metering.credit_hold.created", ("open", 0)),
        ("metering.credit_hold.created", ("open", 0)),
        ("metering.credit_hold.settled", ("open", 100)),
        ("metering.credit_hold.settled", ("settled", 150)),
        ("metering.credit_hold.released", ("released", 0)),
        ("metering.credit_hold.expired", ("expired", 0)),
    ]
    listed = m.credit_balance_transactions.list("cus_1", limit=100)
    of_events = [
        each.data.object.id
        for each in events
        if isinstance(each.data.object, metering.CreditBalanceTransaction)
    ]
    assert sorted(of_events) == sorted(each.id for each in listed)


def told_of(resource: object) -> tuple[str, int]:
    assert isinstance(resource, metering.CreditHold)
    return resource.status, resource.amount_drawn.monetary.value


def test_a_history_of_balances_has_a_row_where_a_hold_begins_and_ends(
    connect: Connect,
) -> None:
    clock = metering.FixedClock(NOW)
    m = connect(clock=clock)
    grant(m, 1_000)
    clock.advance(DAY)
    hold(m, 800, expires_at=NOW + 2 * DAY)

    rows = m.credit_balance_summary.history(
        customer="cus_1", start_time=NOW, end_time=NOW + 3 * DAY
    )

    assert [tuple(each.values()) for each in rows.to_pylist()] == [
        (NOW, "usd", 1_000, 1_000, 0),
        (NOW + DAY, "usd", 1_000, 200, 800),
        (NOW + 2 * DAY, "usd", 1_000, 1_000, 0),
    ]
