"""Sums and averages agree with whole numbers of any size."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from projections.kernels.usage.decimals import (
    average_units,
    limb_sums_of_neighbours,
    word_sums_of_neighbours,
    words_of,
)
from tests.ledger.usage_rows import decimal_of, units

GROUPS = st.lists(
    st.lists(units() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
    min_size=1,
    max_size=5,
)


def words(groups: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Lay numbers out group by group, and tell where each group starts."""
    values = [decimal_of(number) for group in groups for number in group]
    sizes = [len(group) for group in groups]
    column = pa.array(values, pa.decimal128(38, 12))
    return words_of(column), np.cumsum([0, *sizes[:-1]])


def numbers_of(limbs: Iterable[np.ndarray]) -> list[int]:
    return [
        sum(limb << (32 * place) for place, limb in enumerate(parts))
        for parts in zip(*(limb.tolist() for limb in limbs), strict=True)
    ]


@given(GROUPS)
def test_sums_of_numbers_are_exact(groups: list[list[int]]) -> None:
    found = word_sums_of_neighbours(*words(groups))

    assert numbers_of(found) == [sum(group) for group in groups]


@given(GROUPS, st.integers(1, 31))
def test_sums_of_sums_are_exact_however_often_they_are_added(
    groups: list[list[int]], doublings: int
) -> None:
    limbs = word_sums_of_neighbours(*words(groups))

    for _ in range(doublings):
        twice = [np.repeat(limb, 2) for limb in limbs]
        limbs = limb_sums_of_neighbours(twice, np.arange(0, 2 * len(groups), 2))

    assert numbers_of(limbs) == [sum(group) << doublings for group in groups]
    assert all(int(limb.min()) >= 0 for limb in limbs[:-1])
    assert all(int(limb.max()) < 2**32 for limb in limbs[:-1])


@given(st.integers(-(2**63), 2**63 - 1))
def test_small_numbers_can_come_to_a_large_sum(number: int) -> None:
    limbs = word_sums_of_neighbours(*words([[number]]))

    for _ in range(60):
        limbs = limb_sums_of_neighbours(
            [np.repeat(limb, 2) for limb in limbs], np.array([0])
        )

    assert numbers_of(limbs) == [number << 60]


def test_sums_of_nothing_are_none() -> None:
    nothing = np.zeros(0, np.int64)

    assert (
        numbers_of(word_sums_of_neighbours(np.zeros((2, 0), np.int64), nothing)) == []
    )
    assert numbers_of(limb_sums_of_neighbours([nothing, nothing], nothing)) == []


@given(st.integers(-(10**40), 10**40), st.integers(1, 10**6))
@example(1, 2)
@example(3, 2)
@example(-1, 2)
@example(-3, 2)
@example(7, 3)
def test_averages_are_rounded_half_to_even(total: int, count: int) -> None:
    exact = Context(prec=100).divide(Decimal(total), Decimal(count))
    rounded = exact.quantize(Decimal(1), ROUND_HALF_EVEN, Context(prec=100))

    assert average_units(total, count) == int(rounded)


def test_nothing_has_no_average() -> None:
    with pytest.raises(AssertionError):
        average_units(0, 0)
