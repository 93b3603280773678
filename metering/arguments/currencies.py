"""Currencies: which there are, the digits of their minor units, and their smallest amounts.

They are those of ISO 4217 and of Stripe, and where the two differ Stripe is right: an
amount means here what it means there. Callers of the library may use any of them;
Stripe's routes take those that Stripe takes.
Sources: https://docs.stripe.com/currencies, as of 2026; ISO 4217, whose list of active
currencies the package `iso4217` carries.
"""

from functools import cache
from typing import Annotated

from msgspec import Meta

from metering.arguments.refusals import invalid

STRIPES = frozenset(
    """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd
    bwp byn bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp
    gbp gel ghs gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs
    khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk
    mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub
    rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah
    ugx usd uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw
    """.split()  # noqa: SIM905  # a list literal would have a line for each
)
"""The currencies that Stripe takes."""

_STRIPES_DIGITS = {"isk": 2, "mga": 0, "ugx": 2}
_NO_MINOR_UNITS = dict.fromkeys(("isk", "ugx"), 100)
_NO_THOUSANDTHS = dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 10)
_STEPS = {**_NO_MINOR_UNITS, **_NO_THOUSANDTHS}


def currency_of(code: object, param: str) -> str:
    """Return the code of a currency, given in either case, in lower case.

    Raises:
        InvalidRequestError: no active currency with a minor unit has it.
    """
    known = _in_lower_case(code)
    if known not in STRIPES and known not in _iso_digits():
        raise invalid(param, code, "the ISO 4217 code of a currency, such as usd")
    return known


def stripes_currency_of(code: object, param: str) -> str:
    """Return the code of a currency as `currency_of` does, if Stripe takes it.

    Raises:
        InvalidRequestError: Stripe does not; names those that it takes.
    """
    known = _in_lower_case(code)
    if known not in STRIPES:
        allowed = f"a currency that Stripe takes: {', '.join(sorted(STRIPES))}"
        raise invalid(param, code, allowed)
    return known


Currency = Annotated[
    str, Meta(min_length=1, max_length=3), currency_of, stripes_currency_of
]


def minor_unit_digits(currency: str) -> int:
    """Return how many digits of an amount are fractions of the currency's unit.

    Args:
        currency: a code in lower case; one that is not active any more has 2.
    """
    if currency in _STRIPES_DIGITS:
        return _STRIPES_DIGITS[currency]
    return _iso_digits().get(currency, 2)


def amount_step(currency: str) -> int:
    """Return what every amount of a currency, in minor units, is a multiple of.

    Thousandths are no payment: amounts with three decimals end in 0. The Icelandic króna
    and the Ugandan shilling have cents in amounts alone.
    """
    return _STEPS.get(currency, 1)


def check_amount(amount: int, currency: str, param: str) -> None:
    """Check that an amount of a currency, in minor units, can be paid.

    Raises:
        InvalidRequestError: it is no multiple of `amount_step`.
    """
    step = amount_step(currency)
    if amount % step:
        below = amount // step * step
        allowed = f"a multiple of {step} in {currency}, such as {below or step}"
        raise invalid(param, amount, allowed)


def _in_lower_case(code: object) -> str:
    # Other letters than ASCII's have some of these in lower case, as the Kelvin sign.
    return code.lower() if isinstance(code, str) and code.isascii() else ""


@cache
def _iso_digits() -> dict[str, int]:
    # It reads its list when it is imported, and few stores need more than Stripe's.
    from iso4217 import Currency  # noqa: PLC0415

    # Gold, bond units and the like are counted in no minor unit.
    return {
        each.code.lower(): each.exponent
        for each in Currency
        if each.exponent is not None
    }
