"""Own the ordinary meters and events that these tests vary, and how answers compare."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

import metering

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAYLOAD = {"stripe_customer_id": "cus_1", "value": "1"}


def create_meter(
    store: metering.Metering,
    event_name: str = "tokens",
    formula: Any = "sum",
    **keywords: Any,
) -> metering.Meter:
    return store.meters.create(
        display_name="A meter",
        event_name=event_name,
        default_aggregation={"formula": formula},
        **keywords,
    )


def create_event(
    store: metering.Metering,
    event_name: str = "tokens",
    payload: Mapping[str, str | float | Decimal] = PAYLOAD,
    **keywords: Any,
) -> metering.MeterEvent:
    return store.meter_events.create(event_name=event_name, payload=payload, **keywords)


def cancel_event(
    store: metering.Metering, identifier: str, event_name: str = "tokens"
) -> metering.MeterEventAdjustment:
    return store.meter_event_adjustments.create(
        event_name=event_name, type="cancel", cancel={"identifier": identifier}
    )


def total(
    store: metering.Metering, meter: metering.Meter, customer: str = "cus_1"
) -> Decimal:
    """Everything that ever counted for a customer."""
    [summary] = store.meters.event_summaries(
        meter.id,
        customer=customer,
        start_time=0,
        end_time=datetime(2100, 1, 1, tzinfo=UTC),
    )
    return summary.aggregated_value


def table(rows: Iterable[Mapping[str, object]], **types: pa.DataType) -> pa.Table:
    """Rows as columns, in the order of their first appearance; text unless told."""
    named = [*rows]
    names = [*dict.fromkeys(name for row in named for name in row)]
    return pa.table(
        {
            name: pa.array(
                [row.get(name) for row in named], types.get(name, pa.string())
            )
            for name in names
        }
    )


def batch(first: int, count: int, value: str = "1") -> pa.Table:
    """Events with identifiers of three customers; `value` may name their number."""
    return table(
        {
            "event_name": "tokens",
            "timestamp": "2026-03-01T12:00:00Z",
            "identifier": f"event-{number}",
            "stripe_customer_id": f"cus_{number % 3}",
            "value": value.format(number),
        }
        for number in range(first, first + count)
    )


def columns(length: int = 1, **given: object) -> pa.Table:
    """A flat table of ordinary events, with these columns besides or instead."""
    for column in given.values():
        length = len(column) if isinstance(column, list | pa.Array) else length
    usual: dict[str, object] = {
        name: [text] * length
        for name, text in {"event_name": "tokens", "timestamp": NOW, **PAYLOAD}.items()
    }
    return pa.table({**usual, **given})


def counted(receipt: metering.IngestReceipt) -> tuple[int, int, int]:
    """Accepted, duplicates, rejected."""
    return receipt.accepted, receipt.duplicates, receipt.rejected


def rejections(receipt: metering.IngestReceipt) -> list[tuple[int, str | None, str]]:
    """Row, identifier and code of each."""
    return [
        (each["row"], each["identifier"], each["code"])
        for each in receipt.rejections.to_pylist()
    ]


def payloads(store: metering.Metering) -> list[dict[str, str]]:
    return [event.payload for event in store.meter_events.list()]


def identifiers(store: metering.Metering) -> list[str]:
    return [event.identifier for event in store.meter_events.list()]


def timestamps(store: metering.Metering) -> list[datetime]:
    return [event.timestamp for event in store.meter_events.list()]
