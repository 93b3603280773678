"""Fingerprints: one number for all that an event says, for as long as a process lives.

An event that is sent again is proven equal by its fingerprint, where its original would
have to be read and unpacked with the commit that holds it. Unlike a content hash, which
segments keep, it covers the timestamp, depends on a key that each process draws, and is
made of columns, in a third of the time.
"""

import secrets

import numpy as np
import pyarrow as pa

from ledger.usage.columns import numbers_of, timestamps_of
from ledger.usage.string_hashes import string_hashes

UNKNOWN = np.uint64(0)
"""No fingerprint: what has it proves nothing."""

_SAMPLE, _REPEATS = 512, 4

_KEY = np.frombuffer(secrets.token_bytes(10 * 8), np.uint64)


def fingerprints(batch: pa.RecordBatch) -> np.ndarray:
    """Return the fingerprints of a usage batch, as uint64 in the order of its rows.

    Equal events have equal ones, however their columns are encoded or sliced.
    """
    key = _KEY
    if not batch.num_rows:
        return np.zeros(0, np.uint64)
    low, high = _value_words(batch.column("value"), key[8])
    # Each is mixed so well that different contents have different sums, but by chance.
    return np.asarray(
        _of_words(batch.column("event_name"), key[0])
        + string_hashes(batch.column("identifier"), key[1])
        + _of_words(batch.column("customer"), key[2])
        + _mixed(timestamps_of(batch).view(np.uint64) ^ key[3])
        + _mixed(low ^ key[4])
        + _mixed(high ^ key[5])
        + _of_payloads(batch.column("payload"), key[6], key[7])
        + key[9]
    )


def _of_words(column: pa.DictionaryArray, key: np.uint64) -> np.ndarray:
    of_words: np.ndarray = string_hashes(column.dictionary, key)
    return of_words.take(numbers_of(column.indices))


def _of_strings(column: pa.StringArray, key: np.uint64) -> np.ndarray:
    """Hash strings, each word once where the first of them are few words."""
    sample = column[:_SAMPLE]
    if len(sample.dictionary_encode().dictionary) * _REPEATS > len(sample):
        return string_hashes(column, key)
    return _of_words(column.dictionary_encode(), key)


def _value_words(column: pa.Array, absent: np.uint64) -> tuple[np.ndarray, np.ndarray]:
    """Return the two words of each value; of a null one that no value comes to."""
    words = np.frombuffer(column.buffers()[1], "<u8")
    words = words[2 * column.offset :][: 2 * len(column)].reshape(-1, 2)
    low, high = words.T
    if column.null_count:
        is_null = column.is_null().to_numpy(zero_copy_only=False)
        low, high = (np.where(is_null, absent, word) for word in (low, high))
    return low, high


def _of_payloads(
    column: pa.MapArray, names: np.uint64, labels: np.uint64
) -> np.ndarray:
    """Add up the entries of each payload, of which no two have one name."""
    ends = np.frombuffer(column.buffers()[1], np.int32)[column.offset :]
    ends = ends[: len(column) + 1]
    first, last = int(ends[0]), int(ends[-1])
    of_entries = _mixed(
        _of_strings(column.keys[first:last], names)
        + _of_strings(column.items[first:last], labels)
    )
    sums = np.zeros(last - first + 1, np.uint64)
    np.cumsum(of_entries, out=sums[1:])
    starts = ends - np.int32(first)
    return np.asarray(sums[starts[1:]] - sums[starts[:-1]])


def _mixed(given: np.ndarray) -> np.ndarray:
    """Mix the bits of words, each into another; SplitMix64 (Steele et al., 2014)."""
    words: np.ndarray = given ^ (given >> np.uint64(30))
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words
