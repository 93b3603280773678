"""Currencies: which there are, and how many digits their minor units have.

Source: ISO 4217, whose list of active currencies the package `iso4217` carries.
"""

from functools import cache
from typing import Annotated

from msgspec import Meta

from metering.arguments.refusals import invalid


def currency_of(code: object, param: str) -> str:
    """Return the code of a currency, given in either case, in lower case.

    Raises:
        InvalidRequestError: no active currency with a minor unit has it.
    """
    # Other letters than ASCII's have some of these in lower case, as the Kelvin sign.
    known = code.lower() if isinstance(code, str) and code.isascii() else ""
    if known not in _minor_unit_digits():
        raise invalid(param, code, "the ISO 4217 code of a currency, such as usd")
    return known


Currency = Annotated[str, Meta(min_length=1, max_length=3), currency_of]


def minor_unit_digits(currency: str) -> int:
    """Return how many digits of an amount are fractions of the currency's unit.

    Args:
        currency: a code in lower case; one that is not active any more has 2.
    """
    return _minor_unit_digits().get(currency, 2)


@cache
def _minor_unit_digits() -> dict[str, int]:
    # It reads its list when it is imported, and a store without credits needs none.
    from iso4217 import Currency  # noqa: PLC0415

    # Gold, bond units and the like are counted in no minor unit.
    return {
        each.code.lower(): each.exponent
        for each in Currency
        if each.exponent is not None
    }
