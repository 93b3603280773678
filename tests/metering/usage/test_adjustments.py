"""Cancelling events: what may be cancelled, when, and what counts afterwards."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import (
    NOW,
    cancel_event,
    create_event,
    create_meter,
    total,
)

MICROSECOND = timedelta(microseconds=1)


def create_values(store: metering.Metering, *values: str, **keywords: Any) -> None:
    """Events named by their turn, a second apart, with these values."""
    for turn, value in enumerate(values):
        create_event(
            store,
            payload={"stripe_customer_id": "cus_1", "value": value},
            identifier=f"event-{turn}",
            timestamp=NOW - timedelta(hours=2) + timedelta(seconds=turn),
            **keywords,
        )


def test_a_cancelled_event_no_longer_counts(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    meter = create_meter(store)
    create_values(store, "1", "10.5", "100")

    adjustment = cancel_event(other, "event-1")

    assert adjustment == metering.MeterEventAdjustment(
        event_name="tokens",
        cancel=metering.Cancel(identifier="event-1"),
        livemode=False,
    )
    assert adjustment.object == "billing.meter_event_adjustment"
    assert (adjustment.type, adjustment.status) == ("cancel", "complete")
    assert total(store, meter) == total(other, meter) == 101


def test_cancelling_again_succeeds_and_changes_nothing(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    meter = create_meter(store)
    create_values(store, "1", "10")
    first = cancel_event(store, "event-1")
    position = store.position

    assert cancel_event(store, "event-1") == first
    assert cancel_event(other, "event-1") == first

    assert store.position == position
    assert total(store, meter) == 1


@pytest.mark.parametrize(
    ("event_name", "identifier"),
    [("tokens", "unknown"), ("words", "event-0"), ("nothing", "event-0")],
)
def test_an_event_that_does_not_exist_cannot_be_cancelled(
    store: metering.Metering, event_name: str, identifier: str
) -> None:
    create_meter(store)
    create_meter(store, "words")
    create_values(store, "1")

    with refused(
        "resource_missing",
        "cancel[identifier]",
        repr(event_name),
        repr(identifier),
        kind=metering.ResourceMissingError,
    ):
        cancel_event(store, identifier, event_name)

    assert store.position == 3


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"type": "amend"}, "type"),
        ({"type": None}, "type"),
        ({"cancel": None}, "cancel[identifier]"),
        ({"cancel": "event-0"}, "cancel"),
        ({"cancel": {}}, "cancel[identifier]"),
        ({"cancel": {"identifier": ""}}, "cancel[identifier]"),
        ({"cancel": {"identifier": 5}}, "cancel[identifier]"),
        ({"cancel": {"identifier": "\ud800"}}, "cancel[identifier]"),
        ({"event_name": None}, "event_name"),
        ({"event_name": "\ud800"}, "event_name"),
    ],
)
def test_an_adjustment_refuses_a_malformed_argument(
    store: metering.Metering,
    tokens: metering.Meter,
    changes: dict[str, Any],
    param: str,
) -> None:
    create_values(store, "1")
    arguments: dict[str, Any] = {
        "event_name": "tokens",
        "type": "cancel",
        "cancel": {"identifier": "event-0"},
    }

    with refused(None, param, param):
        store.meter_event_adjustments.create(**{**arguments, **changes})

    assert total(store, tokens) == 1


def test_an_event_can_be_cancelled_at_any_age(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    meter = create_meter(store)
    create_values(store, "1")
    clock.advance(timedelta(days=5000))

    cancel_event(store, "event-0")

    assert total(store, meter) == 0


def test_a_cancel_window_counts_from_the_recording_and_includes_its_end(
    connect: Connect, clock: metering.FixedClock
) -> None:
    strict = connect(clock=clock, cancel_window=timedelta(hours=24))
    generous = connect(clock=clock)
    meter = create_meter(strict)
    create_values(strict, "1", "10", "100")

    clock.advance(timedelta(hours=24))
    cancel_event(strict, "event-0")
    clock.advance(MICROSECOND)
    with pytest.raises(metering.InvalidRequestError) as refusal:
        cancel_event(strict, "event-1")
    cancel_event(generous, "event-2")

    assert refusal.value.code == "out_of_window"
    assert refusal.value.param == "cancel[identifier]"
    assert "event-1" in refusal.value.message
    assert "2026-03-01T12:00:00+00:00" in refusal.value.message
    assert total(strict, meter) == 10


def test_repeating_a_cancellation_succeeds_after_its_window(
    clock: metering.FixedClock,
) -> None:
    with metering.connect(
        ":memory:", clock=clock, cancel_window=timedelta(hours=1)
    ) as strict:
        create_meter(strict)
        create_values(strict, "1")
        cancel_event(strict, "event-0")
        clock.advance(timedelta(days=1))

        assert cancel_event(strict, "event-0").status == "complete"


def test_events_of_an_inactive_meter_can_be_cancelled(store: metering.Metering) -> None:
    meter = create_meter(store)
    create_values(store, "1", "10")
    store.meters.deactivate(meter.id)

    cancel_event(store, "event-0")

    assert total(store, meter) == 10


@pytest.mark.parametrize(
    ("formula", "before", "after"),
    [("sum", "111", "11"), ("count", "3", "2"), ("last", "100", "10")],
)
def test_cancelling_the_last_event_leaves_what_the_others_come_to(
    store: metering.Metering,
    formula: str,
    before: str,
    after: str,
) -> None:
    meter = create_meter(store, formula=formula)
    create_values(store, "1", "10", "100")
    assert total(store, meter) == Decimal(before)

    cancel_event(store, "event-2")

    assert total(store, meter) == Decimal(after)


# Recorded in this order, which is not that of their timestamps.
IN_ONE_HOUR = {
    "a": ("1", datetime(2026, 3, 1, 9, 0, 30, tzinfo=UTC)),
    "b": ("10", datetime(2026, 3, 1, 9, 0, 20, tzinfo=UTC)),
    "c": ("100", datetime(2026, 3, 1, 9, 0, 10, tzinfo=UTC)),
}
ON_TWO_DAYS = {
    name: ("1", datetime(2026, 2, day, tzinfo=UTC))
    for name, day in (("a", 26), ("b", 26), ("c", 27))
}


@pytest.mark.parametrize(
    ("formula", "window", "events", "order", "expected"),
    [
        ("last", None, IN_ONE_HOUR, "bac", [1, 1, 100, 0]),
        ("sum", "hour", IN_ONE_HOUR, "cab", [100, 10, 10, 0]),
        ("last", "hour", IN_ONE_HOUR, "cab", [100, 10, 10, 0]),
        ("sum", "day", IN_ONE_HOUR, "cab", [100, 10, 10, 0]),
        ("last", "day", IN_ONE_HOUR, "cab", [100, 10, 10, 0]),
        ("count", "day", ON_TWO_DAYS, "bca", [2, 2, 1, 0]),
    ],
)
def test_what_is_left_counts_as_if_the_others_had_never_been_sent(
    store: metering.Metering,
    formula: str,
    window: str | None,
    events: dict[str, tuple[str, datetime]],
    order: str,
    expected: list[int],
) -> None:
    meter = create_meter(store, formula=formula, event_time_window=window)
    for name, (value, at) in events.items():
        payload = {"stripe_customer_id": "cus_1", "value": value}
        create_event(store, payload=payload, identifier=name, timestamp=at)

    totals = [total(store, meter)]
    for name in order:
        cancel_event(store, name)
        totals.append(total(store, meter))

    assert totals == expected


def test_an_identifier_names_its_latest_event_once_it_may_be_used_again(
    clock: metering.FixedClock,
) -> None:
    with metering.connect(
        ":memory:", clock=clock, identifier_retention=timedelta(hours=1)
    ) as forgetful:
        meter = create_meter(forgetful)
        for value in ("1", "10"):
            create_event(
                forgetful,
                payload={"stripe_customer_id": "cus_1", "value": value},
                identifier="again",
            )
            clock.advance(timedelta(hours=2))

        cancel_event(forgetful, "again")

        assert total(forgetful, meter) == 1


@pytest.mark.dialect
def test_a_cancellation_outlives_its_connection(
    connect: Connect, clock: metering.FixedClock
) -> None:
    with connect(clock=clock) as store:
        meter = create_meter(store, formula="last")
        create_values(store, "1", "10")
        cancel_event(store, "event-1")

    assert total(connect(clock=clock), meter) == 1
