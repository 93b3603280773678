"""An event sent again: an equal one is a duplicate, another one a named conflict."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.usual_usage import (
    NOW,
    PAYLOAD,
    cancel_event,
    counted,
    create_event,
    create_meter,
    rejections,
    total,
)

AN_HOUR_AGO = NOW - timedelta(hours=1)
SENT: dict[str, Any] = {
    "identifier": "req-1",
    "timestamp": AN_HOUR_AGO,
    "payload": {**PAYLOAD, "model": "large"},
}


def test_an_equal_event_answers_with_the_original(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    meter = create_meter(store)
    original = create_event(store, **SENT)
    clock.advance(timedelta(days=30))

    for connection in (store, other):
        again = create_event(connection, **SENT)

        assert again.duplicate
        assert again.position == original.position == 2
        assert again.created == original.created == NOW
        assert again.payload == original.payload
        assert again.timestamp == AN_HOUR_AGO
    assert store.position == 2
    assert total(store, meter) == 1


def test_an_equal_event_written_another_way_is_a_duplicate(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_event(
        store,
        payload={"stripe_customer_id": "42", "value": "1.50", "model": "1"},
        identifier="req-1",
        timestamp=AN_HOUR_AGO,
    )

    again = create_event(
        store,
        payload={"model": 1, "value": Decimal("15E-1"), "stripe_customer_id": 42},
        identifier="req-1",
        timestamp="2026-03-01T12:00:00+01:00",
    )

    assert again.duplicate
    assert total(store, tokens, "42") == Decimal("1.5")


def test_a_retry_without_a_timestamp_does_not_compare_it(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    create_meter(store)
    first = create_event(store, identifier="first now")
    dated = create_event(store, identifier="first dated", timestamp=AN_HOUR_AGO)
    clock.advance(timedelta(minutes=3))

    now_again = create_event(store, identifier="first now")
    dated_again = create_event(store, identifier="first dated")

    assert (now_again.duplicate, now_again.timestamp) == (True, first.timestamp)
    assert (dated_again.duplicate, dated_again.timestamp) == (True, dated.timestamp)


def test_a_retry_with_a_timestamp_compares_it_with_the_time_of_arrival(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_event(store, identifier="req-1")

    assert create_event(store, identifier="req-1", timestamp=NOW).duplicate
    with pytest.raises(metering.IdentifierConflictError) as conflict:
        create_event(store, identifier="req-1", timestamp=AN_HOUR_AGO)
    assert conflict.value.fields == ("timestamp",)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"payload": {**SENT["payload"], "stripe_customer_id": "cus_2"}}, {"customer"}),
        ({"timestamp": AN_HOUR_AGO + timedelta(microseconds=1)}, {"timestamp"}),
        ({"payload": {**SENT["payload"], "value": "2"}}, {"value"}),
        ({"payload": {**SENT["payload"], "model": "small"}}, {"payload"}),
        ({"payload": PAYLOAD}, {"payload"}),
        ({"payload": {**SENT["payload"], "region": "eu"}}, {"payload"}),
        (
            {"payload": {"stripe_customer_id": "cus_2", "value": "2"}},
            {"customer", "value", "payload"},
        ),
        (
            {
                "payload": {"stripe_customer_id": "cus_2", "value": "2", "a": "b"},
                "timestamp": NOW,
            },
            {"customer", "timestamp", "value", "payload"},
        ),
    ],
)
def test_an_event_of_other_content_is_a_conflict_that_names_what_differs(
    store: metering.Metering,
    changes: dict[str, Any],
    fields: set[str],
) -> None:
    meter = create_meter(store)
    original = create_event(store, **SENT)

    with pytest.raises(metering.IdentifierConflictError) as conflict:
        create_event(store, **{**SENT, **changes})

    assert isinstance(conflict.value.fields, tuple)
    assert set(conflict.value.fields) == fields
    assert len(conflict.value.fields) == len(fields)
    assert conflict.value.identifier == "req-1"
    assert conflict.value.position == original.position
    assert conflict.value.code == "identifier_conflict"
    assert conflict.value.param == "identifier"
    assert "identifier req-1 at position 2" in conflict.value.message
    for field in fields:
        assert field in conflict.value.message
    assert store.position == 2
    assert total(store, meter) == 1


def test_an_identifier_belongs_to_its_event_name(store: metering.Metering) -> None:
    tokens, words = create_meter(store), create_meter(store, "words")

    create_event(store, "tokens", identifier="req-1")
    other = create_event(store, "words", identifier="req-1")

    assert not other.duplicate
    assert total(store, tokens) == total(store, words) == 1


def test_identifiers_are_compared_character_by_character(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    similar = ["a", "A", "a ", " a", "é", "e\u0301", "1", "01"]

    assert not any(create_event(store, identifier=each).duplicate for each in similar)

    assert total(store, tokens) == 8


def test_a_cancelled_event_keeps_its_identifier_and_stays_cancelled(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    original = create_event(store, **SENT)
    cancel_event(store, "req-1")

    again = create_event(store, **SENT)

    assert again.duplicate
    assert again.cancelled
    assert again.position == original.position
    with pytest.raises(metering.IdentifierConflictError):
        create_event(store, identifier="req-1", timestamp=NOW)
    assert total(store, tokens) == 0


def test_an_identifier_stays_taken_for_ever_unless_its_retention_is_bounded(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    forgetful = connect(clock=clock, identifier_retention=timedelta(hours=1))
    meter = create_meter(store)
    create_event(store, identifier="req-1")

    clock.advance(timedelta(hours=1))
    assert create_event(forgetful, identifier="req-1").duplicate
    clock.advance(timedelta(microseconds=1))
    assert create_event(store, identifier="req-1").duplicate
    renewed = create_event(forgetful, identifier="req-1")

    assert not renewed.duplicate
    assert total(store, meter) == 2


def test_a_counting_meter_compares_the_text_under_the_value_key(
    store: metering.Metering,
) -> None:
    create_meter(store, formula="count")
    create_event(store, identifier="req-1", payload={**PAYLOAD, "value": "1.0"})

    with pytest.raises(metering.IdentifierConflictError) as conflict:
        create_event(store, identifier="req-1", payload={**PAYLOAD, "value": "1"})

    assert conflict.value.fields == ("payload",)


def test_in_one_batch_the_first_row_wins_and_others_repeat_or_contradict_it(
    store: metering.Metering,
) -> None:
    meter = create_meter(store)
    row: dict[str, object] = {"event_name": "tokens", "identifier": "req-1", **PAYLOAD}

    receipt = store.meter_events.ingest(
        [
            {**row, "value": "not a number"},
            row,
            {**row, "value": "2"},
            row,
            {**row, "value": "1.0", "timestamp": NOW},
            {**row, "stripe_customer_id": "cus_2", "timestamp": AN_HOUR_AGO},
        ],
        now=True,
    )

    assert counted(receipt) == (1, 2, 3)
    assert rejections(receipt) == [
        (0, "req-1", "meter_event_invalid_value"),
        (2, "req-1", "identifier_conflict"),
        (5, "req-1", "identifier_conflict"),
    ]
    assert (receipt.first_position, receipt.last_position) == (2, 2)
    messages = receipt.rejections["message"].to_pylist()
    assert "position 2, and differs in value;" in messages[1]
    assert "position 2, and differs in customer, timestamp;" in messages[2]
    assert total(store, meter) == 1


@pytest.mark.dialect
def test_a_batch_compares_with_what_was_recorded_before_in_any_way(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    meter = create_meter(store)
    create_event(store, identifier="single", timestamp=NOW)
    other.meter_events.ingest(
        [{"event_name": "tokens", "identifier": "batch", **PAYLOAD}], now=True
    )
    rows = [
        {"event_name": "tokens", "identifier": name, "payload": {**PAYLOAD, **more}}
        for name, more in (
            ("single", {}),
            ("batch", {}),
            ("new", {}),
            ("single", {"value": "2"}),
            ("batch", {"model": "large"}),
        )
    ]

    receipt = store.meter_events.ingest(rows, now=True)

    assert counted(receipt) == (1, 2, 2)
    assert rejections(receipt) == [
        (3, "single", "identifier_conflict"),
        (4, "batch", "identifier_conflict"),
    ]
    assert total(other, meter) == 3


def test_a_conflict_with_an_older_event_reads_as_one_sentence(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_event(store, identifier="req-1", timestamp=datetime(2026, 2, 1, tzinfo=UTC))

    with pytest.raises(metering.IdentifierConflictError) as conflict:
        create_event(store, identifier="req-1", timestamp=NOW)

    assert str(conflict.value) == (
        "An event already exists with identifier req-1 at position 2, and differs in"
        " timestamp; send other usage under another identifier"
    )
