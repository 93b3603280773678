"""Exact quantities: the one grammar of a usage value, and its one stored type.

A value is ASCII ``-?digits[.digits][e[+-]digits]`` and must fit 26 integer and 12
fraction digits once written without exponent and trailing zeros. Nothing is ever
rounded: what does not fit is refused. The grammar is stricter than `decimal.Decimal`,
which takes blanks, underscores, NaN and the digits of other scripts.
"""

import re
from collections.abc import Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

import numpy as np
import pyarrow as pa

INTEGER_DIGITS = 26
FRACTION_DIGITS = 12
UNITS_PER_ONE = 10**FRACTION_DIGITS
QUANTITY = pa.decimal128(INTEGER_DIGITS + FRACTION_DIGITS, FRACTION_DIGITS)

_BYTES = 16
_NOTHING = bytes(_BYTES)
_GRAMMAR = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?", re.ASCII)
_LONGEST_TEXT = 100
# Any sum of 2**63 quantities fits, and anything inexact raises; dropping zeros is exact.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])
_SCALE = Decimal(1).scaleb(-FRACTION_DIGITS)


def parse_quantity(text: str) -> Decimal | None:
    """Read a usage value, or return None where the string breaks the grammar.

    The result has exactly 12 fraction digits, as the stored type has.
    """
    if len(text) > _LONGEST_TEXT or _GRAMMAR.fullmatch(text) is None:
        return None
    return fit_quantity(Decimal(text))


def fit_quantity(value: Decimal) -> Decimal | None:
    """Give a decimal the stored type's scale, or None where it does not fit exactly."""
    if not value.is_finite():
        return None
    if value.is_zero():
        return Decimal(0).quantize(_SCALE)
    if value.adjusted() >= INTEGER_DIGITS:
        return None
    try:
        return value.quantize(_SCALE, context=_EXACT)
    except (Inexact, InvalidOperation):
        return None


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
    if value.adjusted() >= INTEGER_DIGITS:
        raise ValueError(f"{value} has more than {INTEGER_DIGITS} integer digits")
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
    return f"{shortest(value):f}"
