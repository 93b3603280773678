"""Columns as numpy arrays and back, without copies.

Arrow's own conversions ask whether pandas is installed, and where it is, importing it
takes longer than adding up a million events.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc

Arrays = dict[str, pa.Array]
"""Columns of a table by name, each in one chunk."""


def arrays_of(table: pa.Table) -> Arrays:
    """Return the columns of a table."""
    return {name: only_chunk(table.column(name)) for name in table.column_names}


def only_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array with one dictionary."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def numbers(array: pa.Array) -> np.ndarray:
    """View whole numbers or instants; null is 0."""
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    if array.null_count:
        array = array.fill_null(0)
    viewed: np.ndarray = np.from_dlpack(array)
    return viewed


def codes(words: pa.DictionaryArray) -> np.ndarray:
    """View the codes (int32) of strings; that of null is -1."""
    indices = words.indices
    viewed: np.ndarray = np.from_dlpack(
        indices.fill_null(-1) if indices.null_count else indices
    )
    return viewed


def column(values: np.ndarray) -> pa.Array:
    """View int64 as a column."""
    assert values.dtype == np.int64, "numbers are int64"
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.int64(), len(values), [None, buffer])


def instants(values: np.ndarray) -> pa.Array:
    """View microseconds since 1970 UTC (int64) as a column."""
    return column(values).view(pa.timestamp("us", "UTC"))


def encoded(codes: np.ndarray, words: pa.StringArray) -> pa.DictionaryArray:
    """Return a column of strings with the code (int32) of each row; -1 is null."""
    assert codes.dtype == np.int32, "codes are int32"
    is_there = None
    if len(codes) and codes.min() < 0:
        is_there = pa.py_buffer(np.packbits(codes >= 0, bitorder="little"))
    buffers = [is_there, pa.py_buffer(codes)]
    indices = pa.Array.from_buffers(pa.int32(), len(codes), buffers)
    return pa.DictionaryArray.from_arrays(indices, words)


def with_sorted_words(words: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return a column of strings with a dictionary that is sorted and has no repeats."""
    dictionary = words.dictionary.dictionary_encode()
    order = numbers(pc.sort_indices(dictionary.dictionary)).astype(np.int64)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    # Null is looked up at the end: its code is -1.
    ranks = np.append(rank[codes(dictionary)], np.int32(-1))
    return encoded(ranks[codes(words)], dictionary.dictionary.take(column(order)))


def without_idle_words(values: pa.Array) -> pa.Array:
    """Drop strings that no row has, where there are more strings than rows."""
    if pa.types.is_dictionary(values.type) and len(values.dictionary) > len(values):
        return values.dictionary_decode().dictionary_encode()
    return values


def constant(word: str, length: int) -> pa.DictionaryArray:
    """Return a column that repeats one string."""
    data = word.encode()
    offsets = pa.py_buffer(np.array([0, len(data)], np.int32))
    words = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data))
    return encoded(np.zeros(length, np.int32), words)


def repeated(word: str, length: int) -> pa.StringArray:
    """Return a column of strings that repeats one, without a dictionary."""
    return pa.repeat(pa.scalar(word, pa.string()), length)


def packed(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return one key (int64) for several numbers, in their order.

    Args:
        parts: at least one; none of their numbers is negative.
    """
    key = parts[0].astype(np.int64)
    size = _size(key)
    for part in parts[1:]:
        part_size = _size(part)
        if size * part_size >= 1 << 63:
            _, key = np.unique(key, return_inverse=True)
            size = _size(key)
        assert size * part_size < 1 << 63, "keys have 63 bits"
        key *= part_size
        key += part
        size *= part_size
    return key


def sizes_of_groups(starts: np.ndarray, length: int) -> np.ndarray:
    """Return how many rows each group has, given where it starts."""
    sizes: np.ndarray = np.append(starts[1:], length) - starts
    return sizes


def taken(values: pa.Array, rows: np.ndarray) -> pa.Array:
    """Return some rows (int64) of a column, faster than Arrow where they are few."""
    if pa.types.is_dictionary(values.type):
        return encoded(codes(values)[rows], values.dictionary)
    if values.type == pa.int64() and not values.null_count:
        return column(numbers(values)[rows])
    return values.take(column(rows))


def starts_of_groups(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the first row, and each that differs from the one before in any column."""
    length = len(parts[0])
    is_first = np.zeros(length, bool)
    is_first[:1] = True
    for part in parts:
        is_first[1:] |= part[1:] != part[:-1]
    return np.flatnonzero(is_first)


def _size(part: np.ndarray) -> int:
    return int(part.max()) + 1 if len(part) else 1
