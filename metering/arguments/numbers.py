"""Numbers that callers give, as the strings that stand for them.

A floating-point number stands for its shortest decimal that reads back to it, which is
its `repr`. Nothing is computed with it.
"""

from decimal import Decimal

from metering.arguments.strings import LONGEST_TEXT

_MOST_BITS = 4 * LONGEST_TEXT


def number_text(number: float | Decimal) -> str:
    """Write a number with all its digits and without an exponent.

    One of more digits than a payload's value has characters is written as something else
    that is too long or has an exponent. What is no finite number is ``NaN`` or
    ``Infinity``.
    """
    if isinstance(number, int):
        # Python refuses to write very long numbers, with an error of its own.
        is_writable = number.bit_length() < _MOST_BITS
        return str(number) if is_writable else "9" * (LONGEST_TEXT + 1)
    # A subclass, such as NumPy's, may have a repr of its own.
    exact = Decimal(float.__repr__(number)) if isinstance(number, float) else number
    return f"{exact:f}" if abs(exact.adjusted()) < LONGEST_TEXT else str(exact)
