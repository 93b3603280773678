"""The rate card: prices as columns, from which lines take what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from ledger.facts.prices import (
    CurrencyAmounts,
    Package,
    PackageRounding,
    PriceTier,
    TiersMode,
)
from ledger.usage.quantities import units_from_quantity
from projections.kernels.rating.limbs import AMOUNT_LIMBS, amount_limbs

ENDLESS = np.iinfo(np.int64).max
"""Up to where the last tier goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What a price is in one currency.

    Attributes:
        amounts: of a unit, or of tiers.
        tiers_mode: None where there are no tiers.
        package: how many units one amount is for; None is one.
    """

    amounts: CurrencyAmounts
    tiers_mode: TiersMode | None
    package: Package | None

    @property
    def tiers(self) -> tuple[PriceTier, ...]:
        """Its tiers, or the one in which every unit costs the same."""
        if self.amounts.tiers is not None:
            return self.amounts.tiers
        return (PriceTier(None, self.amounts.unit_amount, None),)


@dataclass(frozen=True, slots=True)
class RateCard:
    """Tariffs as columns, one row each.

    Attributes:
        divide_by: int64, the units of a package; 0 where there is none.
        rounds_up: bool, whether a package that is begun counts.
        is_volume: bool, whether all units are of the tier that the quantity reaches.
        is_tiered: bool.
        up_to: int64, tiers by tariffs: inclusive; `ENDLESS` in the last tier and beyond it.
        flat: int64, tiers by tariffs.
        unit: int64, tiers by limbs by tariffs.
    """

    divide_by: np.ndarray
    rounds_up: np.ndarray
    is_volume: np.ndarray
    is_tiered: np.ndarray
    up_to: np.ndarray
    flat: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, tariffs: Sequence[Tariff]) -> "RateCard":
        """Write tariffs down as columns."""
        tiers = [tariff.tiers for tariff in tariffs]
        height = max(map(len, tiers), default=1)
        up_to = np.full((height, len(tariffs)), ENDLESS, np.int64)
        flat = np.zeros((height, len(tariffs)), np.int64)
        units = [[0] * len(tariffs) for _ in range(height)]
        for column, each in enumerate(tiers):
            for row, tier in enumerate(each):
                if tier.up_to is not None:
                    up_to[row, column] = tier.up_to
                flat[row, column] = tier.flat_amount or 0
                units[row][column] = units_from_quantity(tier.unit_amount or Decimal(0))
        packages = [tariff.package for tariff in tariffs]
        unit = np.zeros((height, AMOUNT_LIMBS, len(tariffs)), np.int64)
        for row, amounts in enumerate(units):
            unit[row] = amount_limbs(amounts)
        return cls(
            np.array(
                [0 if each is None else each.divide_by for each in packages], np.int64
            ),
            np.array(
                [
                    each is not None and each.round is PackageRounding.UP
                    for each in packages
                ],
                bool,
            ),
            np.array(
                [tariff.tiers_mode is TiersMode.VOLUME for tariff in tariffs], bool
            ),
            np.array([tariff.amounts.tiers is not None for tariff in tariffs], bool),
            up_to,
            flat,
            unit,
        )
