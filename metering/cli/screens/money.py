"""Money as people write it: whole units, a point, and as many digits as the currency has.

Inside, an amount is an integer of minor units: 1000 is 10.00 USD, 1,000 JPY, 1.000 KWD,
10.00 ISK.
"""

import re
from decimal import Context, Decimal

import metering
from ledger.usage.quantities import FRACTION_DIGITS
from metering.arguments.currencies import amount_step, minor_unit_digits
from metering.arguments.kinds import IntegerKind, Kind
from metering.arguments.schema import field_at
from metering.credits.requests import CreditAmountParams, MonetaryParams
from metering.prices.requests import PriceCreate

_LONGEST = 60
_EXACT = Context(prec=80)
_AMOUNT = re.compile(r"(\d+)(?:\.(\d+))?", re.ASCII)


def amount_text(amount: int, currency: str) -> str:
    """Write minor units with separators and all the digits of the currency."""
    digits = minor_unit_digits(currency)
    sign = "-" if amount < 0 else ""
    whole, fraction = divmod(abs(amount), 10**digits)
    point = f".{fraction:0{digits}}" if digits else ""
    return f"{sign}{whole:,}{point}"


def money_text(amount: int, currency: str) -> str:
    """Write minor units and their currency."""
    return f"{amount_text(amount, currency)} {currency.upper()}"


def unit_amount_text(amount: Decimal, currency: str) -> str:
    """Write exact minor units as whole units, with at least the currency's digits."""
    digits = minor_unit_digits(currency)
    whole, _, fraction = f"{_EXACT.scaleb(amount, -digits):,f}".partition(".")
    fraction = fraction.rstrip("0").ljust(digits, "0")
    return f"{whole}.{fraction}" if fraction else whole


def option_unit_amount(text: str, currency: str, option: str) -> Decimal:
    """Read what a unit costs, given in whole units, exactly, in minor units.

    Raises:
        InvalidRequestError: it is no amount, or has too many digits; names the option.
    """
    if len(text) > _LONGEST or _AMOUNT.fullmatch(text) is None:
        raise _invalid(option, f"{text[:60]!r} is not an amount such as 0.0003")
    amount = _EXACT.scaleb(Decimal(text), minor_unit_digits(currency))
    try:
        found = field_at(PriceCreate, "unit_amount_decimal").kind.read(amount, option)
    except metering.InvalidRequestError as refusal:
        most = f"at most {FRACTION_DIGITS} digits behind those of {currency.upper()}"
        reason = f"{text!r} is too large or too fine, and may have {most}"
        raise _invalid(option, reason) from refusal
    assert isinstance(found, Decimal), "it is read as one"
    return found


def option_amount(text: str, currency: str, option: str, within: Kind) -> int:
    """Read the amount that an option gives, exactly, in minor units.

    Raises:
        InvalidRequestError: it is no amount, or not within the bounds of the field that
            it stands for, or has more fraction digits than amounts of the currency;
            names the option.
    """
    assert isinstance(within, IntegerKind), "amounts are whole minor units"
    parts = _AMOUNT.fullmatch(text)
    digits = minor_unit_digits(currency)
    example = amount_text(10 ** (digits + 1), currency)
    if parts is None:
        raise _invalid(option, f"{text[:60]!r} is not an amount such as {example}")
    whole, fraction = parts.groups(default="")
    if len(fraction) > digits:
        name, most = currency.upper(), str(digits) if digits else "none"
        has = f"{len(fraction)} fraction digits" if fraction[1:] else "a fraction digit"
        reason = f"{text[:60]!r} has {has}, and {name} has {most}"
        raise _invalid(option, f"{reason}; give one such as {example}")
    # Of one too large, however long, the first digits are enough.
    amount = int((whole.lstrip("0") + fraction.ljust(digits, "0"))[:20] or "0")
    step = amount_step(currency)
    if amount % step:
        least = money_text(step, currency)
        raise _invalid(option, f"{text[:60]!r} is no multiple of {least}")
    if amount > within.most:
        most = money_text(within.most, currency)
        raise _invalid(option, f"{text[:60]!r} is more than {most}")
    if amount < within.least:
        raise _invalid(option, f"{text[:60]!r} is not above zero")
    return amount


def option_credits(text: str, currency: str, option: str) -> CreditAmountParams:
    """Read the amount of credits that an option gives; see `option_amount`."""
    within = field_at(MonetaryParams, "value").kind
    value = option_amount(text, currency, option, within)
    return {"type": "monetary", "monetary": {"currency": currency, "value": value}}


def _invalid(option: str, reason: str) -> metering.InvalidRequestError:
    return metering.InvalidRequestError(f"Invalid {option}: {reason}", param=option)
