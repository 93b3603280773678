"""Own the ordinary schedule that these tests vary."""

from typing import Any

import metering
from tests.metering.usual_credits import METERED, money


def schedule(
    store: metering.Metering, value: int = 1_000, name: str = "monthly", **keywords: Any
) -> metering.CreditSchedule:
    usual: dict[str, Any] = {
        "customer": "cus_1",
        "amount": money(value),
        "applicability_config": METERED,
        "interval": "month",
    }
    return store.credit_schedules.create(id=name, **{**usual, **keywords})


def granted(store: metering.Metering, customer: str = "cus_1") -> list[tuple[str, int]]:
    """The ids and amounts of a customer's grants, the oldest first."""
    grants = store.credit_grants.list(customer, limit=100)
    return [(each.id, each.amount.monetary.value) for each in grants][::-1]
