"""Spend: what usage costs by prices, line by line, as bills have it.

The usage of each price's meter is rated and rounded by itself, also where there is none:
what is due at quantity 0 counts. The spend is the sum. `MOST` stands for it where it is
more than 18 digits.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from ledger.facts.alerts import Spend
from ledger.facts.prices import PriceTier, TiersMode
from projections.kernels.rating.limbs import FRACTION, WHOLE_BOUND
from projections.kernels.rating.quantities import Quantities, ReadQuantities
from projections.kernels.rating.rate_card import RateCard, Tariff
from projections.kernels.rating.rating import rate
from projections.kernels.usage.decimals import (
    are_at_least,
    decimals_of,
    widened,
    words_of_limbs,
)

MOST = WHOLE_BOUND


def tariffs_of(spend: Spend) -> list[Tariff]:
    """Return what the prices are in the currency."""
    return [
        Tariff(amounts=each.amounts, tiers_mode=each.tiers_mode, package=each.package)
        for each in spend.prices
    ]


def ceiling_of(tariff: Tariff) -> Tariff:
    """Return a tariff by which no quantity costs less, and more never costs less.

    All but those of volume tiers are such themselves.
    """
    if tariff.tiers_mode is not TiersMode.VOLUME:
        return tariff
    tier = PriceTier(
        up_to=None,
        unit_amount=max(each.unit_amount or Decimal(0) for each in tariff.tiers),
        flat_amount=max(each.flat_amount or 0 for each in tariff.tiers),
    )
    amounts = type(tariff.amounts)(
        unit_amount=None, tiers=(tier,), tax_behavior=tariff.amounts.tax_behavior
    )
    return replace(tariff, amounts=amounts, tiers_mode=TiersMode.GRADUATED)


def amounts_of(tariff: Tariff, limbs: np.ndarray, *, is_counted: bool) -> np.ndarray:
    """Return what usage costs, in minor units (int64), `MOST` at most.

    Args:
        tariff: of the price.
        limbs: of usage, carried or not; see `projections.kernels.usage.decimals`.
        is_counted: whether the unit of usage is 1, and not 10**-12.
    """
    bound = WHOLE_BOUND if is_counted else WHOLE_BOUND * FRACTION
    are_too_large = are_at_least(limbs, bound)
    are_none = are_too_large | ~are_at_least(limbs, 0)
    words = widened(words_of_limbs(np.where(are_none, 0, limbs)), 2)
    quantities = (
        Quantities(words[0], np.zeros_like(words[0]))
        if is_counted
        else ReadQuantities.of(decimals_of(words)).quantities
    )
    card = RateCard.of([tariff])
    rated = rate(card, np.zeros(len(words[0]), np.int64), quantities)
    amounts: np.ndarray = np.where(
        are_too_large | rated.is_beyond, np.int64(MOST), rated.amount
    )
    return amounts


def spend_of(amounts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sums (int64) of the amounts of prices, `MOST` at most."""
    total = np.zeros_like(amounts[0])
    for each in amounts:
        total = np.minimum(total + each, MOST)
    return total
