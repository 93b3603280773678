"""Prices that are refused: by their own parameters, and by what is there."""

from collections.abc import Callable
from typing import Any

import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.usual_prices import TIERS, create_price, metered
from tests.metering.usual_usage import create_meter

MONTHLY = {"interval": "month"}
GRADUATED = {"billing_scheme": "tiered", "tiers_mode": "graduated"}
TIERED = {**GRADUATED, "tiers": TIERS, "recurring": MONTHLY}
LAST = {"up_to": "inf", "unit_amount": 1}


def tiers(*given: dict[str, Any]) -> dict[str, Any]:
    return {**TIERED, "tiers": list(given)}


REFUSED: list[tuple[dict[str, Any], str | None, str]] = [
    (
        {"unit_amount": 1},
        None,
        "You must specify either `product` or `product_data` when creating a price.",
    ),
    (
        {"product": "prod_1", "product_data": {"name": "a"}, "unit_amount": 1},
        "product",
        "You may only specify one of these parameters: product, product_data.",
    ),
    ({"product": "prod_x", "unit_amount": 1}, "product", "No such product: 'prod_x'"),
]
ALONE: list[tuple[dict[str, Any], str | None, str]] = [
    (
        {},
        None,
        "Prices require an `unit_amount` or `unit_amount_decimal` parameter to be set.",
    ),
    (
        {"unit_amount": 1, "unit_amount_decimal": "1"},
        "unit_amount",
        "You may only specify one of these parameters: unit_amount, unit_amount_decimal.",
    ),
    ({"unit_amount": -1}, "unit_amount", "must be an integer from 0"),
    ({"unit_amount": 1, "currency": "xyz"}, "currency", "ISO 4217"),
    (
        {"unit_amount": 1, "recurring": {**MONTHLY, "usage_type": "metered"}},
        None,
        "metered prices must be backed by meters.",
    ),
    (
        {"unit_amount": 1, "recurring": {**MONTHLY, "meter": "mtr_1"}},
        "recurring[meter]",
        "unless usage_type is metered",
    ),
    (
        {"unit_amount": 1, "recurring": metered("mtr_x")},
        "recurring[meter]",
        "No such billing meter: 'mtr_x'",
    ),
    (
        {**GRADUATED, "tiers": TIERS},
        "interval",
        "Prices with `type=one_time` are not supported with tiered billing.",
    ),
    *(
        (
            {
                "unit_amount": 1,
                "recurring": {"interval": each, "interval_count": n + 1},
            },
            "recurring[interval_count]",
            f"The interval_count for {adverb} prices can't be greater than {n}",
        )
        for each, adverb, n in (
            ("day", "daily", 1_095),
            ("week", "weekly", 156),
            ("month", "monthly", 36),
            ("year", "yearly", 3),
        )
    ),
    ({**TIERED, "tiers": None}, "tiers", "Missing required param"),
    ({**TIERED, "tiers_mode": None}, "tiers_mode", "Missing required param"),
    ({**TIERED, "unit_amount": 1}, "unit_amount", "where there are tiers"),
    (
        {**TIERED, "transform_quantity": {"divide_by": 2, "round": "up"}},
        "transform_quantity",
        "where there are tiers",
    ),
    ({"unit_amount": 1, "tiers": TIERS}, "tiers", "unless billing_scheme is tiered"),
    (
        {"unit_amount": 1, "tiers_mode": "volume"},
        "tiers_mode",
        "unless billing_scheme is tiered",
    ),
    (tiers({"up_to": 5, "unit_amount": 1}), "tiers[0][up_to]", "every quantity"),
    (tiers(LAST, LAST), "tiers[0][up_to]", "only the last tier ends at inf"),
    (
        tiers({"up_to": 5, "unit_amount": 1}, {"up_to": 5, "unit_amount": 1}, LAST),
        "tiers[1][up_to]",
        "more than that of the tier before it, 5",
    ),
    (tiers({"up_to": 0, "unit_amount": 1}, LAST), "tiers[0][up_to]", "or inf"),
    (tiers({"up_to": "inf"}), "tiers[0]", "needs unit_amount or flat_amount"),
    (
        tiers({**LAST, "unit_amount_decimal": "1"}),
        "tiers[0][unit_amount]",
        "You may only specify one of these parameters",
    ),
    (
        tiers({"up_to": "inf", "flat_amount_decimal": "0.5"}),
        "tiers[0][flat_amount_decimal]",
        "a whole number of minor units",
    ),
    (
        {"unit_amount": 1, "currency_options": {"usd": {"unit_amount": 1}}},
        "currency_options[usd]",
        "another currency",
    ),
    (
        {"unit_amount": 1, "currency_options": {"eur": {}}},
        "currency_options[eur][unit_amount]",
        "parameter to be set.",
    ),
    (
        {"unit_amount": 1, "transform_quantity": {"divide_by": 0, "round": "up"}},
        "transform_quantity[divide_by]",
        "an integer from 1",
    ),
]


