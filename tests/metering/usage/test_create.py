"""Recording one event: what is taken, and what comes back."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import NOW, PAYLOAD, create_event, create_meter, total

MICROSECOND = timedelta(microseconds=1)


@pytest.mark.dialect
def test_a_created_event_has_what_was_sent(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    create_meter(store)

    event = store.meter_events.create(
        event_name="tokens",
        payload={"stripe_customer_id": "cus_1", "value": "12.50", "model": "large"},
        identifier="req-1",
        timestamp=datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC),
    )

    assert event == metering.MeterEvent(
        created=NOW,
        event_name="tokens",
        identifier="req-1",
        payload={"stripe_customer_id": "cus_1", "value": "12.5", "model": "large"},
        timestamp=datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC),
        livemode=False,
        position=2,
        duplicate=False,
        cancelled=False,
    )
    assert event.object == "billing.meter_event"
    assert list(store.meter_events.list()) == [event]


def test_an_event_without_a_timestamp_happened_now(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    event = create_event(store)

    assert event.timestamp == event.created == NOW


def test_events_take_consecutive_positions(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    create_meter(store)

    positions = [
        create_event(each).position for each in (store, other, other, store, other)
    ]

    assert positions == [2, 3, 4, 5, 6]
    assert store.position == other.position == 6


def test_a_live_store_says_so_of_its_events(clock: metering.FixedClock) -> None:
    with metering.connect(":memory:", clock=clock, livemode=True) as live:
        create_meter(live)

        assert create_event(live).livemode


def test_a_made_up_identifier_is_a_uuid_of_version_7_made_of_the_time(
    store: metering.Metering, tokens: metering.Meter, clock: metering.FixedClock
) -> None:
    first = create_event(store).identifier
    clock.advance(timedelta(milliseconds=1))
    second = create_event(store).identifier

    for text, at in ((first, NOW), (second, NOW + timedelta(milliseconds=1))):
        made = uuid.UUID(text)
        assert str(made) == text
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
        assert made.int >> 80 == round(at.timestamp() * 1000)
    assert first < second


def test_events_without_identifiers_all_count(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    identifiers = {create_event(store).identifier for _ in range(20)}

    assert len(identifiers) == 20
    assert total(store, tokens) == 20


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("12.5", "12.5"),
        ("007", "7"),
        ("1.0000000000000", "1"),
        ("-0", "0"),
        ("-3", "-3"),
        ("1e3", "1000"),
        ("1.5E-7", "0.00000015"),
        ("0.000000000001", "0.000000000001"),
        ("9" * 18 + "." + "9" * 12, "9" * 18 + "." + "9" * 12),
        (7, "7"),
        (-(10**18) + 1, "-" + "9" * 18),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (123456789012345.67, "123456789012345.67"),
        (1e17, "1" + "0" * 17),
        (-0.0, "0"),
        (Decimal("1.50"), "1.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-12"), "0.000000000001"),
        (Decimal("-0.0"), "0"),
    ],
)
def test_a_value_is_kept_exactly_and_written_the_shortest_way(
    store: metering.Metering,
    tokens: metering.Meter,
    value: str | float | Decimal,
    kept: str,
) -> None:
    event = create_event(store, payload={"stripe_customer_id": "cus_1", "value": value})

    assert event.payload["value"] == kept
    assert total(store, tokens) == Decimal(kept)


def test_further_payload_keys_are_kept_as_text(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    event = create_event(
        store,
        payload={
            **PAYLOAD,
            "model": "large",
            "number": 5,
            "decimal": Decimal("1.50"),
            "empty": "",
            "": "no name",
            "k" * 100: "🚕" * 500,
            "timestamp": "not the event's",
        },
    )

    assert event.payload == {
        "stripe_customer_id": "cus_1",
        "value": "1",
        "model": "large",
        "number": "5",
        "decimal": "1.50",
        "empty": "",
        "": "no name",
        "k" * 100: "🚕" * 500,
        "timestamp": "not the event's",
    }


def test_a_meter_looks_for_customer_and_value_under_its_own_keys(
    store: metering.Metering,
) -> None:
    meter = create_meter(
        store,
        customer_mapping={"event_payload_key": "account", "type": "by_id"},
        value_settings={"event_payload_key": "größe"},
    )

    event = create_event(
        store, payload={"account": "acme", "größe": "2", "value": "not a number"}
    )

    assert event.payload == {"account": "acme", "größe": "2", "value": "not a number"}
    assert total(store, meter, "acme") == 2


def test_a_customer_may_be_a_number(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    event = create_event(store, payload={"stripe_customer_id": 42, "value": 1})

    assert event.payload["stripe_customer_id"] == "42"
    assert total(store, tokens, "42") == 1


@pytest.mark.parametrize(
    "payload_value", [{}, {"value": "not a number"}, {"value": "5"}]
)
def test_a_counting_meter_never_reads_the_value(
    store: metering.Metering, payload_value: dict[str, str]
) -> None:
    meter = create_meter(store, formula="count")

    event = create_event(
        store, payload={"stripe_customer_id": "cus_1", **payload_value}
    )

    assert event.payload == {"stripe_customer_id": "cus_1", **payload_value}
    assert total(store, meter) == 1


@pytest.mark.parametrize(
    "timestamp",
    [
        datetime(2026, 3, 1, 11, 30, tzinfo=UTC),
        datetime(2026, 3, 1, 8, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
        1772364600,
        "1772364600",
        "2026-03-01T11:30:00Z",
        "2026-03-01T11:30:00",
        "2026-03-01 11:30",
        "2026-03-01T13:30:00+02:00",
        "2026-03-01T13:30:00.0000000+0200",
    ],
)
def test_a_timestamp_can_be_given_in_many_ways(
    store: metering.Metering,
    tokens: metering.Meter,
    timestamp: datetime | int | str,
) -> None:
    event = create_event(store, timestamp=timestamp)

    assert event.timestamp == datetime(2026, 3, 1, 11, 30, tzinfo=UTC)
    assert event.timestamp.utcoffset() == timedelta(0)


def test_what_another_connection_does_to_a_meter_holds_at_once(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    create_meter(store, "words")
    create_event(store, "words")

    meter = create_meter(other)
    assert create_event(store).position == 4
    other.meters.deactivate(meter.id)
    with refused("archived_meter", kind=metering.MeterEventInvalidError):
        create_event(store)
    other.meters.reactivate(meter.id)
    create_event(store)

    assert total(store, meter) == total(other, meter) == 2


def test_an_event_is_a_value_that_cannot_be_changed(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    event = create_event(store)

    with pytest.raises(AttributeError):
        event.position = 7  # type: ignore[misc]  # Wrong on purpose.


def test_what_a_caller_changes_in_a_payload_afterwards_is_not_recorded(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    payload: dict[str, str | int | Decimal] = {**PAYLOAD}

    event = create_event(store, payload=payload)
    payload["value"] = "1000"

    assert event.payload["value"] == "1"
    assert total(store, tokens) == 1
