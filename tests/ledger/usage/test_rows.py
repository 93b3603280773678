"""Few events are stored as rows, and nothing shows of it: not a value, not a digest."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.usage.columns import UsageRow, usage_batch, usage_rows
from ledger.usage.digest import usage_digest
from ledger.usage.rows import (
    FewEvents,
    UsageEvents,
    batch_of,
    concatenate_events,
    decode_events,
    encode_events,
    events_digest,
    take_events,
)
from tests.ledger.drafts import row, rows
from tests.ledger.usage_rows import batches


def both(events: Sequence[UsageRow]) -> list[UsageEvents]:
    """The same events as rows and as columns."""
    return [FewEvents(events), usage_batch(events)]


@given(batches())
@example(rows(40))
@example([row("a", value=None), row("b"), row("c", value=None)])
@example([row(str(number), value=None) for number in range(9)])
@example([row("a", payload=()), row("b", payload=())])
def test_rows_and_columns_have_the_same_digest(events: list[UsageRow]) -> None:
    assert events_digest(FewEvents(events)) == usage_digest(usage_batch(events))
    assert events_digest(usage_batch(events)) == usage_digest(usage_batch(events))


@given(batches())
@example(rows(40))
def test_encoded_events_come_back_as_columns(events: list[UsageRow]) -> None:
    for same in both(events):
        decoded = batch_of(decode_events(encode_events(same)))

        assert decoded.equals(usage_batch(events))
        assert usage_rows(decoded) == events


@given(batches(), st.data())
def test_picked_events_are_those_picked(
    events: list[UsageRow], data: st.DataObject
) -> None:
    picked = data.draw(st.lists(st.integers(0, len(events) - 1), min_size=1))
    expected = usage_batch([events[number] for number in picked])

    for same in both(events):
        assert batch_of(take_events(same, np.array(picked))).equals(expected)


@given(batches(size_max=20), st.lists(st.tuples(st.integers(0, 20), st.booleans())))
def test_any_mixture_put_together_is_the_whole(
    events: list[UsageRow], cuts: list[tuple[int, bool]]
) -> None:
    edges = [0, *sorted(at % len(events) for at, _ in cuts), len(events)]
    pieces = [events[start:end] for start, end in pairwise(edges) if start < end]
    are_rows = [is_row for _, is_row in cuts] + [True] * len(pieces)
    parts = [
        FewEvents(piece) if is_row else usage_batch(piece)
        for piece, is_row in zip(pieces, are_rows, strict=False)
    ]

    whole = concatenate_events(parts)

    assert whole.equals(usage_batch(events))


def test_events_are_counted() -> None:
    assert [len(same) for same in both(rows(7))] == [7, 7]


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"[",
        b"[[]]",
        b'[["tokens","a","c",1,"1.5"]]',
        b'[["tokens","a","c",1,"1.5",[],0]]',
        b'[[null,"a","c",1,"1.5",[]]]',
        b'[["tokens","a","c","1","1.5",[]]]',
        b'[["tokens","a","c",1.5,"1.5",[]]]',
        b'[["tokens","a","c",1,"NaN",[]]]',
        b'[["tokens","a","c",1,"1e30",[]]]',
        b'[["tokens","a","c",1,"1e-13",[]]]',
        b'[["tokens","a","c",1,"many",[]]]',
        b'[["tokens","a","c",1,null,[["k"]]]]',
        b'[["tokens","a","c",1,null,[["k",null]]]]',
        b'[["\\ud800","a","c",1,null,[]]]',
        b'[["\xff","a","c",1,null,[]]]',
        b'[{"event_name":"tokens"}]',
    ],
)
def test_rows_that_are_none_are_refused(body: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, pa.ArrowException, ValueError)):
        batch_of(decode_events(body))