@pytest.mark.parametrize(
    ("given", "param", "message"),
    [
        *REFUSED,
        *(({"product_data": {"name": "a"}, **given}, *rest) for given, *rest in ALONE),
    ],
    ids=str,
)
def test_a_bad_price_is_refused_and_nothing_is_recorded(
    store: metering.Metering, given: dict[str, Any], param: str | None, message: str
) -> None:
    position = store.position

    with pytest.raises(metering.InvalidRequestError) as refusal:
        store.prices.create(**{"currency": "usd", **given})

    assert message in refusal.value.message
    assert refusal.value.param == param
    assert store.position == position


def test_an_inactive_meter_has_no_new_price(store: metering.Metering) -> None:
    meter = create_meter(store)
    store.meters.deactivate(meter.id)

    with refused("meter_inactive", "recurring[meter]", meter.id):
        create_price(store, recurring=metered(meter.id))


def test_a_lookup_key_is_that_of_one_price(store: metering.Metering) -> None:
    first = create_price(store, lookup_key="k", active=False)
    second = create_price(store)
    message = f"A price (`{first.id}`) already uses that lookup key."

    with refused("resource_already_exists", "lookup_key", message):
        create_price(store, lookup_key="k")
    with refused("resource_already_exists", "lookup_key", message):
        store.prices.update(second.id, lookup_key="k")


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("tax_behavior", {"tax_behavior": "exclusive"}),
    ("currency_options[eur]", {"currency_options": {"eur": {"unit_amount": 2}}}),
    ("currency_options[usd]", {"currency_options": {"usd": {"unit_amount": 2}}}),
    ("metadata[a]", {"metadata": {"a": "x" * 501}}),
]


@pytest.mark.parametrize(("param", "change"), CHANGES, ids=str)
def test_what_a_price_costs_never_changes(
    store: metering.Metering, param: str, change: dict[str, Any]
) -> None:
    made = create_price(
        store,
        tax_behavior="inclusive",
        currency_options={"eur": {"unit_amount": 1, "tax_behavior": "exclusive"}},
    )

    with refused(param=param):
        store.prices.update(made.id, **change)
    assert store.prices.retrieve(made.id) == made


MISSING: list[tuple[str, Callable[[metering.Metering], object]]] = [
    ("price", lambda m: m.prices.retrieve("price_x")),
    ("price", lambda m: m.prices.update("price_x", active=False)),
    ("product", lambda m: m.prices.list("prod_x")),
    ("starting_after", lambda m: m.prices.list(starting_after="price_x")),
]


@pytest.mark.parametrize(("param", "call"), MISSING)
def test_a_price_that_is_not_there_is_missing(
    store: metering.Metering, param: str, call: Callable[[metering.Metering], object]
) -> None:
    with refused("resource_missing", param, "No such pr"):
        call(store)
