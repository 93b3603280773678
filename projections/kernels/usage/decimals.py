"""Exact arithmetic on columns of decimals, as words and as limbs.

A decimal128 is two words of 64 bits. To add up many, each number is split into limbs of
32 bits, each limb in an int64: adding needs no carry and is exact for 2**31 numbers of
any width. Two limbs are enough where every number fits 64 bits. To be stored, sums are
put back into words, as few as hold the greatest of them.

Columns of words and of limbs are int64, words or limbs by numbers, the lowest first; the
highest has the sign. The unit of a quantity is 10**-12.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ledger.usage.quantities import QUANTITY

_BITS = 32
_MASK = np.int64((1 << _BITS) - 1)
# Below 2**53 where numbers have 32 bits: exact in doubles.
_EXACT_AT_A_TIME = 1 << 20


def words_of(values: pa.Array) -> np.ndarray:
    """View decimals as two words each; null is 0."""
    if values.null_count:
        values = values.fill_null(pa.scalar(0, pa.int64()).cast(values.type))
    if len(values) == 0:
        return np.zeros((2, 0), np.int64)
    words = np.frombuffer(values.buffers()[1], np.int64).reshape(-1, 2)
    return words[values.offset : values.offset + len(values)].T


def decimals_of(words: np.ndarray) -> pa.Array:
    """View numbers of two words each as quantities."""
    buffer = pa.py_buffer(np.ascontiguousarray(words.T))
    return pa.Array.from_buffers(QUANTITY, words.shape[1], [None, buffer])


def narrowed(words: np.ndarray) -> np.ndarray:
    """Drop the highest words where they only repeat the sign of those below."""
    while len(words) > 1 and (words[-1] == words[-2] >> 63).all():
        words = words[:-1]
    return words


def widened(words: np.ndarray, count: int) -> np.ndarray:
    """Return numbers with `count` words each, at least as many as they have."""
    assert len(words) <= count, "numbers are not made narrower"
    if len(words) == count:
        return words
    sign = words[-1] >> 63
    return np.stack([*words, *[sign] * (count - len(words))])


def limbs_of(words: np.ndarray) -> np.ndarray:
    """Split numbers into limbs of 32 bits, two for each word that they need."""
    words = narrowed(words)
    limbs = np.empty((2 * len(words), words.shape[1]), np.int64)
    np.bitwise_and(words, _MASK, out=limbs[::2])
    np.right_shift(words, _BITS, out=limbs[1::2])
    # Only the highest limb has the sign.
    limbs[1:-1:2] &= _MASK
    return limbs


def words_of_limbs(limbs: np.ndarray) -> np.ndarray:
    """Put limbs together again, into as few words as hold every number."""
    carry = np.zeros(limbs.shape[1], np.int64)
    halves = []
    for limb in limbs if len(limbs) % 2 == 0 else (*limbs, carry):
        carry = carry + limb
        halves.append(carry & _MASK)
        carry = carry >> _BITS
    words = [
        low | high << _BITS for low, high in zip(halves[::2], halves[1::2], strict=True)
    ]
    return narrowed(np.stack([*words, carry]))


def gather_limbs(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenate columns of limbs, with as many limbs as the widest has."""
    if len(parts) == 1:
        return parts[0]
    widest = max(len(part) for part in parts)
    gathered = np.zeros((widest, sum(part.shape[1] for part in parts)), np.int64)
    start = 0
    for part in parts:
        end = start + part.shape[1]
        gathered[: len(part), start:end] = part
        start = end
    return gathered


def are_equal_numbers(limbs: np.ndarray, others: np.ndarray) -> bool:
    """Whether two columns of limbs stand for the same numbers, carried or not."""
    both = gather_limbs([limbs, others])
    carry = np.zeros(limbs.shape[1], np.int64)
    for ours, theirs in zip(both[:, : len(carry)], both[:, len(carry) :], strict=True):
        rest = ours - theirs + carry
        if (rest & _MASK).any():
            return False
        carry = rest >> _BITS
    return not carry.any()


