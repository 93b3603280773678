"""Sizes of rows: how much memory each takes with its strings in full.

A column may say little and mean much: a word of a dictionary stands in every row, a run
in a million, and views may all look at one string. Whatever is done to a row later
writes it out, so its size is what it says in full, not its share of the buffers.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc

_BYTES_OF_AN_ELEMENT = 16
"""What an element of a list costs beside its bytes: it becomes an object."""
_BYTES_OF_NOTHING = 1
_INTS_OF_A_VIEW = 4


def row_sizes(batch: pa.RecordBatch) -> np.ndarray:
    """Return about how many bytes each row takes (int64); none takes nothing."""
    sizes = np.full(batch.num_rows, _BYTES_OF_NOTHING, np.int64)
    for column in batch.columns:
        sizes += _sizes(column)
    return sizes


def _sizes(column: pa.Array) -> np.ndarray:
    """Return how many bytes each value takes (int64), of length 1 where all take as many."""
    if isinstance(column, pa.ExtensionArray):
        return _sizes(column.storage)
    for is_of, sizes_of in _KINDS:
        if is_of(column.type):
            return sizes_of(column)
    return _constant(column)


def _constant(column: pa.Array) -> np.ndarray:
    is_null = pa.types.is_null(column.type)
    width = 0 if is_null else column.type.bit_width // 8
    return np.array([max(width, _BYTES_OF_NOTHING)], np.int64)


def _of_strings(column: pa.Array) -> np.ndarray:
    lengths = pc.binary_length(column).cast(pa.int64())
    of_values: np.ndarray = lengths.fill_null(0).to_numpy()
    return of_values


def _of_views(column: pa.Array) -> np.ndarray:
    lengths = np.frombuffer(column.buffers()[1], np.int32)[::_INTS_OF_A_VIEW]
    here = lengths[column.offset : column.offset + len(column)].astype(np.int64)
    return np.where(column.is_valid().to_numpy(zero_copy_only=False), here, 0)


def _of_words(column: pa.DictionaryArray) -> np.ndarray:
    words = column.dictionary
    # A row without a word takes the last element.
    sizes = np.append(np.broadcast_to(_sizes(words), len(words)), 0)
    of_rows: np.ndarray = sizes[column.indices.fill_null(len(words)).to_numpy()]
    return of_rows


def _of_runs(column: pa.RunEndEncodedArray) -> np.ndarray:
    sizes = np.broadcast_to(_sizes(column.values), len(column.values))
    rows = np.arange(column.offset, column.offset + len(column))
    of_rows: np.ndarray = sizes[
        np.searchsorted(column.run_ends.to_numpy(), rows, side="right")
    ]
    return of_rows


def _of_structs(column: pa.StructArray) -> np.ndarray:
    total = np.array([_BYTES_OF_NOTHING], np.int64)
    for at in range(column.type.num_fields):
        total = total + _sizes(column.field(at))
    return total


def _of_unions(column: pa.UnionArray) -> np.ndarray:
    sizes = np.full(len(column), _BYTES_OF_NOTHING, np.int64)
    codes = column.type_codes.to_numpy()
    is_dense = column.type.mode == "dense"
    at = column.offsets.to_numpy() if is_dense else np.arange(len(column))
    for number, code in enumerate(column.type.type_codes):
        values = column.field(number)
        rows = np.flatnonzero(codes == code)
        sizes[rows] += np.broadcast_to(_sizes(values), len(values))[at[rows]]
    return sizes


def _of_lists(column: pa.Array) -> np.ndarray:
    starts, ends = _bounds(column)
    sizes = np.full(len(column), _BYTES_OF_NOTHING, np.int64)
    if not len(column):
        return sizes
    first, last = int(starts.min()), int(ends.max())
    is_map = pa.types.is_map(column.type)
    for values in [column.keys, column.items] if is_map else [column.values]:
        inner = _sizes(values[first:last]) + _BYTES_OF_AN_ELEMENT
        if len(inner) == 1:
            sizes += (ends - starts) * inner
        else:
            so_far = np.append(0, np.cumsum(inner))
            sizes += so_far[ends - first] - so_far[starts - first]
    return sizes


def _bounds(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return where the elements of each list begin and end (int64)."""
    kind = column.type
    if pa.types.is_fixed_size_list(kind):
        starts = np.arange(column.offset, column.offset + len(column)) * kind.list_size
        return starts, starts + kind.list_size
    offsets = column.offsets.to_numpy().astype(np.int64)
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return offsets, offsets + column.sizes.to_numpy()
    return offsets[:-1], offsets[1:]


_KINDS: tuple[tuple[Callable[[pa.DataType], bool], Callable[..., np.ndarray]], ...] = (
    (pa.types.is_dictionary, _of_words),
    (pa.types.is_run_end_encoded, _of_runs),
    (pa.types.is_struct, _of_structs),
    (pa.types.is_union, _of_unions),
    (pa.types.is_nested, _of_lists),
    (pa.types.is_string_view, _of_views),
    (pa.types.is_binary_view, _of_views),
    *(
        (is_of, _of_strings)
        for is_of in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_binary,
            pa.types.is_large_binary,
        )
    ),
)
