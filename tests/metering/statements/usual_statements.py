"""Own the ordinary statements that these tests vary, and the usage they are of."""

from datetime import UTC, datetime
from typing import Any

import metering
from tests.metering.usual_prices import TIERS, create_price, metered
from tests.metering.usual_usage import create_event, create_meter

START = datetime(2026, 2, 1, tzinfo=UTC)
END = datetime(2026, 3, 1, tzinfo=UTC)
INSIDE = datetime(2026, 2, 10, 12, 30, tzinfo=UTC)


def use(
    m: metering.Metering, value: str = "1", event_name: str = "tokens", **keywords: Any
) -> metering.MeterEvent:
    """Record usage of February."""
    payload = {
        "stripe_customer_id": keywords.pop("customer", "cus_1"),
        "value": value,
    }
    return create_event(m, event_name, payload, **{"timestamp": INSIDE, **keywords})


def priced(
    m: metering.Metering, event_name: str = "tokens", formula: Any = "sum", **given: Any
) -> metering.Price:
    """Create a meter and a price of what it measures, 10 US cents a unit."""
    meter = create_meter(m, event_name, formula)
    return create_price(m, recurring=metered(meter.id), **given)


def tiered(m: metering.Metering, event_name: str = "calls") -> metering.Price:
    """Create a meter and a graduated price of what it measures."""
    return priced(m, event_name, tiers=TIERS)


def february(*prices: metering.Price, **given: Any) -> dict[str, Any]:
    """What a statement of February is made of."""
    return {
        "customer": "cus_1",
        "prices": [price.id for price in prices],
        "start_time": START,
        "end_time": END,
        **given,
    }
