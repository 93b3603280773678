"""A repetition of a recorded event is a duplicate, whatever the clock or its meter says.

Only what is new is judged by the age of its timestamp and by the state of its meter.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import metering
from metering.usage.meter_events import NewMeterEvent
from metering.usage.stream_rules import StreamedEvent
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import (
    NOW,
    PAYLOAD,
    counted,
    create_event,
    create_meter,
    identifiers,
    rejections,
    table,
    total,
)

AN_HOUR_AGO = NOW - timedelta(hours=1)
LONG = timedelta(days=100)
SENT: dict[str, Any] = {
    "event_name": "tokens",
    "identifier": "req-1",
    "timestamp": AN_HOUR_AGO,
    "payload": PAYLOAD,
}
OTHER: dict[str, Any] = {**SENT, "payload": {**PAYLOAD, "value": "2"}}
NEW: dict[str, Any] = {**SENT, "identifier": "req-2"}

Spoil = Callable[[metering.Metering, metering.FixedClock], None]


def too_old(store: metering.Metering, clock: metering.FixedClock) -> None:
    del store
    clock.advance(LONG)


def too_new(store: metering.Metering, clock: metering.FixedClock) -> None:
    del store
    clock.advance(-LONG)


def inactive(store: metering.Metering, clock: metering.FixedClock) -> None:
    del clock
    [meter] = store.meters.list()
    store.meters.deactivate(meter.id)


CODES: list[tuple[Spoil, str]] = [
    (too_old, "timestamp_too_far_in_past"),
    (too_new, "timestamp_in_future"),
    (inactive, "archived_meter"),
]


@pytest.fixture(params=CODES, ids=[code for _, code in CODES])
def spoilt(
    request: pytest.FixtureRequest, connect: Connect, clock: metering.FixedClock
) -> tuple[metering.Metering, str]:
    """A store with one event, and what would be wrong with it were it new."""
    store = connect(clock=clock)
    create_meter(store)
    create_event(store, **SENT)
    spoil, code = request.param
    spoil(store, clock)
    return store, code


def test_one_event(spoilt: tuple[metering.Metering, str]) -> None:
    store, code = spoilt

    again = create_event(store, **SENT)

    assert (again.duplicate, again.position, again.timestamp) == (True, 2, AN_HOUR_AGO)
    with refused("identifier_conflict", "identifier", "differs in value"):
        create_event(store, **OTHER)
    with refused(code):
        create_event(store, **NEW)
    assert identifiers(store) == ["req-1"]


def test_a_repetition_that_breaks_another_rule_is_refused_for_the_first_one(
    spoilt: tuple[metering.Metering, str],
) -> None:
    store, code = spoilt

    with refused(code):
        create_event(store, **{**SENT, "payload": {"stripe_customer_id": "cus_1"}})


def test_events_together(spoilt: tuple[metering.Metering, str]) -> None:
    store, code = spoilt
    sent = [NewMeterEvent(**each) for each in (NEW, SENT, OTHER, SENT)]

    new, first, other, second = store.internals.record_events(sent)

    assert isinstance(new, metering.MeterEventInvalidError)
    assert new.code == code
    assert isinstance(other, metering.IdentifierConflictError)
    for again in (first, second):
        assert isinstance(again, metering.MeterEvent)
        assert (again.duplicate, again.position) == (True, 2)
    assert identifiers(store) == ["req-1"]


def test_a_stream(spoilt: tuple[metering.Metering, str]) -> None:
    store, code = spoilt
    sent = [
        StreamedEvent(**{**each, "timestamp": AN_HOUR_AGO.isoformat()})
        for each in (NEW, SENT)
    ]

    refusals = store.internals.accept_events(sent)

    assert {number: each.code for number, each in refusals.items()} == {0: code}
    assert identifiers(store) == ["req-1"]


ROWS = [
    {
        "event_name": "tokens",
        "identifier": identifier,
        "timestamp": AN_HOUR_AGO.isoformat(),
        "stripe_customer_id": "cus_1",
        "value": value,
    }
    for identifier, value in [
        ("req-2", "1"),
        ("req-1", "1"),
        ("req-1", "1e0"),
        ("req-1", "2"),
    ]
]


@pytest.mark.parametrize("source", [ROWS, table(ROWS)], ids=["rows", "columns"])
def test_rows_of_a_source(
    spoilt: tuple[metering.Metering, str], source: object
) -> None:
    store, code = spoilt

    receipt = store.meter_events.ingest(source)

    assert counted(receipt) == (0, 2, 2)
    assert rejections(receipt) == [
        (0, "req-2", code),
        (3, "req-1", "identifier_conflict"),
    ]
    assert identifiers(store) == ["req-1"]


@pytest.mark.parametrize("count", [1, 100])
def test_recorded_without_waiting(
    spoilt: tuple[metering.Metering, str], count: int
) -> None:
    store, code = spoilt
    told = list[metering.UnrecordedEvent]()

    with store.recorder(on_refused=told.append, max_events=1_000) as recorder:
        for _ in range(count):
            recorder.record(**SENT)
        recorder.record(**OTHER)
        if code == "archived_meter":
            recorder.record(**NEW)
        else:
            with refused(code):
                recorder.record(**NEW)
            with refused(code):
                recorder.record(**{**NEW, "identifier": None})

    expected = [("req-1", "identifier_conflict")]
    if code == "archived_meter":
        expected.append(("req-2", code))
    assert [(each.identifier, each.code) for each in told] == expected
    assert identifiers(store) == ["req-1"]


def test_an_event_that_was_backfilled_needs_no_backfill_again(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    meter = create_meter(store)
    old = table({**row, "timestamp": "2020-01-01T00:00:00Z"} for row in ROWS[:2])
    store.meter_events.ingest(old, backfill=True)

    again = store.meter_events.ingest(old)

    assert counted(again) == (0, 2, 0)
    assert total(store, meter) == 2


def test_a_repetition_without_a_timestamp_is_known_by_its_identifier(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    create_meter(store)
    create_event(store, **SENT)
    inactive(store, clock)

    assert create_event(store, identifier="req-1").duplicate


def test_repetitions_lie_between_new_events_of_a_batch(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    meter = create_meter(store)

    def batch(marks: str, count: int = 1_000) -> pa.Table:
        """Half of the events are older than may be."""
        return table(
            {
                "event_name": "tokens",
                "identifier": f"{mark}-{number}",
                "timestamp": ("2020-01-01" if number % 2 else "2026-03-01")
                + "T00:00:00Z",
                "stripe_customer_id": "cus_1",
                "value": "1",
            }
            for number in range(count)
            for mark in marks
        )

    store.meter_events.ingest(batch("a"), backfill=True)
    store.seal()

    receipt = other.meter_events.ingest(batch("ab"))

    assert counted(receipt) == (500, 1_000, 500)
    assert receipt.rejections["row"].to_pylist() == list(range(3, 2_000, 4))
    assert total(other, meter) == 1_500
    positions = np.array([event.position for event in other.meter_events.list()])
    assert positions[-500:].tolist() == list(range(1_002, 1_502))


def test_an_identifier_that_is_forgotten_is_new(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock, identifier_retention=timedelta(days=60))
    create_meter(store)
    create_event(store, **SENT)
    clock.advance(timedelta(days=50))
    assert create_event(store, **SENT).duplicate
    clock.advance(timedelta(days=50))

    with refused("timestamp_too_far_in_past"):
        create_event(store, **SENT)


def test_a_doubted_event_repeats_a_certain_one_before_it_in_its_batch(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    create_meter(store)
    times = ("2020-01-01", "2020-01-01", "2026-03-01", "2020-01-01", "2026-03-01")
    rows = [
        {
            "event_name": "tokens",
            "identifier": "a",
            "timestamp": f"{day}T00:00:00Z",
            "stripe_customer_id": "cus_1",
            "value": "1",
        }
        for day in times
    ]

    receipt = store.meter_events.ingest(table(rows))

    assert counted(receipt) == (1, 1, 3)
    assert rejections(receipt) == [
        (0, "a", "timestamp_too_far_in_past"),
        (1, "a", "timestamp_too_far_in_past"),
        (3, "a", "identifier_conflict"),
    ]
