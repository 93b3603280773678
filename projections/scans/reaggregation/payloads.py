"""Payloads: the strings of events under a key, and the quantities they spell."""

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc
from ledger.usage.quantities import QUANTITY, parse_quantity
from projections.scans.reaggregation.columns import column, encoded, numbers
from projections.scans.reaggregation.errors import ValueUnreadableError


def words_under(maps: pa.MapArray, key: str) -> pa.DictionaryArray:
    """Return each payload's string under a key, as a dictionary; null where absent."""
    offsets = numbers(maps.offsets)
    first, end = int(offsets[0]), int(offsets[-1])
    keys, strings = (each[first:end] for each in (maps.keys, maps.items))
    is_key = pc.equal(keys, pa.scalar(key, keys.type)).cast(pa.uint8())
    entries = np.flatnonzero(numbers(is_key))
    rows = np.repeat(np.arange(len(maps)), np.diff(offsets))[entries]
    if len(entries) < len(strings):
        strings = strings.take(column(entries))
    strings = strings.dictionary_encode()
    if len(rows) == len(maps):
        return strings
    found = np.full(len(maps), -1, np.int32)
    found[rows] = numbers(strings.indices)
    return encoded(found, strings.dictionary)


def are_allowed(words: pa.DictionaryArray, allowed: frozenset[str]) -> np.ndarray:
    """Return (bool) which rows have one of some strings; null has none."""
    is_allowed = [word in allowed for word in words.dictionary.to_pylist()]
    # Null is looked up at the end: its code is -1.
    known = np.array([*is_allowed, False])
    present: np.ndarray = known[numbers(words.indices.fill_null(-1))]
    return present


def quantities_of(words: pa.DictionaryArray, positions: pa.Array, key: str) -> pa.Array:
    """Return strings as quantities.

    Args:
        words: the strings under a key, none null.
        positions: of the events, for the error.
        key: of the payload, for the error.

    Raises:
        ValueUnreadableError: a string breaks the grammar of quantities.
    """
    strings = words.dictionary.to_pylist()
    found = [parse_quantity(string) for string in strings]
    codes = numbers(words.indices)
    is_unreadable = np.array([quantity is None for quantity in found], bool)[codes]
    if is_unreadable.any():
        at = np.flatnonzero(is_unreadable)
        first = at[numbers(positions)[at].argmin()]
        raise ValueUnreadableError(
            int(numbers(positions)[first]), key, strings[codes[first]]
        )
    return pa.array(found, QUANTITY).take(words.indices)
