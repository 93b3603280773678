"""Rating: a column of quantities becomes a column of amounts, each by its tariff.

A line is rated as a whole and rounded once, a half away from zero. `up_to` is inclusive
and compared exactly, so a quantity of 10.5 reaches the tier behind one up to 10. The flat
amount of the first tier is due at quantity 0.

What a tier of a line comes to is what the rounded total grows by at that tier. So the
tiers of a line add up to its amount, and none has a rounding of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ledger.usage.quantities import QUANTITY
from projections.kernels.rating.limbs import Sums, quantity_limbs
from projections.kernels.rating.quantities import Quantities
from projections.kernels.rating.rate_card import ENDLESS, RateCard

TIER = pa.struct(
    [("up_to", pa.int64()), ("quantity", QUANTITY), ("amount", pa.int64())]
)
"""A tier of a line: its end, null in the last one, and what the line has in it."""


@dataclass(frozen=True, slots=True)
class TierParts:
    """What some lines have in one of their tiers.

    Attributes:
        rows: int64, the lines.
        up_to: int64, the end of the tier.
        quantity: in the tier.
        amount: int64, what the line's amount grows by.
    """

    rows: np.ndarray
    up_to: np.ndarray
    quantity: Quantities
    amount: np.ndarray


@dataclass(frozen=True, slots=True)
class RatedLines:
    """What lines cost.

    Attributes:
        amount: int64, in whole minor units.
        is_beyond: bool, which lines cost too much for that; theirs are no amounts.
        parts: of the tiers that were reached, tier by tier.
    """

    amount: np.ndarray
    is_beyond: np.ndarray
    parts: Sequence[TierParts]

    def tiers(self) -> pa.Array:
        """Return the tiers that each line reached, in order; none where it has none."""
        count = np.zeros(len(self.amount), np.int64)
        for part in self.parts:
            count[part.rows] += 1
        offsets = np.zeros(len(count) + 1, np.int64)
        np.cumsum(count, out=offsets[1:])
        up_to, amount, whole, fraction = np.empty((4, offsets[-1]), np.int64)
        next_at = offsets[:-1].copy()
        for part in self.parts:
            at = next_at[part.rows]
            up_to[at], amount[at] = part.up_to, part.amount
            whole[at], fraction[at] = part.quantity.whole, part.quantity.fraction
            next_at[part.rows] += 1
        values = pa.StructArray.from_arrays(
            [
                pa.array(up_to, mask=up_to == ENDLESS),
                Quantities(whole, fraction).decimals(),
                pa.array(amount),
            ],
            fields=list(TIER),
        )
        return pa.ListArray.from_arrays(offsets.astype(np.int32), values)


def rate(card: RateCard, which: np.ndarray, given: Quantities) -> RatedLines:
    """Rate lines.

    Args:
        card: the tariffs.
        which: int64, the tariff of each line.
        given: the quantity of each line.
    """
    amount = np.zeros(len(which), np.int64)
    is_beyond = np.zeros(len(which), bool)
    parts: list[TierParts] = []
    rows, tariffs = np.arange(len(which)), which
    quantities, sums = _packed(card, which, given), Sums.of_nothing(len(which))
    starts = np.zeros(len(which), np.int64)
    for tier, end_of in enumerate(card.up_to):
        ends, is_volume = end_of[tariffs], card.is_volume[tariffs]
        goes_on = quantities.are_above(ends)
        inside = _inside(quantities, np.where(is_volume, 0, starts), ends, goes_on)
        # All units of a volume tariff are of the tier where the quantity ends.
        is_skipped = is_volume & goes_on
        inside.whole[is_skipped] = 0
        sums.add(
            quantity_limbs(inside.whole, inside.fraction),
            card.unit[tier][:, tariffs],
            np.where(is_skipped, 0, card.flat[tier][tariffs]),
        )
        total, is_beyond[rows] = sums.rounded()
        has_part = card.is_tiered[tariffs] & ~is_skipped
        if has_part.any():
            grown = total - amount[rows]
            parts.append(
                TierParts(
                    rows[has_part],
                    ends[has_part],
                    inside.at(has_part),
                    grown[has_part],
                )
            )
        amount[rows] = total
        if not goes_on.any():
            break
        rows, tariffs, starts = rows[goes_on], tariffs[goes_on], ends[goes_on]
        quantities, sums = quantities.at(goes_on), sums.at(goes_on)
    return RatedLines(amount, is_beyond, parts)


def _packed(card: RateCard, which: np.ndarray, given: Quantities) -> Quantities:
    """Return how many packages quantities are, where tariffs are of packages."""
    divide_by = card.divide_by[which]
    is_packed = divide_by > 0
    if not is_packed.any():
        return given
    divisor = np.where(is_packed, divide_by, 1)
    packages, rest = np.divmod(given.whole, divisor)
    is_begun = (rest > 0) | (given.fraction > 0)
    packages += is_begun & card.rounds_up[which]
    return Quantities(
        np.where(is_packed, packages, given.whole),
        np.where(is_packed, 0, given.fraction),
    )


def _inside(
    quantities: Quantities, starts: np.ndarray, ends: np.ndarray, goes_on: np.ndarray
) -> Quantities:
    """Return what of quantities lies in tiers, given which are more than their ends."""
    return Quantities(
        np.where(goes_on, ends, quantities.whole) - starts,
        np.where(goes_on, 0, quantities.fraction),
    )
