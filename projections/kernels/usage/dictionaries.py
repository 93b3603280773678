"""Dictionaries of words: event names and customers, each once, in byte order.

The index of a word is its code. Codes sort as their words do.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc

WORDS = pa.large_string()
# Up to this many, a search for each is faster than a pass over all words.
_FEW = 64


def sorted_words(
    words: pa.Array, codes: np.ndarray, *, are_sorted: bool = False
) -> tuple[pa.Array, np.ndarray]:
    """Sort the words that are used.

    Args:
        words: each once, in any order.
        codes: indices of the words that are used.
        are_sorted: whether the words are in byte order already.

    Returns:
        The sorted words, and the new code of each word (int64; 0 where not used).
    """
    used = np.flatnonzero(np.bincount(codes, minlength=len(words)))
    kept = words.cast(WORDS).take(pa.array(used))
    ranks = np.zeros(len(words), np.int64)
    if are_sorted:
        ranks[used] = np.arange(len(used))
        return kept, ranks
    order = pc.sort_indices(kept)
    ranks[used[order.to_numpy()]] = np.arange(len(used))
    return kept.take(order), ranks


def merged_words(parts: Sequence[pa.Array]) -> tuple[pa.Array, list[np.ndarray]]:
    """Merge dictionaries.

    Returns:
        All words, and the new codes (int64) of each part's words.
    """
    distinct = pc.unique(pa.chunked_array(parts, WORDS))
    together = distinct.take(pc.sort_indices(distinct))
    return together, [
        pc.index_in(part, together).to_numpy().astype(np.int64) for part in parts
    ]


def code_of(words: pa.Array, word: str) -> int | None:
    """Return the code of a word; None where it is absent."""
    low, high = 0, len(words)
    while low < high:
        middle = (low + high) // 2
        if words[middle].as_py() < word:
            low = middle + 1
        else:
            high = middle
    is_found = low < len(words) and words[low].as_py() == word
    return low if is_found else None


def codes_of_many(words: pa.Array, wanted: Sequence[str]) -> np.ndarray:
    """Return the codes (int64) of many words, -1 for absent ones."""
    if len(wanted) <= _FEW:
        codes = [code_of(words, word) for word in wanted]
        return np.array([-1 if code is None else code for code in codes], np.int64)
    numbers = pc.index_in(words, pa.array(wanted, words.type))
    found = numbers.is_valid().to_numpy(zero_copy_only=False)
    codes_found = np.full(len(wanted), -1)
    codes_found[numbers.drop_null().to_numpy()] = np.flatnonzero(found)
    return codes_found