def are_at_least(limbs: np.ndarray, number: int) -> np.ndarray:
    """Return (bool) which numbers are at least `number`, carried or not."""
    carry = np.zeros(limbs.shape[1], np.int64)
    for limb in limbs:
        carry += limb - (number & int(_MASK))
        carry >>= _BITS
        number >>= _BITS
    while number not in {0, -1}:
        carry -= number & int(_MASK)
        carry >>= _BITS
        number >>= _BITS
    # What is left of a difference has its sign.
    reached: np.ndarray = carry >= number
    return reached


def limbs_of_numbers(numbers: Sequence[int]) -> np.ndarray:
    """Return the limbs of numbers, as many as the widest needs."""
    try:
        return limbs_of(np.array([numbers], np.int64))
    except OverflowError:
        bits = max(number.bit_length() for number in numbers) + 1
    count = -(-bits // _BITS)
    limbs = [[n >> (_BITS * place) for n in numbers] for place in range(count)]
    lower = [[part & int(_MASK) for part in limb] for limb in limbs[:-1]]
    return np.array([*lower, limbs[-1]], np.int64)


def numbers_of_limbs(limbs: np.ndarray) -> list[int]:
    """Return the numbers that limbs stand for, carried or not."""
    words = words_of_limbs(limbs)
    if len(words) <= 2:
        return numbers_of_words(words)
    *lower, highest = limbs
    numbers: list[int] = highest.tolist()
    for limb in reversed(lower):
        pairs = zip(numbers, limb.tolist(), strict=True)
        numbers = [(high << _BITS) + low for high, low in pairs]
    return numbers


def number_of_limbs(limbs: np.ndarray) -> int:
    """Return the number of one column of limbs."""
    return sum(limb << (_BITS * place) for place, limb in enumerate(limbs.tolist()))


def numbers_of_words(words: np.ndarray) -> list[int]:
    """Return numbers of two words each at most."""
    words = narrowed(words)
    if len(words) == 1:
        numbers: list[int] = words[0].tolist()
        return numbers
    low, high = words.tolist()
    return [h << 64 | lo & (2**64 - 1) for lo, h in zip(low, high, strict=True)]


def negated(words: np.ndarray, is_negated: np.ndarray) -> np.ndarray:
    """Return numbers of two words each, some of them (bool) with the other sign."""
    low, high = words
    changed = np.stack([-low, ~high + (low == 0)])
    return np.where(is_negated, changed, words)


def average_units(units: int, count: int) -> int:
    """Return a sum divided by the number of its addends, in whole units of 10**-12.

    A quotient between two units is rounded to the nearer one, and a half to the even
    one (IEEE 754 roundTiesToEven), so that many averages are not biased. No other
    computation on usage rounds.

    Args:
        units: the sum.
        count: at least 1.
    """
    assert count > 0, "an average is of something"
    quotient, rest = divmod(units, count)
    is_above_half = 2 * rest > count or (2 * rest == count and quotient % 2 == 1)
    return quotient + is_above_half


def sums_by_group(group: np.ndarray, limbs: np.ndarray, count: int) -> np.ndarray:
    """Add up the numbers of each group, in any order.

    Args:
        group: int64, of each number.
        limbs: of the numbers, each limb of 32 bits and a sign at most.
        count: how many groups there are.

    Returns:
        Limbs by groups.
    """
    sums = np.zeros((len(limbs), count), np.int64)
    for start in range(0, len(group), _EXACT_AT_A_TIME):
        rows = slice(start, start + _EXACT_AT_A_TIME)
        for limb, out in zip(limbs, sums, strict=True):
            # Counted in doubles, but of whole numbers whose sums are below 2**53.
            added = np.bincount(group[rows], limb[rows], minlength=count)
            np.add(out, added.astype(np.int64), out=out)
    return sums
