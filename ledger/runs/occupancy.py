"""Occupancy: a filter that shows at a glance that a hash is not among sorted ones.

There is a word of 64 bits for every four hashes or so, found by a hash's first bits; in
it each hash sets three bits, which its last 16 name. A look-up touches one word, and of
the hashes that are absent about one in a hundred comes through (Putze, Sanders and
Singler, Cache-, Hash- and Space-Efficient Bloom Filters, 2007). Binary search alone, in
a hundred million hashes, would touch some twenty places, most of them far apart.
"""

from functools import cache

import numpy as np

_HASHES_A_WORD = 4
_LAST_BITS = np.uint64((1 << 16) - 1)
_FIRST_IS_NEW = np.ones(1, bool)


@cache
def _all_marks() -> np.ndarray:
    """Work out the mark of each possible ending of a hash."""
    endings = np.arange(int(_LAST_BITS) + 1, dtype=np.uint64)
    first, second, third = (
        np.uint64(1) << (endings >> np.uint64(shift) & np.uint64(63))
        for shift in (0, 5, 10)
    )
    marks: np.ndarray = first | second | third
    return marks


def marks_of(hashes: np.ndarray) -> np.ndarray:
    """Look up the bits (uint64) that each hash (uint64) sets in its word."""
    marks: np.ndarray = _all_marks()[(hashes & _LAST_BITS).view(np.int64)]
    return marks


def words_for(count: int) -> np.ndarray:
    """Make the words (uint64) for a number of hashes, with no bit set."""
    at_least = max(2, count // _HASHES_A_WORD)
    return np.zeros(1 << (at_least - 1).bit_length(), np.uint64)


def shift_to_word(words: np.ndarray) -> np.uint64:
    """By how much a hash is shifted right to find its word."""
    return np.uint64(65 - len(words).bit_length())


def occupy(words: np.ndarray, hashes: np.ndarray) -> None:
    """Set the bits of some hashes (uint64, ascending)."""
    if len(hashes):
        at = (hashes >> shift_to_word(words)).view(np.int64)
        starts = np.flatnonzero(np.concatenate([_FIRST_IS_NEW, at[1:] != at[:-1]]))
        words[at[starts]] |= np.bitwise_or.reduceat(marks_of(hashes), starts)
