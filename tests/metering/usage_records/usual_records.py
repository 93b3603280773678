"""Own the prices and subscriptions of usage records that tests of them vary."""

from decimal import Decimal
from typing import Any

import metering
from tests.metering.usual_prices import create_price


def recorded_price(
    m: metering.Metering, aggregate_usage: Any = "sum", **recurring: Any
) -> metering.Price:
    """Create a price by the month, 10 US cents for each unit that records say."""
    terms: Any = {"interval": "month", "usage_type": "metered", **recurring}
    return create_price(m, recurring={**terms, "aggregate_usage": aggregate_usage})


def item_of(
    m: metering.Metering, price: metering.Price, customer: str = "cus_1"
) -> str:
    """Subscribe a customer to a price; the id of the item."""
    made = m.subscriptions.create(customer=customer, items=[{"price": price.id}])
    return made.items.data[0].id


def usages(m: metering.Metering, item: str) -> list[Decimal]:
    """What is recorded of an item, by period, the newest first."""
    found = m.subscription_items.list_usage_record_summaries(item)
    return [each.total_usage for each in found.auto_paging_iter()]
