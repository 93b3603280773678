"""Few events, as rows: where building columns would cost more than everything else.

A commit of few events is stored as JSON, one array an event. Its digest is that of the
same events as columns: what a commit holds does not depend on how it is stored.
"""

import hashlib
import struct
from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate, groupby
from typing import TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from ledger.usage.columns import (
    UsageRow,
    concatenate,
    decode,
    encode,
    take_rows,
    usage_batch,
)
from ledger.usage.digest import usage_digest
from ledger.usage.quantities import bytes_of_quantity

FEW = 64
"""Up to so many, rows take less to prepare, to store and to read than columns."""

# Of an event as columns, without its identifier and its payload.
_BYTES_OF_A_ROW = 64

_ENCODER = msgspec.json.Encoder(decimal_format="string")
_DECODER = msgspec.json.Decoder(tuple[UsageRow, ...])
_OPENING = b"["

# Of one event: counts, ends, and the index of its only word.
_NAME_OF_ONE = struct.Struct("<qqi").pack
_IDENTIFIER_OF_ONE = struct.Struct("<iqi").pack
_KEY_OF_ONE = struct.Struct("<iqi").pack
_WORD_OF_ONE = struct.Struct("<qi").pack
_TIMESTAMP_OF_ONE = struct.Struct("<iqq").pack
_NO_VALUE = bytes(1)
_NO_ENTRIES = bytes(20)


class FewEvents(msgspec.Struct, frozen=True, gc=False):
    """Meter events as rows, of which there is at least one."""

    rows: Sequence[UsageRow]

    def __len__(self) -> int:
        """Count the events."""
        return len(self.rows)

    @property
    def batch(self) -> pa.RecordBatch:
        """The same events as columns."""
        return usage_batch(self.rows)


UsageEvents: TypeAlias = pa.RecordBatch | FewEvents
"""Meter events in canonical form."""


def batch_of(events: UsageEvents) -> pa.RecordBatch:
    """Return events as columns."""
    return events.batch if isinstance(events, FewEvents) else events


def content_bytes(events: UsageEvents) -> int:
    """Return about how much memory the content of events takes as columns."""
    if not isinstance(events, FewEvents):
        return int(events.nbytes)
    # Loops, as this is asked of every small commit that is read.
    size = _BYTES_OF_A_ROW * len(events.rows)
    for row in events.rows:
        size += len(row.identifier)
        for key, value in row.payload:
            size += len(key) + len(value)
    return size


def concatenate_events(parts: Sequence[UsageEvents]) -> pa.RecordBatch:
    """Put events one behind the other, as columns."""
    batches: list[pa.RecordBatch] = []
    for is_few, group in groupby(parts, lambda part: isinstance(part, FewEvents)):
        if is_few:
            rows = [row for few in group for row in few.rows]
            batches.append(usage_batch(rows))
        else:
            batches.extend(group)
    return concatenate(batches)


def take_events(events: UsageEvents, rows: np.ndarray) -> UsageEvents:
    """Pick some events by their index."""
    if isinstance(events, FewEvents):
        return FewEvents([events.rows[row] for row in rows.tolist()])
    return take_rows(events, rows)


def encode_events(events: UsageEvents) -> bytes:
    """Encode events: few as JSON, many as a compressed Arrow stream."""
    if isinstance(events, FewEvents):
        return _ENCODER.encode(events.rows)
    return encode(events)


def decode_events(body: bytes) -> UsageEvents:
    """Decode what `encode_events` wrote, few events as rows.

    Only their digest shows that rows are what was written.

    Raises:
        msgspec.DecodeError, pyarrow.ArrowInvalid, OSError: it is something else.
    """
    if body.startswith(_OPENING):
        return FewEvents(_DECODER.decode(body))
    return decode(body)


def events_digest(events: UsageEvents) -> bytes:
    """Digest of events; the same for rows and for columns."""
    if not isinstance(events, FewEvents):
        return usage_digest(events)
    rows = events.rows
    if len(rows) == 1:
        return _digest_of_one(*rows[0])
    names, identifiers, customers, timestamps, values, payloads = zip(
        *rows, strict=True
    )
    entries = [entry for payload in payloads for entry in payload]
    return hashlib.sha256(
        b"".join(
            (
                struct.pack("<q", len(rows)),
                _words(names),
                _strings(identifiers),
                _words(customers),
                struct.pack(f"<{len(timestamps)}q", *timestamps),
                _quantities(values),
                _ends([len(payload) for payload in payloads]),
                _strings([key for key, _ in entries]),
                _strings([value for _, value in entries]),
            )
        )
    ).digest()


def _digest_of_one(
    event_name: str,
    identifier: str,
    customer: str,
    timestamp: int,
    value: Decimal | None,
    payload: Sequence[tuple[str, str]],
) -> bytes:
    """Digest of one event: most commits have no more, and each is hashed by itself."""
    name, who, whose = event_name.encode(), identifier.encode(), customer.encode()
    quantity = _NO_VALUE if value is None else bytes_of_quantity(value)
    return hashlib.sha256(
        b"".join(
            (
                _NAME_OF_ONE(1, 1, len(name)),
                name,
                _IDENTIFIER_OF_ONE(0, 1, len(who)),
                who,
                _WORD_OF_ONE(1, len(whose)),
                whose,
                _TIMESTAMP_OF_ONE(0, timestamp, value is None),
                quantity,
                _entries_of_one(payload) if payload else _NO_ENTRIES,
            )
        )
    ).digest()


def _entries_of_one(payload: Sequence[tuple[str, str]]) -> bytes:
    if len(payload) == 1:
        ((only_key, only_value),) = payload
        key, value = only_key.encode(), only_value.encode()
        return _KEY_OF_ONE(1, 1, len(key)) + key + _WORD_OF_ONE(1, len(value)) + value
    count = len(payload)
    keys = [key.encode() for key, _ in payload]
    values = [value.encode() for _, value in payload]
    return b"".join(
        (
            struct.pack(f"<iq{count}i", count, count, *accumulate(map(len, keys))),
            *keys,
            struct.pack(f"<q{count}i", count, *accumulate(map(len, values))),
            *values,
        )
    )


def _words(values: Sequence[str]) -> bytes:
    codes: dict[str, int] = {}
    indices = [codes.setdefault(value, len(codes)) for value in values]
    return _strings(list(codes)) + struct.pack(f"<{len(indices)}i", *indices)


def _strings(values: Sequence[str]) -> bytes:
    encoded = [value.encode() for value in values]
    ends = _ends([len(each) for each in encoded])
    return struct.pack("<q", len(values)) + ends + b"".join(encoded)


def _ends(lengths: Sequence[int]) -> bytes:
    ends, end = [], 0
    for length in lengths:
        end += length
        ends.append(end)
    return struct.pack(f"<{len(ends)}i", *ends)


def _quantities(values: Sequence[Decimal | None]) -> bytes:
    given = [bytes_of_quantity(each) for each in values if each is not None]
    count = struct.pack("<q", len(values) - len(given))
    if len(given) == len(values):
        return count + b"".join(given)
    is_valid = np.packbits([each is not None for each in values])
    return count + is_valid.tobytes() + b"".join(given)
