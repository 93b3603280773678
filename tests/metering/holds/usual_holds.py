"""Own the ordinary hold that these tests vary."""

from typing import Any

import metering
from tests.metering.usual_credits import money


def hold(
    store: metering.Metering, value: int = 800, name: str = "job_1", **keywords: Any
) -> metering.CreditHold:
    usual: dict[str, Any] = {"customer": "cus_1", "amount": money(value)}
    return store.credit_holds.create(id=name, **{**usual, **keywords})


def amounts(hold: metering.CreditHold) -> tuple[int, int, int]:
    """What is held of it, drawn and released."""
    return (
        hold.amount_held.monetary.value,
        hold.amount_drawn.monetary.value,
        hold.amount_released.monetary.value,
    )


def balances(store: metering.Metering, **keywords: Any) -> tuple[int, int, int]:
    """Ledger, available and held."""
    summary = store.credit_balance_summary.retrieve(customer="cus_1", **keywords)
    [found] = summary.balances
    return (
        found.ledger_balance.monetary.value,
        found.available_balance.monetary.value,
        found.held_balance.monetary.value,
    )
