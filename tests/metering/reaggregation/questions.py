"""Own how these tests use a meter in February 2026, and ask what it comes to."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import metering
from tests.metering.usual_usage import create_event

MICROSECOND = timedelta(microseconds=1)


def at(day: int, hour: int = 0, minute: int = 0, microsecond: int = 0) -> datetime:
    """A moment of February 2026, UTC."""
    return datetime(2026, 2, day, hour, minute, 0, microsecond, tzinfo=UTC)


def use(store: metering.Metering, timestamp: datetime, value: str = "1") -> None:
    create_event(
        store,
        payload={"stripe_customer_id": "cus_1", "value": value},
        timestamp=timestamp,
    )


def ask(
    store: metering.Metering, meter: metering.Meter, start: Any, end: Any, **more: Any
) -> list[tuple[datetime, datetime, Decimal]]:
    """Windows and their values, as they come."""
    return [
        (each.start_time, each.end_time, each.aggregated_value)
        for each in store.meters.event_summaries(
            meter.id,
            **{"customer": "cus_1", "start_time": start, "end_time": end, **more},
        )
    ]


def values(answer: list[tuple[datetime, datetime, Decimal]]) -> list[Decimal]:
    return [value for _, _, value in answer]
