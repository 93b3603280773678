"""Events of equal content hash alike, whatever their columns look like in memory."""

from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from ledger.usage.columns import (
    USAGE,
    UsageRow,
    decode,
    empty_batch,
    encode,
    take_rows,
    usage_batch,
    words,
)
from ledger.usage.content_hash import content_hashes
from ledger.usage.quantities import units_from_quantity
from tests.ledger.drafts import NOW, row, rows
from tests.ledger.usage_rows import batches


def hash_of(event: UsageRow) -> int:
    (hash_,) = content_hashes(usage_batch([event])).tolist()
    return int(hash_)


def spelled(event: UsageRow) -> bytes:
    """Spell an event out text by text, as the module says."""
    halves = ["", ""]
    if event.value is not None:
        units = units_from_quantity(event.value).to_bytes(16, "little", signed=True)
        halves = [
            str(int.from_bytes(half, "little", signed=True))
            for half in (units[:8], units[8:])
        ]
    payload = "\0".join(chain.from_iterable(event.payload))
    texts = [event.event_name, event.identifier, event.customer, *halves, payload]
    return "\0".join(texts).encode()


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (row("a"), 13724313092009424802),
        (row("a", value=None, payload=()), 13602221499283138213),
        (
            row("größe", value="-99999999999999999999999999.5", customer="🚕"),
            17051651832468378678,
        ),
    ],
)
def test_a_hash_is_the_same_in_every_release(event: UsageRow, expected: int) -> None:
    assert hash_of(event) == expected


@given(batches())
def test_a_batch_is_hashed_row_by_row(events: list[UsageRow]) -> None:
    expected = [xxh3_64_intdigest(spelled(event)) for event in events]

    hashes = content_hashes(usage_batch(events))

    assert hashes.tolist() == expected
    assert hashes.dtype == np.uint64


@given(batches(size_min=1), st.data())
def test_a_hash_does_not_depend_on_how_columns_lie_in_memory(
    events: list[UsageRow], data: st.DataObject
) -> None:
    batch = usage_batch(events)
    expected = content_hashes(batch).tolist()
    order = data.draw(st.permutations(range(len(events))))
    start = data.draw(st.integers(0, len(events)))

    taken = batch.take(pa.array(order, pa.int64()))
    with_words_unused = with_more_words(batch)

    assert content_hashes(batch.slice(start)).tolist() == expected[start:]
    assert content_hashes(batch.slice(0, start)).tolist() == expected[:start]
    assert content_hashes(taken).tolist() == [expected[at] for at in order]
    assert content_hashes(take_rows(batch, np.array(order))).tolist() == [
        expected[at] for at in order
    ]
    assert content_hashes(with_words_unused).tolist() == expected
    assert content_hashes(decode(encode(batch))).tolist() == expected


def with_more_words(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Encode the same events by dictionaries with a word more at their beginning."""
    columns = batch.columns
    for at in (0, 2):
        plain = columns[at].cast(pa.string())
        columns[at] = words(pa.concat_arrays([pa.array(["unused"]), plain]))[1:]
    return pa.RecordBatch.from_arrays(columns, schema=USAGE)


def test_a_hash_does_not_cover_the_timestamp() -> None:
    assert hash_of(row("a", timestamp=NOW)) == hash_of(row("a", timestamp=NOW + 1))


def test_contents_that_differ_anywhere_hash_differently() -> None:
    contents = [
        row("a"),
        row("b"),
        row("a", event_name="requests"),
        row("a", customer="cus_2"),
        row("a", value="2"),
        row("a", value="-1"),
        row("a", value="0"),
        row("a", value=None),
        row("a", payload=()),
        row("a", payload=(("", ""),)),
        row("a", payload=(("", ""), ("model", "large"))),
        row("a", payload=(("model", ""),)),
        row("a", payload=(("model", "large"), ("region", "eu"))),
        row("a", payload=(("model", "large"), ("region", ""))),
        row("a", payload=(("modellarge", ""),)),
        row("acus_1", customer="1"),
        row("acus_", customer="1"),
        # The two words of a value: each alone, and one for the other.
        row("a", value="18446744.073709551616"),
        row("a", value="0.000000000001"),
        row("a", value="-0.000000000001"),
        row("a", value="18446744.073709551615"),
    ]

    hashes = content_hashes(usage_batch(contents)).tolist()

    assert len(set(hashes)) == len(contents)


def test_a_large_batch_is_hashed_as_its_parts_are() -> None:
    batch = usage_batch(rows(150_000))

    hashes = content_hashes(batch)

    assert len(np.unique(hashes)) == 150_000
    parts = [content_hashes(batch.slice(start, 999)) for start in (0, 65_530, 149_001)]
    assert hashes[:999].tolist() == parts[0].tolist()
    assert hashes[65_530:66_529].tolist() == parts[1].tolist()
    assert hashes[149_001:].tolist() == parts[2].tolist()


def test_an_empty_batch_has_no_hashes() -> None:
    assert content_hashes(empty_batch()).tolist() == []
    assert content_hashes(usage_batch([row("a")]).slice(1)).tolist() == []
