"""Words: event names and customers, each once, in byte order; their index is their code.

Equal words then have equal codes, wherever they came from, and codes are in the order
of what they stand for: what is sorted by the one is sorted by the other.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

WORDS = pa.large_string()
# Up to so many, looking for each is quicker than going over all words.
_FEW = 64


def sorted_words(words: pa.Array, codes: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    """Bring words into byte order, without those that nothing uses.

    Args:
        words: each once, in any order.
        codes: what is used of them, as their indices.

    Returns:
        The words, and for each index the new one (int64; 0 where it is not used).
    """
    used = np.flatnonzero(np.bincount(codes, minlength=len(words)))
    kept = words.cast(WORDS).take(pa.array(used))
    order = pc.sort_indices(kept)
    ranks = np.zeros(len(words), np.int64)
    ranks[used[order.to_numpy()]] = np.arange(len(used))
    return kept.take(order), ranks


def merged_words(parts: Sequence[pa.Array]) -> tuple[pa.Array, list[np.ndarray]]:
    """Bring the words of several parts together.

    Returns:
        All words; and for each part, of each of its words the new code (int64).
    """
    distinct = pc.unique(pa.chunked_array(parts, WORDS))
    together = distinct.take(pc.sort_indices(distinct))
    return together, [
        pc.index_in(part, together).to_numpy().astype(np.int64) for part in parts
    ]


def code_of(words: pa.Array, word: str) -> int | None:
    """Find the code of a word, None where it is not among the words."""
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
    """Find the codes of many words (int64), -1 for those that are not among the words."""
    if len(wanted) <= _FEW:
        codes = [code_of(words, word) for word in wanted]
        return np.array([-1 if code is None else code for code in codes], np.int64)
    numbers = pc.index_in(words, pa.array(wanted, words.type))
    found = numbers.is_valid().to_numpy(zero_copy_only=False)
    codes_found = np.full(len(wanted), -1)
    codes_found[numbers.drop_null().to_numpy()] = np.flatnonzero(found)
    return codes_found
