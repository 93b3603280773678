"""Own what a quantity costs by a price, worked out unit by unit of fractions."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any


@dataclass(frozen=True, slots=True)
class OracleTier:
    """What a line has in a tier; its cost is exact."""

    up_to: int | None
    quantity: Fraction
    cost: Fraction


def tiers_reached(price: Mapping[str, Any], quantity: Fraction) -> list[OracleTier]:
    """The tiers that a quantity reaches, by what a price was created with."""
    if price["tiers_mode"] == "volume":
        for tier in price["tiers"]:
            if tier["up_to"] == "inf" or quantity <= tier["up_to"]:
                return [OracleTier(_end(tier), quantity, _cost(tier, quantity))]
    reached = []
    start = Fraction(0)
    for tier in price["tiers"]:
        end = _end(tier)
        last = quantity if end is None else min(quantity, Fraction(end))
        part = last - start
        reached.append(OracleTier(end, part, _cost(tier, part)))
        if end is None or quantity <= end:
            break
        start = Fraction(end)
    return reached


def cost(price: Mapping[str, Any], quantity: Fraction) -> Fraction:
    """What a quantity costs, before it is rounded; less than nothing costs as nothing."""
    quantity = max(quantity, Fraction(0))
    if "tiers" in price:
        return sum(
            (each.cost for each in tiers_reached(price, quantity)), start=Fraction(0)
        )
    if "transform_quantity" in price:
        rule = price["transform_quantity"]
        whole = ceil if rule["round"] == "up" else floor
        quantity = Fraction(whole(quantity / rule["divide_by"]))
    return quantity * Fraction(price["unit_amount_decimal"])


def rounded(exact: Fraction) -> int:
    """The nearest whole number to what is not negative; of two, the greater."""
    return floor(exact + Fraction(1, 2))


def _end(tier: Mapping[str, Any]) -> int | None:
    return None if tier["up_to"] == "inf" else int(tier["up_to"])


def _cost(tier: Mapping[str, Any], quantity: Fraction) -> Fraction:
    unit = Fraction(tier.get("unit_amount_decimal", 0))
    return unit * quantity + Fraction(tier.get("flat_amount", 0))
