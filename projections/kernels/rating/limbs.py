"""Products of quantities and amounts, exact, on columns of integers.

A quantity and an amount are whole numbers of 10**-12, so their product is one of 10**-24.
Both are cut into limbs of six decimal digits. The product of two limbs is below 10**12,
so an int64 adds up millions of them, and what lies behind the point is exactly four limbs:
nothing has to be divided to be rounded.

Columns of limbs are int64, limbs by numbers, the lowest first, none of them negative.
"""

from collections.abc import Sequence

import numpy as np

BASE = 10**6
"""Of a limb."""
FRACTION = 10**12
"""How many units of a quantity or of an amount are 1."""
WHOLE_BOUND = 10**18
"""What quantities, flat amounts and sums are below, so that they fit an int64."""
AMOUNT_LIMBS = 4
_QUANTITY_LIMBS = 5
_BEHIND_POINT = 4
_FITTING = _BEHIND_POINT + 3
_LIMBS = _QUANTITY_LIMBS + AMOUNT_LIMBS


def quantity_limbs(whole: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Cut quantities into limbs.

    Args:
        whole: int64, from 0, below `WHOLE_BOUND`.
        fraction: int64, what is behind the point, in units of 10**-12.
    """
    limbs = np.empty((_QUANTITY_LIMBS, len(whole)), np.int64)
    np.divmod(fraction, BASE, out=(limbs[1], limbs[0]))
    np.divmod(whole, BASE, out=(limbs[3], limbs[2]))
    np.divmod(limbs[3], BASE, out=(limbs[4], limbs[3]))
    return limbs


def amount_limbs(units: Sequence[int]) -> np.ndarray:
    """Cut amounts into limbs, given in units of 10**-12, from 0, below 10**24."""
    limbs = [
        [each // BASE**place % BASE for each in units] for place in range(AMOUNT_LIMBS)
    ]
    return np.array(limbs, np.int64)


class Sums:
    """Sums of products and of whole numbers, one for each line; they only grow.

    Args:
        limbs: as they are; all of them 0 at first.
    """

    def __init__(self, limbs: np.ndarray) -> None:
        assert len(limbs) == _LIMBS, "a sum is as long as a product"
        self._limbs = limbs

    @classmethod
    def of_nothing(cls, count: int) -> "Sums":
        """Return the sums of so many lines to which nothing was added."""
        return cls(np.zeros((_LIMBS, count), np.int64))

    def at(self, rows: np.ndarray) -> "Sums":
        """Return the sums of some lines."""
        return Sums(self._limbs[:, rows])

    def add(
        self, quantities: np.ndarray, amounts: np.ndarray, flat: np.ndarray
    ) -> None:
        """Add to each line a product, and a whole number.

        Args:
            quantities: limbs.
            amounts: limbs.
            flat: int64, from 0, below `WHOLE_BOUND`.
        """
        priced = [(at, limb) for at, limb in enumerate(amounts) if limb.any()]
        for low, quantity in enumerate(quantities):
            if quantity.any():
                for at, amount in priced:
                    self._limbs[low + at] += quantity * amount
        if flat.any():
            upper = flat // BASE
            self._limbs[_BEHIND_POINT] += flat % BASE
            self._limbs[_BEHIND_POINT + 1] += upper % BASE
            self._limbs[_BEHIND_POINT + 2] += upper // BASE
        self._carry()

    def rounded(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums as whole numbers, halves away from zero.

        It is the one place where money is rounded.

        Returns:
            The numbers (int64), and which of them (bool) do not fit and are none.
        """
        limbs = self._limbs
        whole = np.zeros(limbs.shape[1], np.int64)
        for limb in limbs[_FITTING - 1 : _BEHIND_POINT - 1 : -1]:
            whole = whole * BASE + limb
        whole += limbs[_BEHIND_POINT - 1] >= BASE // 2
        is_beyond = (limbs[_FITTING:] > 0).any(axis=0) | (whole >= WHOLE_BOUND)
        return whole, is_beyond

    def _carry(self) -> None:
        """Leave six digits in each limb."""
        for at in range(_LIMBS - 1):
            carry = self._limbs[at] // BASE
            self._limbs[at] -= carry * BASE
            self._limbs[at + 1] += carry
