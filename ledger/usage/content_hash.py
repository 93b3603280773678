"""Content hashes: one number for all that a meter event says but when it happened.

The hash is XXH3-64 over the event's strings, joined by NUL, which none of them holds: as
many for every event, the payload last, so that no two contents share an encoding. It
does not cover the timestamp: an event may have been given it on arrival, and a
repetition cannot repeat it. It is kept in segments and is the same in every release.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

# Strings are made of some rows at a time, since they take more memory than columns.
_ROWS_AT_A_TIME = 1 << 16


def content_hashes(batch: pa.RecordBatch) -> np.ndarray:
    """Hash the contents of a usage batch, as uint64 in the order of its rows.

    Equal events have equal hashes, however their columns are encoded or sliced.
    """
    return np.fromiter(_hashes(batch), np.uint64, batch.num_rows)


def _hashes(batch: pa.RecordBatch) -> Iterator[int]:
    for start in range(0, batch.num_rows, _ROWS_AT_A_TIME):
        texts = _texts(batch.slice(start, _ROWS_AT_A_TIME))
        yield from map(xxh3_64_intdigest, texts.cast(pa.large_binary()).to_pylist())


def _texts(batch: pa.RecordBatch) -> pa.Array:
    low, high = _words_of_values(batch.column("value"))
    return pc.binary_join_element_wise(
        _text(batch.column("event_name")),
        _text(batch.column("identifier")),
        _text(batch.column("customer")),
        low,
        high,
        _payloads(batch.column("payload")),
        _constant("\0"),
    )


def _text(column: pa.Array) -> pa.Array:
    # Large, as the strings of many events together may exceed 2 GiB.
    return column.cast(pa.large_string())


def _constant(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.large_string())


def _words_of_values(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Spell the two 64-bit words of each value; a null as two empty strings.

    Arrow's own spelling of a decimal would be as good, were it promised to stay.
    """
    data = column.buffers()[1]
    words = np.frombuffer(data, "<i8")[2 * column.offset :][: 2 * len(column)]
    is_valid = column.is_valid()
    low, high = (
        pc.if_else(is_valid, _text(pa.array(words[word::2])), _constant(""))
        for word in (0, 1)
    )
    return low, high


def _payloads(column: pa.MapArray) -> pa.Array:
    """Join the keys and values of each payload, in their order."""
    ends = np.frombuffer(column.buffers()[1], "<i4")
    ends = ends[column.offset : column.offset + len(column) + 1]
    first, last = int(ends[0]), int(ends[-1])
    entries = pc.binary_join_element_wise(
        _text(column.keys[first:last]), _text(column.items[first:last]), _constant("\0")
    )
    lists = pa.ListArray.from_arrays(pa.array(ends - first, pa.int32()), entries)
    return pc.binary_join(lists, _constant("\0"))
