"""Own a subscription whose usage draws credits, as these tests vary it."""

from datetime import UTC, datetime
from typing import Any

import metering
from tests.metering.statements.usual_statements import priced
from tests.metering.subscriptions.usual_subscriptions import subscribe
from tests.metering.usual_usage import create_event

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MIDDLE = datetime(2026, 2, 15, tzinfo=UTC)


def subscribed(m: metering.Metering, **given: Any) -> metering.Price:
    """Subscribe cus_1 to tokens of 10 cents, by the month from now on."""
    price = priced(m, **given)
    subscribe(m, price)
    return price


def use(
    m: metering.Metering, quantity: int, meter: str = "tokens", **given: Any
) -> metering.MeterEvent:
    """Record usage of cus_1, whatever covers it."""
    payload = {"stripe_customer_id": "cus_1", "value": str(quantity)}
    return create_event(m, meter, payload, **given)


def spend(
    m: metering.Metering, quantity: object, name: str = "e_1", **given: Any
) -> Any:
    """Record usage of cus_1 where it is covered."""
    usual: dict[str, Any] = {"customer": "cus_1", "meter": "tokens"}
    return m.spend(**{**usual, "quantity": quantity, "identifier": name, **given})


def burned(m: metering.Metering, **given: Any) -> dict[str, tuple[int, int, int]]:
    """Available, unbilled and uncovered, by currency."""
    summary = m.credit_balance_summary.retrieve(
        customer="cus_1", include_unbilled_usage=True, **given
    )
    found = {}
    for each in summary.balances:
        assert each.unbilled_usage is not None
        assert each.uncovered_usage is not None
        found[each.available_balance.monetary.currency] = (
            each.available_balance.monetary.value,
            each.unbilled_usage.monetary.value,
            each.uncovered_usage.monetary.value,
        )
    return found
