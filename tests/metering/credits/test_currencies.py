"""Currencies are Stripe's: their digits, the amounts that can be paid, and which there are."""

from typing import Any

import pytest

import metering
from metering.arguments.currencies import STRIPES, minor_unit_digits
from tests.metering.refusals import refused
from tests.metering.usual_credits import apply, balance, grant, line, money, run

ODD: list[tuple[str, int, int]] = [
    # No fractions of a unit are paid, though an amount has two digits for them.
    ("isk", 50, 100),
    ("ugx", 101, 200),
    # Thousandths are not paid.
    ("bhd", 1, 10),
    ("jod", 1_005, 1_010),
    ("kwd", 999, 1_000),
    ("omr", 12, 20),
    ("tnd", 7, 70),
]


def test_digits_are_stripes_where_iso_4217_has_others() -> None:
    found = {each: minor_unit_digits(each) for each in STRIPES}

    zero = {each for each, digits in found.items() if digits == 0}
    three = {each for each, digits in found.items() if digits == 3}
    assert zero == {
        "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd",
        "vuv", "xaf", "xof", "xpf",
    }  # fmt: skip
    assert three == {"bhd", "jod", "kwd", "omr", "tnd"}
    assert set(found.values()) == {0, 2, 3}
    assert found["isk"] == found["ugx"] == 2


@pytest.mark.parametrize(("currency", "odd", "even"), ODD)
def test_amounts_that_cannot_be_paid_are_refused_at_every_door(
    store: metering.Metering, currency: str, odd: int, even: int
) -> None:
    with refused(None, "amount[monetary][value]", str(odd), currency):
        grant(store, amount=money(odd, currency))
    with refused(None, "lines[0][amount]", str(odd), currency):
        apply(store, "in_1", line(odd, currency=currency))
    with refused(None, "credit_balance_threshold[lte][monetary][value]", str(odd)):
        low(store, odd, currency)
    receipt = store.credits.apply_many(run({"amount": odd, "currency": currency}))
    assert (
        receipt.rejections["message"]
        .to_pylist()[0]
        .startswith(f"Invalid lines[0][amount]: {odd}; must be a multiple of ")
    )

    grant(store, amount=money(even, currency))
    low(store, even, currency)
    assert apply(store, "in_1", line(even, currency=currency))
    assert balance(store) == {currency: (0, 0)}


def low(store: metering.Metering, value: int, currency: str) -> metering.Alert:
    monetary: Any = {"currency": currency, "value": value}
    return store.alerts.create(
        title="Low",
        alert_type="credit_balance_threshold",
        credit_balance_threshold={
            "lte": {"balance_type": "monetary", "monetary": monetary}
        },
    )


@pytest.mark.parametrize("currency", ["mga", "jpy", "usd", "iqd", "lyd", "clf", "ANG"])
def test_other_amounts_are_whole_minor_units(
    store: metering.Metering, currency: str
) -> None:
    grant(store, amount=money(7, currency))

    assert balance(store) == {currency.lower(): (7, 7)}


@pytest.mark.parametrize("currency", ["xau", "xyz", "us", "usdt", "\u212aes", ""])
def test_what_is_no_currency_is_refused(
    store: metering.Metering, currency: str
) -> None:
    with refused(None, "amount[monetary][currency]"):
        grant(store, amount=money(100, currency))
