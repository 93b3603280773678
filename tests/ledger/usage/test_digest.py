"""A digest says what was recorded, and nothing of how it is encoded."""

import hashlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, example, given

from ledger.entries import (
    CommitKind,
    chain_digest,
    genesis_digest,
    genesis_head,
    next_commit,
)
from ledger.usage.columns import (
    UsageRow,
    concatenate,
    decode,
    empty_batch,
    encode,
    take_rows,
    usage_batch,
)
from ledger.usage.digest import facts_digest, usage_digest
from tests.ledger.drafts import NOW, meter_created, row, rows
from tests.ledger.usage.test_columns import in_other_words
from tests.ledger.usage_rows import batches

EVENTS = rows(100)
DIGEST = usage_digest(usage_batch(EVENTS))


def ipc(batch: pa.RecordBatch, **options: object) -> pa.RecordBatch:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(
        sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)
    ) as writer:
        writer.write_batch(batch)
    with pa.ipc.open_stream(sink.getvalue()) as reader:
        return reader.read_next_batch()


def behind_others(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows as a slice of a longer batch."""
    longer = concatenate([usage_batch(rows(9, prefix="x")), batch])
    return take_rows(longer.slice(9), np.arange(batch.num_rows))


@pytest.mark.parametrize(
    "encoded",
    [
        lambda batch: batch,
        lambda batch: decode(encode(batch)),
        ipc,
        lambda batch: ipc(batch, compression="zstd"),
        lambda batch: ipc(batch, compression="lz4"),
        lambda batch: take_rows(in_other_words(batch), np.arange(batch.num_rows)),
        lambda batch: concatenate([batch.slice(0, 33), batch.slice(33)]),
        behind_others,
        lambda batch: pa.RecordBatch.from_pylist(batch.to_pylist(), batch.schema),
    ],
    ids=[
        "as built", "decoded", "plain", "zstd", "lz4", "other dictionary order",
        "put together", "slice", "from objects",
    ],
)  # fmt: skip
def test_the_digest_does_not_depend_on_the_encoding(
    encoded: Callable[[pa.RecordBatch], pa.RecordBatch],
) -> None:
    assert usage_digest(encoded(usage_batch(EVENTS))) == DIGEST


@pytest.mark.parametrize("filler", [b"\0", b"\x7f", b"\xff"])
def test_what_lies_under_a_null_is_not_content(filler: bytes) -> None:
    batch = usage_batch([row("a", value=None), row("b"), row("c", value=None)])
    validity = batch.column("value").buffers()[0]
    one = (10**12).to_bytes(16, "little")
    filled = pa.py_buffer(filler * 16 + one + filler * 16)
    columns = batch.columns
    columns[4] = pa.Array.from_buffers(columns[4].type, 3, [validity, filled])

    same = pa.RecordBatch.from_arrays(columns, schema=batch.schema)

    assert usage_digest(same) == usage_digest(batch)


@given(batches(size_max=5), batches(size_max=5))
@example([row("ab", customer="c")], [row("a", customer="bc")])
@example([row("a"), row("bc")], [row("ab"), row("c")])
@example([row("a", payload=(("k", "vw"),))], [row("a", payload=(("kv", "w"),))])
@example([row("a", payload=())], [row("a", payload=(("", ""),))])
@example(
    [row("a", payload=(("k", "v"),)), row("b", payload=())],
    [row("a", payload=()), row("b", payload=(("k", "v"),))],
)
@example([row("a", value=None)], [row("a", value="0")])
@example(
    [row("a", value=None), row("b", value="1")],
    [row("a", value="1"), row("b", value=None)],
)
@example([row("a", timestamp=NOW)], [row("a", timestamp=NOW + 1)])
@example([row("a")], [row("a"), row("a")])
def test_different_events_have_different_digests(
    one: list[UsageRow], other: list[UsageRow]
) -> None:
    assume(one != other)

    assert usage_digest(usage_batch(one)) != usage_digest(usage_batch(other))


def test_no_events_have_a_digest_too() -> None:
    nothing = usage_digest(empty_batch())

    none_picked = take_rows(usage_batch(EVENTS), np.zeros(0, np.int64))
    assert nothing == usage_digest(none_picked)
    assert nothing != usage_digest(usage_batch([row("a")]))


def test_the_digest_of_facts_is_that_of_their_bytes() -> None:
    assert facts_digest(b"[]") == hashlib.sha256(b"[]").digest()


def test_logs_of_different_epochs_have_nothing_in_common() -> None:
    assert genesis_digest("epoch-1") != genesis_digest("epoch-2")
    assert genesis_head("epoch-1").digest == genesis_digest("epoch-1")
    assert genesis_head("epoch-1").position == 0


CHAIN = {
    "first_position": 1,
    "entry_count": 2,
    "recorded_at": NOW,
    "kind": CommitKind.USAGE,
    "content": b"c" * 32,
}


@pytest.mark.parametrize(
    "changed",
    [
        {"first_position": 2},
        {"entry_count": 3},
        {"recorded_at": NOW + 1},
        {"kind": CommitKind.FACTS},
        {"content": b"d" * 32},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_link_of_the_chain_covers_everything(changed: dict[str, object]) -> None:
    before = genesis_digest("epoch-1")
    link = chain_digest(before, **CHAIN)  # type: ignore[arg-type]  # a table of cases

    assert chain_digest(before, **CHAIN | changed) != link  # type: ignore[arg-type]  # a table of cases
    assert chain_digest(link, **CHAIN) != link  # type: ignore[arg-type]  # a table of cases


def test_the_next_commit_goes_on_where_the_head_is() -> None:
    known = genesis_head("epoch-1")
    batch = usage_batch(rows(3))
    facts = (meter_created("tokens"),)

    usage, after_usage = next_commit(
        known, batch, CommitKind.USAGE, usage_digest(batch), NOW
    )
    created, after_facts = next_commit(
        after_usage, facts, CommitKind.FACTS, b"f" * 32, NOW - 1
    )

    assert (usage.first_position, usage.last_position, usage.entry_count) == (1, 3, 3)
    assert (after_usage.position, after_usage.facts_position) == (3, 0)
    assert (created.first_position, created.last_position) == (4, 4)
    assert (after_facts.position, after_facts.facts_position) == (4, 4)
    assert created.recorded_at == after_facts.recorded_at == NOW
    assert usage.digest == after_usage.digest != created.digest == after_facts.digest
    assert after_facts.epoch == "epoch-1"
