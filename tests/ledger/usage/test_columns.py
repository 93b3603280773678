"""Usage has one canonical form, and comes back from its encoding as it was."""

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.usage.columns import (
    USAGE,
    UsageRow,
    codes_of,
    concatenate,
    decode,
    empty_batch,
    encode,
    take_rows,
    timestamps_of,
    usage_batch,
    usage_rows,
    words,
)
from tests.ledger.drafts import NOW, row, rows
from tests.ledger.usage_rows import batches


def cut(events: Sequence[UsageRow], at: Sequence[int]) -> list[list[UsageRow]]:
    """Cut rows at some places, leaving out the empty pieces."""
    edges = [0, *sorted(place % (len(events) + 1) for place in at), len(events)]
    pieces = [list(events[start:end]) for start, end in pairwise(edges)]
    return [piece for piece in pieces if piece]


def in_other_words(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows with shuffled dictionaries that hold unused words."""
    columns = batch.columns
    for index in (0, 2):
        values = columns[index].cast(pa.string())
        shuffled = list(dict.fromkeys([*values.to_pylist(), "unused", "also unused"]))
        random.Random(7).shuffle(shuffled)
        codes = [shuffled.index(value) for value in values.to_pylist()]
        columns[index] = pa.DictionaryArray.from_arrays(
            pa.array(codes, pa.int32()), pa.array(shuffled, pa.string())
        )
    return pa.RecordBatch.from_arrays(columns, schema=USAGE)


@given(batches())
def test_rows_come_back_from_a_batch(events: list[UsageRow]) -> None:
    batch = usage_batch(events)

    assert batch.schema == USAGE
    batch.validate(full=True)
    assert usage_rows(batch) == events


@given(batches(size_max=100), st.lists(st.integers(0, 100), max_size=5))
def test_any_cut_put_together_is_the_whole(
    events: list[UsageRow], at: list[int]
) -> None:
    pieces = [usage_batch(piece) for piece in cut(events, at)]

    whole = concatenate(pieces)

    assert whole.equals(usage_batch(events))


@given(batches(), st.data())
def test_picked_rows_are_canonical_whatever_they_are_picked_from(
    events: list[UsageRow], data: st.DataObject
) -> None:
    picked = data.draw(st.lists(st.integers(0, len(events) - 1), min_size=1))
    expected = usage_batch([events[number] for number in picked])
    batch = usage_batch(events)

    for same in (batch, in_other_words(batch)):
        taken = take_rows(same, np.array(picked))

        assert taken.equals(expected)
        assert codes_of(taken, "customer")[1] == codes_of(expected, "customer")[1]


@given(batches(), st.integers(0, 12), st.integers(1, 12))
def test_rows_of_a_slice_are_those_of_the_slice(
    events: list[UsageRow], start: int, length: int
) -> None:
    sliced = usage_batch(events).slice(start, length)

    assert usage_rows(sliced) == events[start : start + length]
    everything = np.arange(sliced.num_rows)
    assert usage_rows(take_rows(sliced, everything)) == usage_rows(sliced)


@pytest.mark.parametrize("count", [1, 63, 64, 5_000])
def test_batches_of_all_sizes_come_back(count: int) -> None:
    events = rows(count)

    assert usage_rows(decode(encode(usage_batch(events)))) == events


def test_large_batches_are_compressed() -> None:
    batch = usage_batch(rows(5_000))

    assert len(encode(batch)) < batch.nbytes / 4


def test_a_batch_without_rows_has_the_columns() -> None:
    assert empty_batch().schema == USAGE
    assert usage_rows(empty_batch()) == []


def test_timestamps_are_microseconds() -> None:
    batch = usage_batch([row("a", timestamp=NOW), row("b", timestamp=NOW + 1)])

    assert timestamps_of(batch).tolist() == [NOW, NOW + 1]
    assert timestamps_of(batch.slice(1)).tolist() == [NOW + 1]


def test_words_are_coded_in_the_order_of_first_appearance() -> None:
    batch = usage_batch([row("1", customer=each) for each in "bacab"])

    codes, customers = codes_of(batch, "customer")

    assert codes.tolist() == [0, 1, 2, 1, 0]
    assert customers == ["b", "a", "c"]


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["b", "a", "b"]),
        pa.array(["b", "a", "b"], pa.large_string()),
        pa.array(["b", "a", "b"], pa.string_view()),
        pa.array(["b", "a", "b"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([2, 1, 2]), pa.array(["x", "a", "b"])),
        pa.array(["z", "b", "a", "b"])[1:],
    ],
    ids=["string", "large", "view", "dictionary", "other order", "slice"],
)
def test_words_are_made_of_any_strings(values: pa.Array) -> None:
    encoded = words(values)

    assert encoded.dictionary.to_pylist() == ["b", "a"]
    assert encoded.indices.to_pylist() == [0, 1, 0]


def stream(*made: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, made[0].schema) as writer:
        for batch in made:
            writer.write_batch(batch)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def without_batches() -> bytes:
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, USAGE).close()
    body: bytes = sink.getvalue().to_pybytes()
    return body


def with_nulls(column: str) -> bytes:
    batch = usage_batch(rows(3))
    index = batch.schema.get_field_index(column)
    nullable = pa.schema([pa.field(each.name, each.type) for each in USAGE])
    columns = batch.columns
    columns[index] = pa.nulls(3, columns[index].type)
    broken = pa.RecordBatch.from_arrays(columns, schema=nullable)
    return stream(pa.RecordBatch.from_arrays(broken.columns, schema=USAGE))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"text",
        encode(usage_batch(rows(3)))[:-200],
        encode(usage_batch(rows(100)))[:-500],
        without_batches(),
        stream(pa.record_batch({"event_name": ["tokens"]})),
        stream(usage_batch(rows(2)).drop_columns(["payload"])),
        *(with_nulls(field.name) for field in USAGE if not field.nullable),
    ],
    ids=[
        "empty", "text", "cut", "cut and compressed", "no batch", "other columns",
        "a column less", "null names", "null identifiers", "null customers",
        "null timestamps", "null payloads",
    ],
)  # fmt: skip
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises((pa.ArrowInvalid, OSError)):
        decode(body)
