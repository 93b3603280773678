"""A value is stored as it was sent, to the last digit, or refused by name.

The table lists what number libraries are known to accept, round or misread; the
properties compare the grammar with the oracle's character by character reading.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

import metering
from tests.oracles.usage import EXACT, OracleMeter, Row, parse_value
from tests.property.answers import create, ingest, store_of, total
from tests.strategies import (
    INVALID_VALUES,
    MIDNIGHT,
    VALID_VALUES,
    invalid_values,
    values,
)

TOKENS = OracleMeter(event_name="tokens", formula="sum")
DAY = (MIDNIGHT, MIDNIGHT + timedelta(days=1))

# Texts are tried below, against the oracle.
TABLE: list[tuple[str | int | Decimal, str | None]] = [
    ("12\n", None),
    ("-0.000", "0"),
    ("-12.50", "-12.5"),
    ("1e-05", "0.00001"),
    ("1e17", "1" + "0" * 17),
    (10**18 - 1, "9" * 18),
    (10**18, None),
    (-7, "-7"),
    (Decimal("1E+3"), "1000"),
    (Decimal("1E-12"), "0.000000000001"),
    (Decimal("1E-13"), None),
    (Decimal("1E+1000000"), None),
    (Decimal("-0"), "0"),
    (Decimal("NaN"), None),
    (Decimal("sNaN"), None),
    (Decimal("Infinity"), None),
]


def usage(value: str | float | Decimal, identifier: str = "only") -> Row:
    return Row(
        event_name="tokens",
        payload={"stripe_customer_id": "cus_1", "value": value},
        identifier=identifier,
        timestamp=MIDNIGHT,
    )


def column_of(values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """A flat table of events, one for each value, named by its row."""
    count = len(values)
    return pa.table(
        {
            "event_name": pa.array(["tokens"] * count, pa.string()),
            "identifier": [f"row-{number}" for number in range(count)],
            "timestamp": pa.array([MIDNIGHT] * count, pa.timestamp("us", tz="UTC")),
            "stripe_customer_id": pa.array(["cus_1"] * count, pa.string()),
            "value": values,
        }
    )


def stored(store: metering.Metering) -> dict[str, Decimal]:
    return {
        event.identifier: Decimal(event.payload["value"])
        for event in store.meter_events.list()
    }


def expect(expected: Sequence[Decimal | None]) -> dict[str, Decimal]:
    return {
        f"row-{number}": value
        for number, value in enumerate(expected)
        if value is not None
    }


def expect_column(
    values: pa.Array,
    expected: Sequence[Decimal | None],
    rounding: Literal["half_even"] | None = None,
) -> int:
    """Ingest the column: these values are stored, and every other row is refused.

    Returns:
        How many were rounded.
    """
    with store_of([TOKENS]) as store:
        receipt = store.meter_events.ingest(column_of(values), rounding=rounding)
        whole = total(store, "tokens", "cus_1", DAY)
        kept = stored(store)

    exact = Decimal(0)
    for value in expected:
        exact = EXACT.add(exact, value or Decimal(0))
    refused = [number for number, value in enumerate(expected) if value is None]
    event("some are refused" if refused else "none is refused")
    assert kept == expect(expected)
    assert receipt.accepted == len(kept)
    assert receipt.rejections.column("row").to_pylist() == refused
    assert set(receipt.rejections.column("code").to_pylist()) <= {
        "meter_event_invalid_value"
    }
    assert whole == exact
    return receipt.rounded


@pytest.mark.parametrize(
    ("value", "expected"), TABLE, ids=lambda each: ascii(each)[:30]
)
def test_a_value_that_others_misread_is_stored_exactly_or_refused(
    value: str | int | Decimal, expected: str | None
) -> None:
    with store_of([TOKENS]) as store, store_of([TOKENS]) as bulk:
        if expected is None:
            with pytest.raises(metering.MeteringError) as caught:
                create(store, usage(value))

            assert caught.value.code == "meter_event_invalid_value"
            assert store.position == 1
        else:
            assert create(store, usage(value)).payload["value"] == expected
            assert total(store, "tokens", "cus_1", DAY) == Decimal(expected)
        receipt = ingest(bulk, [usage("1", "before"), usage(value), usage("1", "end")])

        codes = receipt.rejections.column("code").to_pylist()
        assert codes == ([] if expected else ["meter_event_invalid_value"])
        assert stored(bulk).get("only") == (Decimal(expected) if expected else None)
        assert receipt.accepted == (3 if expected else 2)


def test_an_integer_too_long_to_print_is_refused() -> None:
    with store_of([TOKENS]) as store:
        with pytest.raises(metering.MeteringError) as caught:
            create(store, usage(10**5000))
        receipt = ingest(store, [usage(10**5000)])

        refusals = {"meter_event_invalid_value", "parameter_too_long"}
        assert caught.value.code in refusals
        assert set(receipt.rejections.column("code").to_pylist()) <= refusals
        assert receipt.rejected == 1


@pytest.mark.parametrize(
    "value", [float("nan"), True, None, [1], {"amount": 1}, b"1", 1 + 0j]
)
def test_a_value_of_another_type_is_refused(value: object) -> None:
    # Annotated as what it is not, as a caller without a type checker would.
    payload: dict[str, Any] = {"stripe_customer_id": "cus_1", "value": value}
    row = {"event_name": "tokens", "payload": payload}

    with store_of([TOKENS]) as store:
        with pytest.raises(metering.MeteringError) as caught:
            store.meter_events.create(event_name="tokens", payload=payload)
        receipt = store.meter_events.ingest([row], now=True)

        refusals = {"payload_invalid", "meter_event_invalid_value"}
        assert caught.value.code in refusals
        assert receipt.accepted == 0
        assert set(receipt.rejections.column("code").to_pylist()) <= refusals
        assert store.position == 1


def numeric_texts() -> st.SearchStrategy[str]:
    """Texts that are values, nearly are, or are made of the same characters."""
    digits = st.text("0123456789", max_size=30)
    pieces = st.sampled_from(["", "-", "+", ".", "e", "E", "e-", "e+", " ", "_"])
    exponents = st.integers(-40, 40).map(str)
    made = st.tuples(pieces, digits, pieces, digits, pieces, exponents).map("".join)
    plain = st.tuples(digits, digits).map(".".join)
    known = st.sampled_from(VALID_VALUES + INVALID_VALUES)
    return st.one_of(made, plain, known, values().map(str), invalid_values().map(str))


@given(st.lists(numeric_texts(), max_size=20))
@example([*VALID_VALUES, *INVALID_VALUES])
def test_a_text_column_holds_what_the_oracle_can_read(texts: list[str]) -> None:
    expected = [parse_value(text) for text in texts]

    expect_column(pa.array(texts, pa.string()), expected)


@given(st.lists(numeric_texts(), min_size=1, max_size=6))
@example([*VALID_VALUES, *INVALID_VALUES])
def test_single_events_hold_what_the_oracle_can_read(texts: list[str]) -> None:
    expected = expect([parse_value(text) for text in texts])
    codes = []

    with store_of([TOKENS]) as store:
        for number, text in enumerate(texts):
            try:
                create(store, usage(text, f"row-{number}"))
            except metering.MeteringError as error:
                codes.append(error.code)

        assert stored(store) == expected
        refused = len(texts) - len(expected)
        assert codes == ["meter_event_invalid_value"] * refused


@st.composite
def decimal_columns(draw: st.DrawFn) -> tuple[pa.DataType, list[Decimal]]:
    """Decimal columns of any scale, also finer and wider than what is stored."""
    wide = draw(st.booleans())
    precision = draw(st.integers(1, 76 if wide else 38))
    scale = draw(st.integers(-25, precision))
    kind = pa.decimal256(precision, scale) if wide else pa.decimal128(precision, scale)
    limit = 10**precision - 1
    powers = st.builds(
        lambda digits, zeros: min(digits * 10**zeros, limit),
        st.integers(-9, 9),
        st.integers(0, precision - 1),
    )
    units = st.one_of(st.integers(-limit, limit), powers, st.integers(-9, 9))
    found = draw(st.lists(units, max_size=10))
    return kind, [Decimal(each).scaleb(-scale, EXACT) for each in found]


@given(decimal_columns())
@example((pa.decimal128(38, 12), [Decimal("9" * 18 + "." + "9" * 12)] * 3))
@example((pa.decimal128(38, 20), [Decimal("1e-12"), Decimal("1e-13"), Decimal(1)]))
@example((pa.decimal256(76, 0), [Decimal(10**18), Decimal(10**18 - 1)]))
def test_a_decimal_column_is_never_rounded(
    column: tuple[pa.DataType, list[Decimal]],
) -> None:
    kind, numbers = column
    expected = [parse_value(f"{number:f}") for number in numbers]

    expect_column(pa.array(numbers, kind), expected)


INTEGERS = [pa.int8(), pa.uint8(), pa.int16(), pa.int32(), pa.uint32(), pa.int64()]


@given(st.data())
def test_an_integer_column_is_stored_exactly(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([*INTEGERS, pa.uint64()]))
    bits = kind.bit_width
    is_signed = pa.types.is_signed_integer(kind)
    low = -(2 ** (bits - 1)) if is_signed else 0
    high = 2 ** (bits - is_signed) - 1
    numbers = data.draw(
        st.lists(st.integers(low, high) | st.sampled_from([low, high]), max_size=10)
    )

    expected = [parse_value(str(number)) for number in numbers]

    expect_column(pa.array(numbers, kind), expected)


def floats(width: Literal[32, 64] = 64) -> st.SearchStrategy[list[float]]:
    """Floats of all sizes, and those that usage has: prices, hours, sums of them."""
    usual = st.floats(-1000, 1000, width=width)
    if width == 64:
        cents = st.integers(-(10**6), 10**6).map(lambda each: each / 100)
        usual |= cents | st.floats(-1e-9, 1e-9) | st.floats(1e17, 1e18)
    return st.lists(st.floats(width=width) | usual, max_size=10)


def shortest(number: float) -> Decimal | None:
    return parse_value(f"{Decimal(repr(number)):f}")


@given(floats())
@example([0.1 + 0.2, 1e-5, 1e-12, 1e-13, 5e-324, 1.7976931348623157e308, 1e17, 1e18])
@example([-0.0, 0.1, float("nan"), float("inf"), float("-inf"), 999999999999999900.0])
def test_a_float_is_its_shortest_decimal_at_every_door(numbers: list[float]) -> None:
    expected = [shortest(number) for number in numbers]

    expect_column(pa.array(numbers, pa.float64()), expected)
    with store_of([TOKENS]) as store, store_of([TOKENS]) as bulk:
        rows = [usage(each, f"row-{number}") for number, each in enumerate(numbers)]
        ingest(bulk, rows)
        for row in rows:
            with suppress(metering.MeterEventInvalidError):
                create(store, row)

        assert stored(bulk) == stored(store) == expect(expected)


@given(floats(width=32))
@example([float(np.float32(0.1)), 16777216.0, float(np.float32(1e-7))])
def test_a_float_of_32_bits_is_the_shortest_decimal_of_32_bits(
    numbers: list[float],
) -> None:
    expected = [parse_value(f"{Decimal(str(np.float32(n))):f}") for n in numbers]

    expect_column(pa.array(numbers, pa.float32()), expected)


@given(st.lists(st.floats(width=16), max_size=10))
@example([float(np.float16(0.1)), 0.5, float(np.float16(6e-8))])
def test_a_float_of_16_bits_is_the_shortest_decimal_of_16_bits(
    numbers: list[float],
) -> None:
    column = np.array(numbers, np.float16)
    expected = [parse_value(f"{Decimal(str(number)):f}") for number in column]

    expect_column(pa.array(column), expected)


def rounded(text: str) -> Decimal | None:
    """The value to 12 fraction digits as `decimal` rounds it, where it then fits."""
    number = Decimal(text)
    if not number.is_finite() or (number and number.adjusted() > 20):
        return None
    nearest = number.quantize(Decimal("1e-12"), ROUND_HALF_EVEN, Context(prec=400))
    return nearest if nearest.copy_abs() < 10**18 else None


@given(floats())
@example([0.0016150000000000001, 9.999999999999999e-06, 7.7e-05])
@example([0.5e-12, 1.5e-12, -2.5e-12, 5e-324, 1e18, float("nan")])
def test_floats_are_rounded_half_to_even_where_that_is_asked_for(
    numbers: list[float],
) -> None:
    expected = [rounded(repr(number)) for number in numbers]
    changed = [
        number
        for number, value in zip(numbers, expected, strict=True)
        if value is not None and value != Decimal(repr(number))
    ]

    count = expect_column(pa.array(numbers, pa.float64()), expected, "half_even")

    assert count == len(changed)


@given(
    st.lists(
        st.decimals(min_value=-(10**19), max_value=10**19, allow_nan=False, places=15),
        max_size=10,
    )
)
@example([Decimal("0.0000000000005"), Decimal("0.0000000000015"), Decimal("-1e-13")])
@example([Decimal("999999999999999999.9999999999995"), Decimal(10**18), Decimal("0.5")])
def test_decimals_are_rounded_half_to_even_where_that_is_asked_for(
    numbers: list[Decimal],
) -> None:
    texts = [f"{number:f}" for number in numbers]
    expected = [rounded(text) for text in texts]
    changed = [
        number
        for number, value in zip(numbers, expected, strict=True)
        if value is not None and value != number
    ]

    from_decimals = pa.array(numbers, pa.decimal128(38, 15))
    assert expect_column(from_decimals, expected, "half_even") == len(changed)
    assert expect_column(pa.array(texts, pa.string()), expected, "half_even") == len(
        changed
    )


@pytest.mark.parametrize(
    "column",
    [
        pa.array([True, False]),
        pa.array([b"1", b"2"]),
        pa.array([["1"], ["2"]]),
        pa.array([MIDNIGHT, MIDNIGHT], pa.timestamp("us", tz="UTC")),
    ],
    ids=lambda column: str(column.type),
)
def test_a_column_of_another_type_brings_nothing_in(column: pa.Array) -> None:
    with store_of([TOKENS]) as store:
        # The whole table may be refused, or each of its rows.
        with suppress(metering.MeteringError):
            receipt = store.meter_events.ingest(column_of(column))
            assert receipt.rejected == 2

        assert store.position == 1
        assert stored(store) == {}


@given(st.lists(values(), min_size=1, max_size=30))
@example(["9" * 18 + "." + "9" * 12] * 30)
@example(["1e17", "1e-12", "-1e17"])
@example(["0.1", "0.2", "-0.3"])
def test_a_sum_is_exact_however_large_it_grows(
    sent: list[str | int | Decimal],
) -> None:
    rows = [usage(value, f"row-{number}") for number, value in enumerate(sent)]
    exact = Decimal(0)
    for value in sent:
        exact = EXACT.add(exact, parse_value(str(value)) or Decimal(0))

    with store_of([TOKENS], rows) as store:
        assert store.position == 1 + len(rows)
        assert total(store, "tokens", "cus_1", DAY) == exact
