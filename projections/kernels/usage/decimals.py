"""Decimals as machine words, so that they can be added up by the column, exactly.

A decimal128 is two 64-bit words. To add many, each is split into limbs of 32 bits, every
limb in an int64 of its own: adding then needs no carry, and is exact for as many as
2**31 numbers, however wide. Two limbs do where every number fits 64 bits. To be kept,
sums are put back into words, as few as hold the greatest of them.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ledger.usage.quantities import QUANTITY

_BITS = 32
_MASK = np.int64((1 << _BITS) - 1)
_EXACT_AT_A_TIME = 1 << 20


def words_of(values: pa.Array) -> np.ndarray:
    """View decimals as int64, two words by numbers, the low word first; null is 0."""
    if values.null_count:
        values = values.fill_null(pa.scalar(0, pa.int64()).cast(values.type))
    if len(values) == 0:
        return np.zeros((2, 0), np.int64)
    words = np.frombuffer(values.buffers()[1], np.int64).reshape(-1, 2)
    return words[values.offset : values.offset + len(values)].T


def decimals_of(words: np.ndarray) -> pa.Array:
    """Make decimals of two words by numbers, the low word first."""
    buffer = pa.py_buffer(np.ascontiguousarray(words.T))
    return pa.Array.from_buffers(QUANTITY, words.shape[1], [None, buffer])


def narrowed(words: np.ndarray) -> np.ndarray:
    """Leave out the highest words where they only repeat the sign of those below.

    Args:
        words: words by numbers, the lowest first; the highest has the sign.
    """
    while len(words) > 1 and (words[-1] == words[-2] >> 63).all():
        words = words[:-1]
    return words


def widened(words: np.ndarray, count: int) -> np.ndarray:
    """Give numbers more words, which repeat the sign of those below."""
    assert len(words) <= count, "numbers are not made narrower"
    if len(words) == count:
        return words
    sign = words[-1] >> 63
    return np.stack([*words, *[sign] * (count - len(words))])


def limbs_of(words: np.ndarray) -> np.ndarray:
    """Split numbers into int64 limbs of 32 bits, the lowest first.

    Args:
        words: int64, words by numbers, the lowest first; the highest has the sign.

    Returns:
        Two limbs for each word that is needed; the highest limb has the sign.
    """
    words = narrowed(words)
    limbs = np.empty((2 * len(words), words.shape[1]), np.int64)
    np.bitwise_and(words, _MASK, out=limbs[::2])
    np.right_shift(words, _BITS, out=limbs[1::2])
    # Only the highest limb has the sign.
    limbs[1:-1:2] &= _MASK
    return limbs


def words_of_limbs(limbs: np.ndarray) -> np.ndarray:
    """Put limbs together again.

    Returns:
        int64, words by numbers, the lowest first: one where 64 bits hold every number.
    """
    carry = np.zeros(limbs.shape[1], np.int64)
    halves = []
    for limb in limbs:
        carry = carry + limb
        halves.append(carry & _MASK)
        carry = carry >> _BITS
    words = [
        low | high << _BITS for low, high in zip(halves[::2], halves[1::2], strict=True)
    ]
    return narrowed(np.stack([*words, carry]))


def gather_limbs(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Put limbs one behind the other, as many for each number as the widest has."""
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
    """Tell whether as many numbers are equal, however their limbs carry them."""
    both = gather_limbs([limbs, others])
    carry = np.zeros(limbs.shape[1], np.int64)
    for ours, theirs in zip(both[:, : len(carry)], both[:, len(carry) :], strict=True):
        rest = ours - theirs + carry
        if (rest & _MASK).any():
            return False
        carry = rest >> _BITS
    return not carry.any()


def are_at_least(limbs: np.ndarray, number: int) -> np.ndarray:
    """Tell (bool) which numbers are as great as another, or greater.

    Args:
        limbs: of the numbers, however they carry.
        number: any.
    """
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
    are_so: np.ndarray = carry >= number
    return are_so


def limbs_of_numbers(numbers: Sequence[int]) -> np.ndarray:
    """Make limbs of numbers, as many as the widest needs."""
    try:
        return limbs_of(np.array([numbers], np.int64))
    except OverflowError:
        bits = max(number.bit_length() for number in numbers) + 1
    count = -(-bits // _BITS)
    limbs = [[n >> (_BITS * place) for n in numbers] for place in range(count)]
    lower = [[part & int(_MASK) for part in limb] for limb in limbs[:-1]]
    return np.array([*lower, limbs[-1]], np.int64)


def numbers_of_limbs(limbs: np.ndarray) -> list[int]:
    """Read numbers, or sums of numbers, from their limbs."""
    words = words_of_limbs(even_limbs(limbs))
    if len(words) == 1:
        numbers: list[int] = words[0].tolist()
        return numbers
    if len(words) > 2:
        return [number_of_limbs(limbs[:, at]) for at in range(limbs.shape[1])]
    return numbers_of_words(words)


def even_limbs(limbs: np.ndarray) -> np.ndarray:
    """Give numbers two limbs for each word."""
    if len(limbs) % 2 == 0:
        return limbs
    return np.concatenate([limbs, np.zeros((1, limbs.shape[1]), np.int64)])


def sums_by_group(group: np.ndarray, limbs: np.ndarray, count: int) -> np.ndarray:
    """Add up the numbers of each group, in whatever order they come.

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
            # Counted in floats, but of whole numbers whose sums are below 2**53.
            added = np.bincount(group[rows], limb[rows], minlength=count)
            np.add(out, added.astype(np.int64), out=out)
    return sums


def number_of_limbs(limbs: np.ndarray) -> int:
    """Read one number, or one sum of numbers, from its limbs."""
    return sum(limb << (_BITS * place) for place, limb in enumerate(limbs.tolist()))


def numbers_of_words(words: np.ndarray) -> list[int]:
    """Read numbers from their words, of which each has two at most."""
    words = narrowed(words)
    if len(words) == 1:
        numbers: list[int] = words[0].tolist()
        return numbers
    low, high = words.tolist()
    return [h << 64 | lo & (2**64 - 1) for lo, h in zip(low, high, strict=True)]


def negated(words: np.ndarray, is_negated: np.ndarray) -> np.ndarray:
    """Change the sign of some numbers, given as two words each."""
    low, high = words
    changed = np.stack([-low, ~high + (low == 0)])
    return np.where(is_negated, changed, words)


def number_of_words(words: np.ndarray) -> int:
    """Read one number from its two words."""
    low, high = words.tolist()
    return int((high << 64) | (low & (2**64 - 1)))
