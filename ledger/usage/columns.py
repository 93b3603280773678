"""Usage as columns: the one schema of stored meter events, and its encoding.

A batch in *canonical form* has dictionaries in the order of first appearance, without
unused words, and payload keys in byte order; two batches of equal events then have
equal columns, whatever they were built from.
"""

from collections.abc import Iterable, Sequence, Sized
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc
from ledger.usage.quantities import QUANTITY, quantities_of

WORD = pa.dictionary(pa.int32(), pa.string())
TIMESTAMP = pa.timestamp("us", "UTC")
PAYLOAD = pa.map_(pa.string(), pa.string())

USAGE = pa.schema(
    [
        pa.field("event_name", WORD, nullable=False),
        pa.field("identifier", pa.string(), nullable=False),
        pa.field("customer", WORD, nullable=False),
        pa.field("timestamp", TIMESTAMP, nullable=False),
        pa.field("value", QUANTITY),
        pa.field("payload", PAYLOAD, nullable=False),
    ]
)

# Arrow's own allocator gives back what another thread frees, so that a large commit pays
# for clearing the same pages again: a tenth of what it takes.
_LARGE = pa.system_memory_pool()

_COMPRESSED = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1))
# Of a small batch, zstd takes ten times as long, for half of the bytes; threads take
# longer to be woken than they work.
_SMALL = 2_048
_COMPRESSED_SMALL = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


class UsageRow(NamedTuple):
    """One meter event, checked and ready to be recorded.

    `timestamp` counts microseconds since 1970 UTC; `value` has 12 fraction digits or
    is None; `payload` holds the remaining keys and values, in byte order of the keys.
    """

    event_name: str
    identifier: str
    customer: str
    timestamp: int
    value: Decimal | None
    payload: tuple[tuple[str, str], ...]


def usage_batch(rows: Sequence[UsageRow]) -> pa.RecordBatch:
    """Build the canonical batch of some rows, in their order."""
    names, identifiers, customers, timestamps, values, payloads = zip(
        *rows, strict=True
    )
    return usage_batch_of(
        event_names=names,
        identifiers=identifiers,
        customers=customers,
        timestamps=timestamps,
        values=quantities_of(values),
        payloads=payloads,
    )


def usage_batch_of(
    *,
    event_names: Sequence[str],
    identifiers: Sequence[str],
    customers: Sequence[str],
    timestamps: Sequence[int] | np.ndarray,
    values: pa.Array,
    payloads: Sequence[tuple[tuple[str, str], ...]],
) -> pa.RecordBatch:
    """Build the canonical batch of columns that hold what a `UsageRow` does."""
    return pa.RecordBatch.from_arrays(
        [
            _words_of_few(event_names),
            strings_of(identifiers),
            _words_of_few(customers),
            column_of(np.asarray(timestamps, np.int64)).view(TIMESTAMP),
            values,
            _payloads_of(payloads),
        ],
        schema=USAGE,
    )


def usage_rows(batch: pa.RecordBatch) -> list[UsageRow]:
    """Read a batch back as rows, in their order."""
    return [
        UsageRow(name, identifier, customer, timestamp, value, tuple(payload))
        for name, identifier, customer, timestamp, value, payload in zip(
            batch.column("event_name").to_pylist(),
            batch.column("identifier").to_pylist(),
            batch.column("customer").to_pylist(),
            batch.column("timestamp").view(pa.int64()).to_pylist(),
            batch.column("value").to_pylist(),
            batch.column("payload").to_pylist(),
            strict=True,
        )
    ]


def strings_of(values: Sequence[str]) -> pa.StringArray:
    """Build a column of strings.

    Arrow's own conversion is as fast, but loads pandas first; see `numbers_of`.
    """
    encoded = [value.encode() for value in values]
    return pa.StringArray.from_buffers(
        len(encoded), pa.py_buffer(_ends_of(encoded)), pa.py_buffer(b"".join(encoded))
    )


def words(values: pa.Array) -> pa.DictionaryArray:
    """Encode strings by a dictionary in the order of first appearance."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return values.cast(pa.string()).dictionary_encode()


def renumbered(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """Encode as `words` does what is encoded by a dictionary without repetitions.

    By the codes alone: to write the words out and to find them again takes three times
    as long, unless rows are few and words many. Nothing may be null.
    """
    codes, count = numbers_of(column.indices), len(column)
    if count < len(column.dictionary):
        return words(column)
    # The last to be written is the first appearance; unused words stand behind all.
    firsts = np.full(len(column.dictionary), count)
    firsts[codes[::-1]] = np.arange(count)[::-1]
    by_appearance = np.argsort(firsts)[: np.count_nonzero(firsts < count)]
    new_codes = np.empty(len(firsts), np.int32)
    new_codes[by_appearance] = np.arange(len(by_appearance), dtype=np.int32)
    return pa.DictionaryArray.from_arrays(
        column_of(new_codes[codes]), column.dictionary.take(column_of(by_appearance))
    )


def take_rows(batch: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
    """Pick rows of a batch, in the order given, in canonical form."""
    taken = pc.take(batch, column_of(rows), memory_pool=_LARGE)
    return _with_new_words(taken)


def concatenate(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Put batches one behind the other, in canonical form."""
    if len(batches) == 1:
        return batches[0]
    columns = [
        (column.cast(pa.string()) if column.type == WORD else column).combine_chunks()
        for column in pa.Table.from_batches(batches).columns
    ]
    columns[0] = columns[0].dictionary_encode()
    columns[2] = columns[2].dictionary_encode()
    return pa.RecordBatch.from_arrays(columns, schema=USAGE)


