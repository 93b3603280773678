"""Content hashes: one number for all that a meter event says but when it happened.

The hash is XXH3-64 over the event's strings, joined by NUL, which none of them holds: as
many for every event, the payload last, so that no two contents share an encoding. It
does not cover the timestamp: an event may have been given it on arrival, and a
repetition cannot repeat it. It is kept in segments and is the same in every release.

Identifiers that are made of an event's content are made of the same encoding without an
identifier, and with the timestamp where the sender gave one.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from ledger.usage.arrow import compute as pc
from ledger.usage.columns import timestamps_of

# Strings are made of some rows at a time, since they take more memory than columns.
_ROWS_AT_A_TIME = 1 << 16
_BYTES_AT_A_TIME = 8 << 20


def content_hashes(batch: pa.RecordBatch) -> np.ndarray:
    """Hash the contents of a usage batch, as uint64 in the order of its rows.

    Equal events have equal hashes, however their columns are encoded or sliced.
    """
    spelled = _spelled(batch, batch.column("identifier"))
    return np.fromiter(map(xxh3_64_intdigest, spelled), np.uint64, batch.num_rows)


def hash_contents(batch: pa.RecordBatch, has_own_timestamp: np.ndarray) -> np.ndarray:
    """Hash the contents of events that have no identifier yet, as uint64.

    Args:
        batch: of usage; its identifiers mean nothing.
        has_own_timestamp: which events carry their sender's timestamp (bool); that of
            the others is not part of the hash.
    """
    spelled = spelled_contents(batch, has_own_timestamp)
    return np.fromiter(map(xxh3_64_intdigest, spelled), np.uint64, batch.num_rows)


def spelled_contents(
    batch: pa.RecordBatch, has_own_timestamp: np.ndarray
) -> Iterator[bytes]:
    """Encode the contents of events that have no identifier yet; see `hash_contents`."""
    timestamps = pa.array(timestamps_of(batch)).cast(pa.string())
    given = pc.if_else(pa.array(has_own_timestamp), timestamps, "")
    return _spelled(batch, given)


def _spelled(batch: pa.RecordBatch, second: pa.Array) -> Iterator[bytes]:
    fit = _BYTES_AT_A_TIME * batch.num_rows // max(1, batch.nbytes)
    rows = max(1, min(_ROWS_AT_A_TIME, fit))
    parts = (slice(start, start + rows) for start in range(0, batch.num_rows, rows))
    return chain.from_iterable(
        _texts(batch[part], second[part]).cast(pa.large_binary()).to_pylist()
        for part in parts
    )


def _texts(batch: pa.RecordBatch, second: pa.Array) -> pa.Array:
    low, high = _words_of_values(batch.column("value"))
    return pc.binary_join_element_wise(
        _text(batch.column("event_name")),
        _text(second),
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
