"""Exact quantities: the one grammar of a usage value, and its one stored type.

A value is ASCII ``-?digits[.digits][e[+-]digits]`` and must fit 26 integer and 12
fraction digits once written without exponent and trailing zeros. Nothing is ever
rounded: what does not fit is refused. The grammar is stricter than `decimal.Decimal`,
which takes blanks, underscores, NaN and the digits of other scripts.
"""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

import pyarrow as pa

INTEGER_DIGITS = 26
FRACTION_DIGITS = 12
UNITS_PER_ONE = 10**FRACTION_DIGITS
QUANTITY = pa.decimal128(INTEGER_DIGITS + FRACTION_DIGITS, FRACTION_DIGITS)

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
    """Count the 10**-12 units of a stored quantity."""
    return int(value.scaleb(FRACTION_DIGITS, context=_EXACT))


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
