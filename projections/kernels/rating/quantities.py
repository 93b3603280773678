"""Quantities to be rated: what is before the point and what is behind it, in columns.

The end of a tier is a whole number, so a quantity is compared with it and cut at it by
what is before the point. A stored quantity is a number of 128 bits in units of 10**-12,
which is 2**12 * 5**12: it is shifted, and divided by 5**12, of 28 bits.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from projections.kernels.rating.limbs import FRACTION, WHOLE_BOUND
from projections.kernels.usage.decimals import decimals_of, words_of

_SHIFT = np.uint64(12)
_DIVISOR = np.uint64(5**12)
_LOW_BITS = np.uint64((1 << 12) - 1)
_HALF = np.uint64(32)
_HALF_MASK = np.uint64((1 << 32) - 1)


@dataclass(frozen=True, slots=True)
class Quantities:
    """Quantities that can be rated.

    Attributes:
        whole: int64, from 0, below `WHOLE_BOUND`.
        fraction: int64, what is behind the point, in units of 10**-12.
    """

    whole: np.ndarray
    fraction: np.ndarray

    def at(self, rows: np.ndarray) -> "Quantities":
        """Return those of some rows."""
        return Quantities(self.whole[rows], self.fraction[rows])

    def are_above(self, ends: np.ndarray) -> np.ndarray:
        """Return (bool) which are more than whole numbers."""
        above: np.ndarray = (self.whole > ends) | (
            (self.whole == ends) & (self.fraction > 0)
        )
        return above

    def decimals(self) -> pa.Array:
        """Return them as decimal128(38, 12)."""
        whole, fraction = self.whole.astype(np.uint64), self.fraction.astype(np.uint64)
        upper = (whole >> _HALF) * _DIVISOR
        start = (whole & _HALF_MASK) * _DIVISOR + (fraction >> _SHIFT)
        low = start + (upper << _HALF)
        high = (upper >> _HALF) + (low < start)
        rest = fraction & _LOW_BITS
        words = [low << _SHIFT | rest, high << _SHIFT | low >> np.uint64(52)]
        return decimals_of(np.stack(words).view(np.int64))


@dataclass(frozen=True, slots=True)
class ReadQuantities:
    """Quantities of a column, as they are rated.

    Attributes:
        quantities: 0 in the place of those that are negative or too large.
        is_negative: bool.
        is_too_large: bool, which are not below `WHOLE_BOUND`.
    """

    quantities: Quantities
    is_negative: np.ndarray
    is_too_large: np.ndarray

    @classmethod
    def of(cls, values: pa.Array) -> "ReadQuantities":
        """Read a column of decimal128(38, 12) without nulls."""
        low, high = words_of(values)
        is_negative = high < 0
        bound_low, bound_high = _words_of_bound()
        is_too_large = (high > bound_high) | (
            (high == bound_high) & (low.view(np.uint64) >= bound_low)
        )
        is_none = is_negative | is_too_large
        low = np.where(is_none, 0, low).view(np.uint64)
        high = np.where(is_none, 0, high).view(np.uint64)
        shifted = low >> _SHIFT | high << np.uint64(52)
        # Long division, 32 bits at a time; the quotient of the highest is 0.
        middle = (high >> _SHIFT) << _HALF | shifted >> _HALF
        upper, rest = np.divmod(middle, _DIVISOR)
        lower, rest = np.divmod(rest << _HALF | shifted & _HALF_MASK, _DIVISOR)
        whole = upper << _HALF | lower
        fraction = rest << _SHIFT | low & _LOW_BITS
        return cls(
            Quantities(whole.view(np.int64), fraction.view(np.int64)),
            is_negative,
            is_too_large,
        )


def _words_of_bound() -> tuple[np.uint64, np.int64]:
    bound = WHOLE_BOUND * FRACTION
    return np.uint64(bound & (2**64 - 1)), np.int64(bound >> 64)
