"""Sums and averages agree with whole numbers of any size."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from projections.kernels.usage.decimals import average_units
from projections.kernels.usage.totals import Totals
from tests.ledger.usage_rows import decimal_of, units

NUMBERS = st.lists(units() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9)


@given(NUMBERS, st.integers(0, 27))
def test_the_total_of_numbers_is_exact_however_often_it_is_added(
    numbers: list[int], doublings: int
) -> None:
    values = pa.array(map(decimal_of, numbers), pa.decimal128(38, 12))
    total = Totals.of_one(1, values)

    for _ in range(doublings):
        total = Totals.combine([total, total])

    assert total.sum_units(0) == sum(numbers) << doublings
    assert total.count.tolist() == [len(numbers) << doublings]


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
