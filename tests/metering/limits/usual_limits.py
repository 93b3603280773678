"""Own the ordinary limit that these tests vary."""

from typing import Any

import metering
from tests.metering.usual_credits import money
from tests.metering.usual_prices import create_price, metered
from tests.metering.usual_usage import create_meter


def priced(m: metering.Metering, name: str = "tokens", **given: Any) -> str:
    """A price of 5 US cents for what a new meter measures."""
    recurring = metered(create_meter(m, name).id)
    return create_price(m, recurring=recurring, **{"unit_amount": 5, **given}).id


def limit(
    m: metering.Metering, value: int = 1_000, **given: Any
) -> metering.SpendLimit:
    usual: dict[str, Any] = {"customer": "cus_1", "amount": money(value), "id": "cap"}
    return m.spend_limits.create(**{**usual, **given})


def spent(m: metering.Metering, name: str = "cap") -> tuple[int, int, int]:
    """What is spent of it, held and left."""
    found = m.spend_limits.retrieve(name)
    return (
        found.amount_spent.monetary.value,
        found.amount_held.monetary.value,
        found.amount_left.monetary.value,
    )


def warned(m: metering.Metering) -> list[tuple[int, int, Any]]:
    """Percentage, amount spent and window of each warning, oldest first."""
    m.catch_up()
    told = m.events.list("metering.spend_limit.warned", limit=100)
    found: list[Any] = [each.data.object for each in told]
    return [
        (each.percentage, each.amount_spent.monetary.value, each.window_start)
        for each in reversed(found)
    ]
