"""Own products and prices as tests of them make them."""

from typing import Any

import metering

TIERS: list[metering.TierParams] = [
    {"up_to": 1_000, "unit_amount": 10},
    {"up_to": "inf", "unit_amount": 5, "flat_amount": 100},
]


def create_product(m: metering.Metering, **given: Any) -> metering.Product:
    """Create a product called Tokens."""
    return m.products.create(**{"name": "Tokens", **given})


def metered(meter: str, **given: Any) -> dict[str, Any]:
    """A price by the month of what a meter measures."""
    return {"interval": "month", "usage_type": "metered", "meter": meter, **given}


def create_price(m: metering.Metering, **given: Any) -> metering.Price:
    """Create a price of 10 US cents, with a product of its own if none is named."""
    is_tiered = "tiers" in given
    usual: dict[str, Any] = {"currency": "usd"}
    if "product" not in given:
        usual["product_data"] = {"name": "Tokens"}
    if is_tiered:
        usual |= {"billing_scheme": "tiered", "tiers_mode": "graduated"}
        usual["recurring"] = {"interval": "month"}
    elif "unit_amount_decimal" not in given:
        usual["unit_amount"] = 10
    return m.prices.create(**{**usual, **given})
