"""Prices of the meters of a traffic, and what its customers owe by them."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

import metering
from bench.stores.sealed_stores import SealedStore
from bench.stores.usage import usage_in_parts
from metering.cli.demo.traffic import EVENT_NAMES

Amounts = dict[tuple[str, str], int]
"""What customers owe, in cents, by event name and customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A part of a quantity, up to a number, and what a unit of it costs in cents."""

    up_to: int | None
    unit_amount: str


CARD: Final = {
    "input_tokens": (
        Tier(up_to=10_000, unit_amount="0.05"),
        Tier(up_to=100_000, unit_amount="0.035"),
        Tier(up_to=None, unit_amount="0.0202"),
    ),
    "output_tokens": (Tier(up_to=None, unit_amount="0.15"),),
    "compute_seconds": (Tier(up_to=None, unit_amount="0.0333"),),
}
"""The tiers of the price of each meter; one that has a single tier is per unit."""


def prices_of(engine: metering.Metering, meters: dict[str, str]) -> list[str]:
    """Find or create the prices; a store is kept for other runs."""
    keys = {name: f"bench_{name}" for name in CARD}
    found = {
        price.lookup_key: price.id
        for price in engine.prices.list(lookup_keys=list(keys.values()))
    }
    return [
        found.get(key) or _price(engine, meters[name], name, key)
        for name, key in keys.items()
    ]


def _price(engine: metering.Metering, meter: str, name: str, key: str) -> str:
    tiers = CARD[name]
    recurring: metering.RecurringParams = {
        "interval": "month",
        "usage_type": "metered",
        "meter": meter,
    }
    if len(tiers) == 1:
        return engine.prices.create(
            currency="usd",
            product_data={"name": name},
            unit_amount_decimal=tiers[0].unit_amount,
            recurring=recurring,
            lookup_key=key,
        ).id
    return engine.prices.create(
        currency="usd",
        product_data={"name": name},
        billing_scheme="tiered",
        tiers_mode="graduated",
        tiers=[
            {
                "up_to": "inf" if each.up_to is None else each.up_to,
                "unit_amount_decimal": Decimal(each.unit_amount),
            }
            for each in tiers
        ],
        recurring=recurring,
        lookup_key=key,
    ).id


def cost(quantity: Fraction, event_name: str) -> int:
    """Work out what a quantity costs in whole cents, a half of one rounded up."""
    cost, reached = Fraction(0), Fraction(0)
    for tier in CARD[event_name]:
        end = quantity if tier.up_to is None else min(quantity, Fraction(tier.up_to))
        cost += (end - reached) * Fraction(tier.unit_amount)
        reached = end
    return int(cost + Fraction(1, 2))


def owed_by_all(store: SealedStore, customers: int) -> Amounts:
    """Compute what all owe, from the numbers of the traffic and not from a store."""
    cells = len(EVENT_NAMES) * customers
    thousandths, counts = np.zeros(cells, np.int64), np.zeros(cells, np.int64)
    for part in usage_in_parts(store.traffic):
        cell = part.meter * customers + part.customer % customers
        # Sums of a million integers of this size are exact as floats.
        thousandths += np.bincount(cell, part.thousandths, cells).astype(np.int64)
        counts += np.bincount(cell, minlength=cells)
    return {
        (EVENT_NAMES[meter], store.traffic.customer_of(customer)): cost(
            Fraction(int(thousandths[cell]), 1_000), EVENT_NAMES[meter]
        )
        for cell in np.flatnonzero(counts).tolist()
        for meter, customer in [divmod(cell, customers)]
    }
