"""Own subscriptions as tests of them make them."""

from datetime import datetime
from typing import Any

import metering
from tests.metering.usual_prices import create_price, metered


def metered_price(m: metering.Metering, **recurring: Any) -> metering.Price:
    """Create a price by the month for a meter that is made for it, or for one given."""
    meter = recurring.pop("meter", None)
    if meter is None:
        meter = m.meters.ensure(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        ).id
    return create_price(m, recurring=metered(meter, **recurring))


def licensed_price(
    m: metering.Metering, product: str | None = None, **recurring: Any
) -> metering.Price:
    """Create a price by the month of a quantity that its buyer says."""
    its = {} if product is None else {"product": product}
    return create_price(m, recurring={"interval": "month", **recurring}, **its)


def subscribe(
    m: metering.Metering, *prices: metering.Price, **given: Any
) -> metering.Subscription:
    """Subscribe cus_1 to some prices, or to a metered one that is made for it."""
    items: Any = [{"price": each.id} for each in prices or (metered_price(m),)]
    return m.subscriptions.create(**{"customer": "cus_1", "items": items, **given})


def periods(subscription: metering.Subscription) -> list[tuple[datetime, datetime]]:
    """When the current periods of its items begin and end."""
    return [
        (each.current_period_start, each.current_period_end)
        for each in subscription.items.data
    ]
