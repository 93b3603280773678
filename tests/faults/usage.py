"""Own the events that the fault tests send, and what must be true of a store of them.

Event n is the same whoever sends it and however often, so that what a store must hold
follows from which numbers were acknowledged.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

import metering
from tests.segment_places import places_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
EARLIEST = NOW - timedelta(days=30)
_CUSTOMERS = 7


def open_store(target: str, now: datetime = NOW) -> metering.Metering:
    clock = metering.FixedClock(now)
    # The receivers of these tests are on this machine.
    places = places_of(target)
    return metering.connect(target, clock=clock, allow_private_webhooks=True, **places)


def create_meter(target: str) -> None:
    with open_store(target) as store:
        store.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )


def event_fields(number: int) -> dict[str, Any]:
    """What creates and recorders take."""
    return {
        "event_name": "tokens",
        "identifier": _identifier(number),
        "timestamp": _timestamp(number),
        "payload": {"stripe_customer_id": _customer(number), "value": _value(number)},
    }


def create(store: metering.Metering, number: int) -> metering.MeterEvent:
    return store.meter_events.create(**event_fields(number))


def record(recorder: metering.Recorder, number: int) -> None:
    recorder.record(**event_fields(number))


def table(numbers: Sequence[int]) -> pa.Table:
    return pa.table(
        {
            "event_name": pa.array(["tokens"] * len(numbers), pa.string()),
            "identifier": [_identifier(number) for number in numbers],
            "timestamp": [_timestamp(number) for number in numbers],
            "stripe_customer_id": [_customer(number) for number in numbers],
            "value": [_value(number) for number in numbers],
        }
    )


def numbers_by_position(store: metering.Metering) -> dict[int, int]:
    """Every event of a store: its number, by its position, in the order of the log."""
    return {
        event.position: int(event.identifier.removeprefix("event-"))
        for event in store.meter_events.list()
    }


def assert_holds(store: metering.Metering, numbers: Collection[int]) -> None:
    """Check that a store holds these events once each, without gaps, and adds up."""
    stored = numbers_by_position(store)
    # The meter is at position 1.
    assert list(stored) == list(range(2, len(stored) + 2))
    assert sorted(stored.values()) == sorted(numbers)
    assert store.position == len(stored) + 1
    assert totals(store) == expected_totals(numbers)
    assert store.verify().problems == ()


def totals(store: metering.Metering) -> dict[str, Decimal]:
    meter = store.meters.retrieve(event_name="tokens")
    return {
        _customer(number): store.meters.event_summaries(
            meter.id,
            customer=_customer(number),
            start_time=EARLIEST,
            end_time=NOW + timedelta(seconds=1),
        )[0].aggregated_value
        for number in range(_CUSTOMERS)
    }


def expected_totals(numbers: Collection[int]) -> dict[str, Decimal]:
    sums = {_customer(number): Decimal(0) for number in range(_CUSTOMERS)}
    for number in numbers:
        sums[_customer(number)] += Decimal(_value(number))
    return sums


def _identifier(number: int) -> str:
    return f"event-{number}"


def _timestamp(number: int) -> datetime:
    return NOW - timedelta(seconds=number)


def _customer(number: int) -> str:
    return f"cus_{number % _CUSTOMERS}"


def _value(number: int) -> str:
    return f"{number % 1000}.{number:012d}"
