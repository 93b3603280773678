"""At which event an alert triggers, for whom, and how often."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.alerts.test_alerts import create_alert
from tests.metering.refusals import refused
from tests.metering.usual_usage import (
    NOW,
    cancel_event,
    columns,
    create_event,
    create_meter,
    total,
)


def use(
    store: metering.Metering,
    value: str = "1",
    customer: str = "cus_1",
    event_name: str = "tokens",
    **keywords: object,
) -> int:
    payload: Mapping[str, str] = {"stripe_customer_id": customer, "value": value}
    return create_event(store, event_name, payload, **keywords).position


def triggered(store: metering.Metering) -> list[tuple[str, int | None, Decimal]]:
    """Customer, position of the event, value; of all that has triggered by now."""
    store.catch_up()
    return [
        (each.customer, each.event_position, each.value)
        for each in store.alerts.triggered()
    ]


def test_an_alert_triggers_among_small_commits_that_another_process_reads_together(
    connect: Connect,
) -> None:
    store = connect(clock=metering.FixedClock(NOW))
    alert = create_alert(store, create_meter(store), 30)
    calls = create_meter(store, "calls", "count")
    for number in range(58):
        use(store, customer=f"cus_{number % 2}")
    reaching = use(store, "7", "cus_1", identifier="cancelled")
    cancel_event(store, "cancelled")
    later = create_alert(store, calls, 2)
    reaching_later = [use(store, customer=f"cus_{number % 2}") for number in range(6)]
    counted = [use(store, event_name="calls") for _ in range(20)]

    other = connect(clock=metering.FixedClock(NOW))
    other.catch_up()

    found = {
        (each.alert.id, each.customer, each.event_position, each.value)
        for each in other.alerts.triggered()
    }
    assert found == {
        (alert.id, "cus_0", reaching_later[0], Decimal(30)),
        (alert.id, "cus_1", reaching, Decimal(36)),
        (later.id, "cus_1", counted[1], Decimal(2)),
    }


def test_an_alert_triggers_at_the_event_that_reaches_it(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    alert = create_alert(store, tokens, 10)
    use(store, "4")
    use(store, "100", "cus_2")
    position = use(store, "6.5", timestamp=NOW - timedelta(days=3))
    use(store, "1")

    store.catch_up()

    [other, found] = store.alerts.triggered()
    assert other.customer == "cus_2"
    assert found == metering.AlertTriggered(
        alert=alert,
        created=NOW,
        customer="cus_1",
        livemode=False,
        value=Decimal("10.5"),
        position=store.position,
        event_position=position,
        timestamp=NOW - timedelta(days=3),
        window_start=None,
    )
    assert store.alerts.triggered(customer="cus_1") == [found]
    assert len(store.alerts.triggered(alert=alert.id)) == 2
    assert store.verify().ok


def test_usage_before_the_alert_counts_and_the_next_event_triggers(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    use(store, "12")
    create_alert(store, tokens, 10)
    assert triggered(store) == []

    position = use(store, "0")

    assert triggered(store) == [("cus_1", position, Decimal(12))]


def test_it_triggers_once_for_each_customer(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_alert(store, tokens, 1)
    first = use(store)
    second = use(store, customer="cus_2")
    expected = [("cus_1", first, Decimal(1)), ("cus_2", second, Decimal(1))]
    assert triggered(store) == expected

    use(store)
    use(store, "-5")
    use(store, "9")

    assert triggered(store) == expected
    store.rebuild()
    assert triggered(store) == expected


def test_a_filter_leaves_others_alone(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_alert(store, tokens, 1, customer="cus_2")
    use(store)
    position = use(store, "3", "cus_2")

    assert triggered(store) == [("cus_2", position, Decimal(3))]


def test_one_event_can_reach_several_thresholds(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    alerts = [create_alert(store, tokens, gte) for gte in (3, 1, 2)]

    position = use(store, "3")

    assert triggered(store) == [("cus_1", position, Decimal(3))] * 3
    found = [each.alert.id for each in store.alerts.triggered()]
    assert found == [alert.id for alert in alerts]


def test_a_cancellation_takes_usage_out_and_arms_nothing(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_alert(store, tokens, 10)
    use(store, "9", identifier="a")
    cancel_event(store, "a")
    use(store, "9", identifier="b")
    position = use(store, "1")
    expected = [("cus_1", position, Decimal(10))]
    assert triggered(store) == expected

    cancel_event(store, "b")
    use(store, "50")

    assert triggered(store) == expected


@pytest.mark.parametrize("cancels", ["before", "after"])
def test_an_event_triggers_that_was_cancelled_before_it_was_evaluated(
    store: metering.Metering, tokens: metering.Meter, cancels: str
) -> None:
    create_alert(store, tokens, 10)
    use(store, "8")
    reaching = use(store, "5", identifier="b")
    if cancels == "after":
        store.catch_up()
    cancel_event(store, "b")

    assert total(store, tokens) == Decimal(8)
    assert triggered(store) == [("cus_1", reaching, Decimal(13))]


def test_a_cancellation_alone_triggers_nothing(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    use(store, "-5", identifier="a")
    create_alert(store, tokens, 10)
    use(store, "12")
    cancel_event(store, "a")
    assert triggered(store) == []

    position = use(store, "0")

    assert triggered(store) == [("cus_1", position, Decimal(12))]


@pytest.mark.parametrize("catches_up", [True, False])
def test_only_events_of_an_active_time_trigger(
    store: metering.Metering,
    tokens: metering.Meter,
    catches_up: bool,  # noqa: FBT001  # a case
) -> None:
    def look() -> None:
        if catches_up:
            store.catch_up()

    alert = create_alert(store, tokens, 10)
    first = use(store, "10")
    look()
    store.alerts.deactivate(alert.id)
    look()
    use(store, "10")
    look()
    store.alerts.activate(alert.id)
    look()
    second = use(store, "1")
    look()
    store.alerts.archive(alert.id)
    use(store, "1")

    assert triggered(store) == [
        ("cus_1", first, Decimal(10)),
        ("cus_1", second, Decimal(21)),
    ]
    [found, _] = store.alerts.triggered(alert=alert.id)
    assert found.alert.status == "archived"
    assert store.verify().ok


def test_counts_are_of_events(store: metering.Metering) -> None:
    create_alert(store, create_meter(store, formula="count"), 2)
    use(store, "no number", identifier="a")
    cancel_event(store, "a")
    use(store)
    position = use(store)

    assert triggered(store) == [("cus_1", position, Decimal(2))]


def test_the_last_value_is_that_of_the_latest_timestamp(
    store: metering.Metering,
) -> None:
    create_alert(store, create_meter(store, formula="last"), 10)
    use(store, "1", identifier="a")
    use(store, "20", timestamp=NOW - timedelta(hours=1))
    assert triggered(store) == []

    cancel_event(store, "a")
    position = use(store, "5", timestamp=NOW - timedelta(hours=2))

    assert triggered(store) == [("cus_1", position, Decimal(20))]


def test_a_pre_aggregated_meter_counts_the_last_event_of_a_window(
    store: metering.Metering,
) -> None:
    meter = create_meter(store, event_time_window="hour")
    create_alert(store, meter, 10)
    use(store, "6", identifier="a")
    use(store, "7", identifier="b")
    use(store, "2", timestamp=NOW - timedelta(hours=1))
    assert triggered(store) == []

    cancel_event(store, "b")
    position = use(store, "4", timestamp=NOW - timedelta(hours=1))

    assert triggered(store) == [("cus_1", position, Decimal(10))]


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
def test_a_daily_alert_triggers_once_a_day_of_its_zone(
    store: metering.Metering, tokens: metering.Meter, timezone: str
) -> None:
    create_alert(store, tokens, 10, recurrence="calendar_day", timezone=timezone)
    # Noon in UTC is the same date in all of these.
    yesterday = NOW - timedelta(days=1)
    use(store, "6")
    use(store, "6", timestamp=yesterday)
    assert triggered(store) == []
    first = use(store, "5", timestamp=yesterday)
    store.catch_up()
    second = use(store, "7")
    use(store, "100")
    use(store, "100", timestamp=yesterday)

    assert triggered(store) == [
        ("cus_1", first, Decimal(11)),
        ("cus_1", second, Decimal(13)),
    ]
    starts = [each.window_start for each in store.alerts.triggered()]
    assert starts[1] == starts[0] + timedelta(days=1)  # type: ignore[operator]  # both are times


def test_a_monthly_alert_counts_from_the_first_of_the_month(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_alert(
        store, tokens, 10, recurrence="calendar_month", timezone="Europe/Berlin"
    )
    # Eleven at night in UTC is the next day in Berlin.
    use(store, "100", timestamp=datetime(2026, 2, 28, 22, 59, tzinfo=UTC))
    use(store, "6", timestamp=datetime(2026, 2, 28, 23, tzinfo=UTC))
    position = use(store, "4")

    [february, march] = triggered(store)

    assert february[2] == Decimal(100)
    assert march == ("cus_1", position, Decimal(10))
    assert store.alerts.triggered()[1].window_start == datetime(
        2026, 2, 28, 23, tzinfo=UTC
    )


def test_sums_beyond_64_bits_are_exact(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_alert(store, tokens, 10**17)
    use(store, "9" * 17 + ".999999999999")
    use(store, "-" + "9" * 18)
    use(store, "9" * 18)
    assert triggered(store) == []

    position = use(store, "0.000000000001")

    assert triggered(store) == [("cus_1", position, Decimal(10**17))]


def test_sealing_evaluates_first(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_alert(store, tokens, 3)
    use(store)
    use(store)
    assert store.seal() == 1
    position = use(store)

    assert store.seal() == 1

    assert triggered(store) == [("cus_1", position, Decimal(3))]


def test_usage_above_the_threshold_waits_for_the_customers_own_event(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    use(store, "20")
    create_alert(store, tokens, 10)
    # More than are kept as rows, so that each call is a part of its own.
    store.meter_events.ingest(columns(stripe_customer_id=["cus_2"] * 40))
    store.meter_events.ingest(columns(40))

    [others, own] = triggered(store)

    assert (others[0], others[2]) == ("cus_2", Decimal(10))
    # Both batches and the two triggers end the log.
    assert own == ("cus_1", store.position - 2 - 39, Decimal(21))


def test_thousands_of_events_at_once_trigger_at_the_right_one(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_alert(store, tokens, 2_500)
    receipts = [store.meter_events.ingest(columns(1_000)) for _ in range(3)]

    [found] = triggered(store)

    assert receipts[2].first_position is not None
    assert found == ("cus_1", receipts[2].first_position + 499, Decimal(2_500))


def test_an_alert_on_a_meter_with_history_knows_what_came_with_other_alerts(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_alert(store, create_meter(store, "requests", "count"), 1)
    store.meter_events.ingest(columns(event_name=["tokens", "requests"]))
    create_alert(store, tokens, 2)
    position = use(store)

    assert [each for each in triggered(store) if each[1] == position] == [
        ("cus_1", position, Decimal(2))
    ]


def test_a_lost_checkpoint_is_made_good_from_the_whole_log(
    tmp_path: Path, clock: metering.FixedClock
) -> None:
    target = tmp_path / "usage"
    with metering.connect(target, clock=clock) as store:
        create_alert(store, create_meter(store), 3)
        first = use(store, "3")
        store.seal()
        use(store, "2", "cus_2")
        store.seal()
    with closing(sqlite3.connect(target / "log.db")) as database, database:
        database.execute("UPDATE alert_checkpoint SET position = 2")

    with metering.connect(target, clock=clock) as store:
        second = use(store, "1", "cus_2")
        expected = [("cus_1", first, Decimal(3)), ("cus_2", second, Decimal(3))]
        assert triggered(store) == expected
        use(store, "5")
        store.seal()
        assert triggered(store) == expected


def test_triggers_are_read_by_pages_in_both_directions(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    alerts = [create_alert(store, tokens, 2), create_alert(store, tokens, 3)]
    for customer in ("cus_1", "cus_2", "cus_3"):
        use(store, "5", customer)
    store.catch_up()
    every = list(store.alerts.triggered())
    positions = [each.position for each in every]

    def page(**keywords: Any) -> list[metering.AlertTriggered]:
        return list(store.alerts.triggered(**keywords))

    assert len(every) == 6
    assert page(limit=100) == every
    assert page(limit=2) == every[-2:]
    assert page(limit=2, ending_before=positions[4]) == every[2:4]
    assert page(limit=2, starting_after=positions[0]) == every[1:3]
    assert page(limit=2, starting_after=0) == every[:2]
    assert page(starting_after=positions[4]) == every[5:]
    assert page(starting_after=positions[0], ending_before=positions[3]) == every[1:3]
    assert page(limit=2, starting_after=positions[5]) == []
    for alert in alerts:
        its = [each for each in every if each.alert == alert]
        assert page(alert=alert.id, limit=2) == its[1:]
    assert [each.customer for each in page(customer="cus_2", limit=1)] == ["cus_2"]
    for wrong in ({"limit": 0}, {"limit": 101}, {"starting_after": -1}):
        with refused(param=next(iter(wrong))):
            page(**wrong)
