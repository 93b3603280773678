"""Exact quantities: the one grammar of a usage value, and its one stored type.

A value is ASCII ``-?digits[.digits][e[+-]digits]``. The stored type has 26 integer and
12 fraction digits. A value that is recorded has at most 18 integer digits, counted once
it is written without exponent and trailing zeros: the other 8 are for sums, and for
values of logs that were written when a value could have them. What does not fit is
refused; only `round_half_even` rounds. The grammar is stricter than `decimal.Decimal`,
which takes blanks, underscores, NaN and the digits of other scripts.
"""

import re
from collections.abc import Sequence
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    Inexact,
    InvalidOperation,
    Overflow,
)

import numpy as np
import pyarrow as pa

INTEGER_DIGITS = 18
"""Of a value that is recorded, at most."""
STORED_INTEGER_DIGITS = 26
"""Of the stored type, and so of a sum."""
FRACTION_DIGITS = 12
UNITS_PER_ONE = 10**FRACTION_DIGITS
QUANTITY = pa.decimal128(STORED_INTEGER_DIGITS + FRACTION_DIGITS, FRACTION_DIGITS)

_BYTES = 16
_NOTHING = bytes(_BYTES)
_GRAMMAR = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?", re.ASCII)
LONGEST_TEXT = 500
"""Of a number, in characters."""
# Any sum of 2**63 quantities fits, and anything inexact raises; dropping zeros is exact.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])
_SCALE = Decimal(1).scaleb(-FRACTION_DIGITS)
_ALL_DIGITS = Context(prec=LONGEST_TEXT)
_ROUNDING = Context(
    prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow]
)


def parse_number(text: str) -> Decimal | None:
    """Read a number of any size, or return None where the string breaks the grammar."""
    if len(text) > LONGEST_TEXT or _GRAMMAR.fullmatch(text) is None:
        return None
    return Decimal(text)


def parse_quantity(text: str) -> Decimal | None:
    """Read a quantity, or return None where the string is none that can be stored.

    The result has exactly 12 fraction digits, as the stored type has.
    """
    number = parse_number(text)
    return None if number is None else fit_quantity(number)


def fit_quantity(value: Decimal) -> Decimal | None:
    """Give a decimal the stored type's scale, or None where it does not fit exactly."""
    if not value.is_finite():
        return None
    if value.is_zero():
        return Decimal(0).quantize(_SCALE)
    if value.adjusted() >= STORED_INTEGER_DIGITS:
        return None
    try:
        return value.quantize(_SCALE, context=_EXACT)
    except (Inexact, InvalidOperation):
        return None


def can_be_recorded(value: Decimal) -> bool:
    """Whether a quantity has no more integer digits than a value may have."""
    return value.is_zero() or value.adjusted() < INTEGER_DIGITS


def fraction_digits(number: Decimal) -> int:
    """Count the fraction digits of what `parse_number` returned, idle zeros aside."""
    exponent = number.normalize(_ALL_DIGITS).as_tuple().exponent
    assert isinstance(exponent, int), "the grammar has no infinity"
    return max(0, -exponent)


def round_half_even(value: Decimal) -> Decimal:
    """Round a number to 12 fraction digits, a half to the even neighbour.

    One with no more digits, or too large to be stored, is returned as it is.
    """
    if value.adjusted() >= STORED_INTEGER_DIGITS:
        return value
    rounded = value.quantize(_SCALE, context=_ROUNDING)
    return value if rounded == value else rounded


def quantity_from_units(units: int) -> Decimal:
    """Turn a count of 10**-12 units into the shortest exact decimal."""
    return shortest(Decimal(units).scaleb(-FRACTION_DIGITS, context=_EXACT))


def units_from_quantity(value: Decimal) -> int:
    """Count the 10**-12 units of a stored quantity.

    Raises:
        ValueError, ArithmeticError: it has more fraction digits than are stored.
    """
    scaled = value.scaleb(FRACTION_DIGITS, context=_EXACT)
    units = int(scaled)
    if units != scaled:
        raise ValueError(f"{value} has more than {FRACTION_DIGITS} fraction digits")
    return units


def bytes_of_quantity(value: Decimal) -> bytes:
    """Return a quantity as it is stored: its units in 128 bits, the lowest first.

    Raises:
        ValueError, ArithmeticError: it has more digits than are stored.
    """
    # Before all its digits are written: an exponent may stand for very many.
    if value.adjusted() >= STORED_INTEGER_DIGITS:
        digits = STORED_INTEGER_DIGITS
        raise ValueError(f"{value} has more than {digits} integer digits")
    return units_from_quantity(value).to_bytes(_BYTES, "little", signed=True)


def quantities_of(values: Sequence[Decimal | None]) -> pa.Array:
    """Return stored quantities as a column.

    Raises:
        ValueError, ArithmeticError: one has more digits than are stored.
    """
    words = b"".join(
        _NOTHING if value is None else bytes_of_quantity(value) for value in values
    )
    validity = None
    if None in values:
        are_given = [value is not None for value in values]
        validity = pa.py_buffer(np.packbits(are_given, bitorder="little"))
    return pa.Array.from_buffers(QUANTITY, len(values), [validity, pa.py_buffer(words)])


def shortest(value: Decimal) -> Decimal:
    """Drop trailing zeros without ever using an exponent: 12.500 is 12.5, 1E+2 is 100."""
    if value.is_zero():
        return Decimal(0)
    reduced = value.normalize(_EXACT)
    exponent = reduced.as_tuple().exponent
    assert isinstance(exponent, int), "a stored quantity is finite"
    return reduced.quantize(Decimal(1), context=_EXACT) if exponent > 0 else reduced


def format_quantity(value: Decimal) -> str:
    """Write a stored quantity in the shortest form of the grammar, never an exponent."""
    return "0" if value.is_zero() else f"{value.normalize(_EXACT):f}"
