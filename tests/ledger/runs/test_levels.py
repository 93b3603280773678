"""Eight neighbours make one of the next level, counted from the beginning of the log."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.runs.levels import Stretch, stretches
from tests.ledger.runs.catalogs import catalog

SIZES = st.lists(st.integers(1, 100), max_size=200)


def segment_counts(covering: list[Stretch]) -> list[int]:
    return [
        1 if each.segment is not None else sum(segment_counts(list(each.parts)))
        for each in covering
    ]


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (0, []),
        (1, [1]),
        (7, [1] * 7),
        (8, [8]),
        (9, [8, 1]),
        (63, [8] * 7 + [1] * 7),
        (64, [64]),
        (100, [64] + [8] * 4 + [1] * 4),
        (513, [512, 1]),
    ],
)
def test_there_are_as_many_runs_as_the_number_has_octal_units(
    segments: int, expected: list[int]
) -> None:
    assert segment_counts(stretches(catalog(*[10] * segments))) == expected


def test_a_run_grows_no_further_than_can_be_merged() -> None:
    covering = stretches(catalog(*[10] * 130), events_at_most=80)

    assert segment_counts(covering) == [8] * 16 + [1] * 2


def test_small_segments_are_joined_behind_large_ones() -> None:
    covering = stretches(catalog(*[100] * 8, *[1] * 64), events_at_most=80)

    assert segment_counts(covering) == [1] * 8 + [8] * 8


@given(SIZES, st.integers(1, 3_000))
def test_stretches_tile_the_sealed_log(sizes: list[int], events_at_most: int) -> None:
    segments = catalog(*sizes)

    covering = stretches(segments, events_at_most=events_at_most)

    assert sum(segment_counts(covering)) == len(segments)
    assert [each.after for each in covering[:1]] == [0] * bool(segments)
    assert all(before.up_to == after.after for before, after in pairwise(covering))
    ends = {segment.up_to: segment.digest for segment in segments}
    for each in covering:
        assert ends[each.up_to] == each.digest
        assert each.events == each.up_to - each.after
        assert each.segment is not None or each.events <= events_at_most


@given(SIZES, st.integers(1, 3_000))
def test_what_was_merged_is_never_taken_apart(
    sizes: list[int], events_at_most: int
) -> None:
    """A longer log keeps the runs of a shorter one, or merges them."""
    segments = catalog(*sizes)
    shorter = stretches(segments[:-1], events_at_most=events_at_most)

    longer = stretches(segments, events_at_most=events_at_most)

    for each in shorter:
        assert any(
            above.after <= each.after and each.up_to <= above.up_to for above in longer
        )
