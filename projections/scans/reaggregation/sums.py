"""Sums of groups of numbers, exact however many and however large.

A sum is kept in limbs: int64 columns, the lowest first, of which each but the highest
holds 32 bits. Two do where all numbers are small.
"""

from collections.abc import Sequence

import numpy as np

_BITS = 32
_MASK = np.int64((1 << _BITS) - 1)
# Limbs of no more bits can be added up by the million.
_ROOMY_BITS = 40


def sums_of(numbers: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Add up groups of neighbours, int64, modulo 2**64.

    Args:
        numbers: int64.
        starts: the row at which each group starts, ascending.
    """
    # reduceat does not take nothing for an answer.
    if len(starts) == 0:
        return np.zeros(0, np.int64)
    sums: np.ndarray = np.add.reduceat(numbers, starts)
    return sums


def sums_of_words(words: np.ndarray, starts: np.ndarray) -> list[np.ndarray]:
    """Add up groups of numbers of two words each.

    Args:
        words: int64, two by numbers, the low one first.
        starts: as for `sums_of`.

    Returns:
        Limbs.
    """
    low, high = words
    upper = low >> 63
    is_narrow = (high == upper).all()
    # Getting new memory would take longer than the numbers do.
    np.right_shift(low, _BITS, out=upper)
    if is_narrow:
        return _carried(_halves(low, upper, starts))
    limbs = _halves(low, upper & _MASK, starts) + _halves(high, high >> _BITS, starts)
    return _carried(limbs)


def sums_of_limbs(limbs: Sequence[np.ndarray], starts: np.ndarray) -> list[np.ndarray]:
    """Add up groups of sums.

    Args:
        limbs: of the sums.
        starts: as for `sums_of`.

    Returns:
        Limbs.
    """
    return _carried([sums_of(limb, starts) for limb in limbs])


def _halves(
    word: np.ndarray, upper: np.ndarray, starts: np.ndarray
) -> list[np.ndarray]:
    """Add up the lower and the upper halves of words, given the upper ones.

    The lower ones' sum, of fewer than 64 bits, is what remains of the words' sum even
    though that overflows; nothing has to be cut out of every word for it.
    """
    upper_sums = sums_of(upper, starts)
    return [sums_of(word, starts) - (upper_sums << _BITS), upper_sums]


def _carried(limbs: list[np.ndarray]) -> list[np.ndarray]:
    """Leave 32 bits in every limb but the highest, and that one room to grow."""
    if len(limbs) == 2 and (np.abs(limbs[1]) >> _ROOMY_BITS).any():
        lowest, highest = limbs
        limbs = [
            lowest,
            highest & _MASK,
            (highest >> _BITS) & _MASK,
            highest >> (2 * _BITS - 1),
        ]
    for at in range(len(limbs) - 1):
        limbs[at + 1] += limbs[at] >> _BITS
        limbs[at] &= _MASK
    return limbs
