"""Holds as people see them."""

from __future__ import annotations

import metering
from metering.cli.screens.money import amount_text
from metering.cli.screens.screen import Column
from metering.cli.screens.text import second


def hold_columns(customer: str | None) -> list[Column[metering.CreditHold]]:
    """Return the columns of holds, of one customer or of all."""

    def written(hold: metering.CreditHold, name: str) -> str:
        amount: metering.CreditAmount = getattr(hold, name)
        return amount_text(amount.monetary.value, amount.monetary.currency)

    columns: list[Column[metering.CreditHold]] = [
        Column("held", lambda each: written(each, "amount_held"), is_number=True),
        Column("drawn", lambda each: written(each, "amount_drawn"), is_number=True),
        Column(
            "released", lambda each: written(each, "amount_released"), is_number=True
        ),
        Column("", lambda each: each.amount.monetary.currency.upper()),
        Column("status", lambda each: each.status),
        Column("expires (UTC)", lambda each: second(each.expires_at)),
        Column("hold", lambda each: each.id, is_whole=True),
    ]
    if customer is None:
        columns.insert(0, Column("customer", lambda each: each.customer))
    return columns
