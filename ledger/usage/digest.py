"""Digests of what a commit holds: SHA-256, independent of how it is encoded.

Usage is hashed column by column in the order of the schema: a count before everything
of variable size, so that no two contents share an encoding.
"""

import hashlib
import struct

import numpy as np
import pyarrow as pa

from ledger.usage.columns import WORD


def facts_digest(body: bytes) -> bytes:
    """Digest of encoded facts."""
    return hashlib.sha256(body).digest()


def usage_digest(batch: pa.RecordBatch) -> bytes:
    """Digest of meter events in canonical form."""
    sha = hashlib.sha256(struct.pack("<q", batch.num_rows))
    _update_words(sha, batch.column("event_name"))
    _update_strings(sha, batch.column("identifier"))
    _update_words(sha, batch.column("customer"))
    sha.update(_fixed_width(batch.column("timestamp"), 8))
    _update_quantities(sha, batch.column("value"))
    _update_payloads(sha, batch.column("payload"))
    return sha.digest()


def _update_words(sha: "hashlib._Hash", column: pa.DictionaryArray) -> None:
    assert column.type == WORD, "words are dictionary encoded"
    _update_strings(sha, column.dictionary)
    sha.update(_fixed_width(column.indices, 4))


def _update_strings(sha: "hashlib._Hash", column: pa.StringArray) -> None:
    count, (_, ends, data) = len(column), column.buffers()
    sha.update(struct.pack("<q", count))
    if count:
        first, last = _update_ends(sha, ends, column.offset, count)
        if last > first:
            sha.update(memoryview(data)[first:last])


def _update_quantities(sha: "hashlib._Hash", column: pa.Array) -> None:
    sha.update(struct.pack("<q", column.null_count))
    if column.null_count:
        is_valid = column.is_valid().to_numpy(zero_copy_only=False)
        sha.update(np.packbits(is_valid).tobytes())
        # What lies under a null is not content; dropping the nulls drops it.
        column = column.drop_null()
    sha.update(_fixed_width(column, 16))


def _update_payloads(sha: "hashlib._Hash", column: pa.MapArray) -> None:
    if len(column):
        ends = column.buffers()[1]
        first, last = _update_ends(sha, ends, column.offset, len(column))
        _update_strings(sha, column.keys[first:last])
        _update_strings(sha, column.items[first:last])


def _update_ends(
    sha: "hashlib._Hash", offsets: pa.Buffer, start: int, count: int
) -> tuple[int, int]:
    """Hash where each of some rows ends, counted from the first, as int32.

    Returns:
        Where the first row starts and the last ends in the buffer of their contents: a
        slice shares its parent's buffers.
    """
    own = memoryview(offsets)[4 * start : 4 * (start + count + 1)].cast("i")
    first = own[0]
    if first == 0:
        sha.update(own[1:])
    else:
        sha.update((np.array(own[1:], np.int32) - np.int32(first)).tobytes())
    return first, own[-1]


def _fixed_width(column: pa.Array, width: int) -> memoryview:
    if len(column) == 0:
        return memoryview(b"")
    start = column.offset * width
    return memoryview(column.buffers()[1])[start : start + len(column) * width]