def in_order(
    batches: Sequence[pa.RecordBatch], numbers: Sequence[np.ndarray]
) -> tuple[pa.RecordBatch, np.ndarray]:
    """Put batches together by the numbers of their rows.

    Args:
        batches: in canonical form.
        numbers: of the rows of each (int64), all different.

    Returns:
        One batch in canonical form, and the numbers of its rows, ascending.
    """
    together = np.concatenate(numbers)
    order = np.argsort(together, kind="stable")
    return take_rows(concatenate(batches), order), together[order]


def empty_batch() -> pa.RecordBatch:
    """Build a batch without rows."""
    # Converting even no Python object loads pandas where it is installed.
    return pa.record_batch([pa.nulls(0, field.type) for field in USAGE], schema=USAGE)


def encode(batch: pa.RecordBatch) -> bytes:
    """Encode a batch as a compressed Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    options = _COMPRESSED_SMALL if batch.num_rows < _SMALL else _COMPRESSED
    with pa.ipc.new_stream(sink, USAGE, options=options) as writer:
        writer.write_batch(batch)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def decode(body: bytes) -> pa.RecordBatch:
    """Decode what `encode` wrote.

    Their digest shows that the columns hold what was written; it covers everything but
    nulls in columns that cannot be null, which are refused here.

    Raises:
        pyarrow.ArrowInvalid: the bytes are not a stream of one usage batch.
        OSError: the bytes end too early.
    """
    with pa.ipc.open_stream(body) as reader:
        if not reader.schema.equals(USAGE):
            reason = f"expected the columns {USAGE.names}, found {reader.schema.names}"
            raise pa.ArrowInvalid(reason)
        batch = next(iter(reader), None)
    if batch is None:
        raise pa.ArrowInvalid("the stream holds no batch")
    for column in _never_null(batch):
        if column.null_count:
            raise pa.ArrowInvalid("a value is null that cannot be")
    return batch


def rows_table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    arrays = [
        pa.array(column, declared.type)
        for column, declared in zip(columns, schema, strict=True)
    ]
    return pa.table(arrays, schema=schema)


def numbers_of(column: pa.Array) -> np.ndarray:
    """View a column of numbers without nulls.

    Arrow's own conversion first loads pandas, where that is installed: a third of a
    second, for which a first answer would wait.
    """
    numbers: np.ndarray = np.from_dlpack(column)
    return numbers


def column_of(numbers: np.ndarray) -> pa.Array:
    """View numbers as a column without nulls; the inverse of `numbers_of`."""
    return pa.Array.from_buffers(
        pa.from_numpy_dtype(numbers.dtype),
        len(numbers),
        [None, pa.py_buffer(np.ascontiguousarray(numbers))],
    )


def timestamps_of(batch: pa.RecordBatch) -> np.ndarray:
    """View the timestamps as int64 microseconds since 1970 UTC."""
    return numbers_of(batch.column("timestamp").view(pa.int64()))


def codes_of(batch: pa.RecordBatch, column: str) -> tuple[np.ndarray, Iterable[str]]:
    """View a dictionary column as int32 codes and the words they stand for."""
    encoded = batch.column(column)
    return numbers_of(encoded.indices), encoded.dictionary.to_pylist()


def positions_of(first_positions: np.ndarray, entry_counts: np.ndarray) -> np.ndarray:
    """Return the position of each entry of commits (int64), in their order.

    Args:
        first_positions: int64, of the commits.
        entry_counts: int64, as long.
    """
    ends = np.cumsum(entry_counts)
    shifts = first_positions - (ends - entry_counts)
    count = int(ends[-1]) if len(ends) else 0
    positions: np.ndarray = np.arange(count) + np.repeat(shifts, entry_counts)
    return positions


def _words_of_few(values: Sequence[str]) -> pa.DictionaryArray:
    """Encode as `words` does, without the cost of setting up for many."""
    codes: dict[str, int] = {}
    indices = [codes.setdefault(value, len(codes)) for value in values]
    return pa.DictionaryArray.from_arrays(
        column_of(np.array(indices, np.int32)), strings_of(list(codes))
    )


def _payloads_of(payloads: Sequence[tuple[tuple[str, str], ...]]) -> pa.MapArray:
    entries = [entry for payload in payloads for entry in payload]
    return pa.MapArray.from_arrays(
        column_of(_ends_of(payloads)),
        strings_of([key for key, _ in entries]),
        strings_of([value for _, value in entries]),
    )


def _ends_of(values: Sequence[Sized]) -> np.ndarray:
    """Return where each value ends among all, after a 0 (int32)."""
    ends = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=ends[1:])
    assert ends[-1] < 1 << 31, "a batch is small enough for Arrow's strings"
    return ends.astype(np.int32)


def _with_new_words(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = batch.columns
    columns[0] = renumbered(columns[0])
    columns[2] = renumbered(columns[2])
    return pa.RecordBatch.from_arrays(columns, schema=USAGE)


def _never_null(batch: pa.RecordBatch) -> list[pa.Array]:
    names, customers = batch.column("event_name"), batch.column("customer")
    payload = batch.column("payload")
    return [
        *(column for column in batch.columns if column.type != QUANTITY),
        names.dictionary,
        customers.dictionary,
        payload.keys,
        payload.items,
    ]
