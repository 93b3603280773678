"""The events of the everyday path, and how they come to a store."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pyarrow as pa

import metering
from metering.cli.demo.traffic import END

EVENT_NAME = "tokens"
CUSTOMER = "cus_1"


@contextmanager
def open_store(place: str) -> Iterator[metering.Metering]:
    """Open a store with a meter, at a clock that stands."""
    with metering.connect(place, clock=metering.FixedClock(END)) as store:
        store.meters.ensure(
            display_name="Tokens",
            event_name=EVENT_NAME,
            default_aggregation={"formula": "sum"},
        )
        yield store


def create(store: metering.Metering, number: int) -> None:
    """Create one event, durably."""
    store.meter_events.create(**event(number))


def event(number: int) -> dict[str, Any]:
    """Return an event as a caller holds it; seconds in the current hour by number."""
    return {
        "event_name": EVENT_NAME,
        "identifier": f"request_{number}",
        "timestamp": END - timedelta(milliseconds=number % 600_000),
        "payload": {
            "stripe_customer_id": CUSTOMER,
            "value": str(1 + number % 100),
            "model": "large",
        },
    }


def ingest(store: metering.Metering, numbers: range, batch: int = 50_000) -> None:
    """Record the same events as `create`, in batches."""
    for start in range(0, len(numbers), batch):
        rows = [event(number) for number in numbers[start : start + batch]]
        table = pa.table(
            {
                "event_name": [row["event_name"] for row in rows],
                "identifier": [row["identifier"] for row in rows],
                "timestamp": pa.array(
                    [row["timestamp"] for row in rows], pa.timestamp("us", "UTC")
                ),
                "payload": pa.array(
                    [list(row["payload"].items()) for row in rows],
                    pa.map_(pa.string(), pa.string()),
                ),
            }
        )
        receipt = store.meter_events.ingest(table)
        assert receipt.accepted == len(rows), "they are new"
