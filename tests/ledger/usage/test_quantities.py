"""One grammar of a value, one stored type; what does not fit exactly is refused."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import example, given

from ledger.usage.quantities import (
    QUANTITY,
    can_be_recorded,
    fit_quantity,
    format_quantity,
    fraction_digits,
    parse_number,
    parse_quantity,
    quantity_from_units,
    round_half_even,
    shortest,
    units_from_quantity,
)
from tests.ledger.usage_rows import UNITS_AT_MOST, units
from tests.strategies import NO_QUANTITIES, TOO_LARGE_VALUES

NINES = "9" * 26 + "." + "9" * 12

REFUSED = (
    *NO_QUANTITIES, NINES + "1", "1e9999", "1e-9999", "+1", " 1", "1 ", "1\n", "-inf",
    "\u0661", "\uff11", "1" * 101, "1e" + "0" * 50,
)  # fmt: skip
# The text, the quantity in units of 10**-12 or None where refused, and the shortest
# text that says the same.
TABLE: list[tuple[str, int | None, str | None]] = [
    ("0", 0, "0"),
    ("-0", 0, "0"),
    ("0.000", 0, "0"),
    ("0e999", 0, "0"),
    ("0e-9999", 0, "0"),
    ("1", 10**12, "1"),
    ("001", 10**12, "1"),
    ("-1", -(10**12), "-1"),
    ("12.50", 12_500_000_000_000, "12.5"),
    ("0.000000000001", 1, "0.000000000001"),
    ("-0.000000000001", -1, "-0.000000000001"),
    ("1e-12", 1, "0.000000000001"),
    ("1E3", 10**15, "1000"),
    ("1e+3", 10**15, "1000"),
    ("100e-2", 10**12, "1"),
    ("1.0000000000000", 10**12, "1"),
    ("1e25", 10**37, "1" + "0" * 25),
    ("0." + "0" * 30 + "1e31", 10**12, "1"),
    (NINES, UNITS_AT_MOST, NINES),
    ("-" + NINES, -UNITS_AT_MOST, "-" + NINES),
    ("1" + "0" * 30 + "e-30", 10**12, "1"),
    *((text, None, None) for text in REFUSED),
]


@pytest.mark.parametrize(
    ("text", "count", "short"), TABLE, ids=[ascii(text)[:24] for text, _, _ in TABLE]
)
def test_a_text_is_read_exactly_or_refused(
    text: str, count: int | None, short: str | None
) -> None:
    value = parse_quantity(text)

    assert (value is None) == (count is None)
    if value is not None:
        assert units_from_quantity(value) == count
        assert value.as_tuple().exponent == -12
        assert format_quantity(value) == short


@pytest.mark.parametrize("text", TOO_LARGE_VALUES)
def test_what_the_stored_type_holds_may_be_too_large_to_be_recorded(text: str) -> None:
    value = parse_quantity(text)

    assert value is not None
    assert not can_be_recorded(value)


@pytest.mark.parametrize("text", ["0", "-0e99", "9" * 18 + "." + "9" * 12, "-1e17"])
def test_a_value_of_18_integer_digits_can_be_recorded(text: str) -> None:
    value = parse_quantity(text)

    assert value is not None
    assert can_be_recorded(value)


@pytest.mark.parametrize(
    ("text", "digits", "rounded"),
    [
        ("0", 0, "0"),
        ("1500", 0, "1500"),
        ("1.50", 1, "1.5"),
        ("1e-12", 12, "0.000000000001"),
        ("0.0000000000010", 12, "0.000000000001"),
        ("0.0016150000000000001", 19, "0.001615"),
        ("9.999999999999999e-06", 21, "0.00001"),
        ("0.0000000000005", 13, "0"),
        ("0.0000000000015", 13, "0.000000000002"),
        ("-0.0000000000025", 13, "-0.000000000002"),
        ("0.00000000000250000001", 20, "0.000000000003"),
        ("1e-9999", 9999, "0"),
        ("9" * 26 + ".9999999999995", 13, "1" + "0" * 26),
        ("1e26", 0, "1" + "0" * 26),
    ],
)
def test_digits_are_counted_and_rounded_half_to_even(
    text: str, digits: int, rounded: str
) -> None:
    number = parse_number(text)

    assert number is not None
    assert fraction_digits(number) == digits
    assert round_half_even(number) == Decimal(rounded)
    assert (round_half_even(number) is number) == (digits <= 12)


@pytest.mark.parametrize(
    ("value", "fitted"),
    [
        (Decimal("1E+3"), "1000.000000000000"),
        (Decimal("-0"), "0.000000000000"),
        (Decimal("0E+500"), "0.000000000000"),
        (Decimal(NINES), NINES),
        (Decimal("1E+26"), None),
        (Decimal("1E-13"), None),
        (Decimal("1E+999999"), None),
        (Decimal("1E-999999"), None),
        (Decimal("9" * 100), None),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (Decimal("-Infinity"), None),
    ],
    ids=str,
)
def test_a_decimal_is_given_the_stored_scale_or_refused(
    value: Decimal, fitted: str | None
) -> None:
    found = fit_quantity(value)

    assert (None if found is None else f"{found:f}") == fitted


@given(units())
@example(10 ** (38 + 19))
@example(-(10 ** (38 + 19)))
def test_units_come_back_from_quantities(count: int) -> None:
    value = quantity_from_units(count)

    assert units_from_quantity(value) == count
    assert parse_quantity(format_quantity(value)) == (
        value if abs(count) <= UNITS_AT_MOST else None
    )


@given(units())
def test_a_stored_quantity_is_the_quantity(count: int) -> None:
    value = fit_quantity(quantity_from_units(count))

    stored = pa.array([value], QUANTITY)[0].as_py()

    assert stored == value
    assert units_from_quantity(stored) == count


@given(units())
def test_the_shortest_form_has_no_exponent_and_no_idle_zero(count: int) -> None:
    value = quantity_from_units(count)

    text = format_quantity(value)

    assert "E" not in text
    assert "." not in text or not text.endswith("0")
    assert text.lstrip("-").startswith("0.") or not text.lstrip("-").startswith("00")
    assert text != "-0"


@given(units())
def test_the_shortest_form_does_not_depend_on_the_scale(count: int) -> None:
    value = fit_quantity(quantity_from_units(count))

    assert value is not None
    assert str(shortest(value)) == str(quantity_from_units(count))
    assert shortest(Decimal("1E+3")) == Decimal(1000)
