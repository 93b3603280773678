"""Prices: creating, changing, finding and listing them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.usual_prices import TIERS, create_price, create_product, metered
from tests.metering.usual_usage import NOW, create_meter


def test_a_price_has_the_usual_settings(store: metering.Metering) -> None:
    product = create_product(store)

    price = store.prices.create(product=product.id, currency="USD", unit_amount=1_000)

    usual = metering.CurrencyOption(
        tax_behavior="unspecified",
        tiers=None,
        unit_amount=1_000,
        unit_amount_decimal=Decimal(1_000),
    )
    assert price == metering.Price(
        id=price.id,
        active=True,
        billing_scheme="per_unit",
        created=NOW,
        currency="usd",
        currency_options={"usd": usual},
        livemode=False,
        lookup_key=None,
        metadata={},
        nickname=None,
        product=product.id,
        recurring=None,
        tax_behavior="unspecified",
        tiers=None,
        tiers_mode=None,
        transform_quantity=None,
        type="one_time",
        unit_amount=1_000,
        unit_amount_decimal=Decimal(1_000),
    )
    assert price.id.startswith("price_test_")


def test_prices_of_every_kind_stay_as_they_were_made(connect: Connect) -> None:
    m = connect()
    meter = create_meter(m)
    prices = [
        create_price(m, unit_amount_decimal="0.000000000001", metadata={"a": "ü"}),
        create_price(m, recurring={"interval": "week", "interval_count": 156}),
        create_price(m, transform_quantity={"divide_by": 60, "round": "down"}),
        create_price(m, tiers=TIERS, recurring=metered(meter.id, trial_period_days=7)),
        create_price(m, tiers=TIERS, tiers_mode="volume", nickname="n", active=False),
        create_price(
            m,
            currency_options={
                "EUR": {"unit_amount_decimal": Decimal("9.5")},
                "jpy": {"unit_amount": 0, "tax_behavior": "inclusive"},
            },
        ),
    ]
    m.rebuild()

    assert [m.prices.retrieve(each.id) for each in prices] == prices
    assert m.verify().ok
    small, weekly, packed, graduated, volume, options = prices
    assert (small.unit_amount, small.unit_amount_decimal) == (None, Decimal("1E-12"))
    assert weekly.recurring == metering.Recurring(
        interval="week",
        interval_count=156,
        meter=None,
        trial_period_days=None,
        usage_type="licensed",
    )
    assert packed.transform_quantity == metering.TransformQuantity(
        divide_by=60, round="down"
    )
    assert graduated.tiers == (
        metering.Tier(
            flat_amount=None,
            flat_amount_decimal=None,
            unit_amount=10,
            unit_amount_decimal=Decimal(10),
            up_to=1_000,
        ),
        metering.Tier(
            flat_amount=100,
            flat_amount_decimal=Decimal(100),
            unit_amount=5,
            unit_amount_decimal=Decimal(5),
            up_to=None,
        ),
    )
    assert graduated.recurring is not None
    assert graduated.recurring.meter == meter.id
    assert (volume.tiers_mode, volume.active) == ("volume", False)
    assert options.currency_options["eur"].unit_amount is None
    assert options.currency_options["eur"].unit_amount_decimal == Decimal("9.5")
    assert options.currency_options["jpy"].tax_behavior == "inclusive"


def test_a_lookup_key_moves_to_the_price_that_takes_it(connect: Connect) -> None:
    m = connect()
    first = create_price(m, lookup_key="standard")

    second = create_price(m, lookup_key="standard", transfer_lookup_key=True)

    assert second.lookup_key == "standard"
    assert m.prices.list(lookup_keys=["standard", "other"]).data == [second]
    former = m.prices.retrieve(first.id)
    assert (former.lookup_key, former.active) == (None, True)
    # Its own key is no other price's.
    assert m.prices.update(second.id, lookup_key="standard") == second
    m.prices.update(first.id, lookup_key="standard", transfer_lookup_key=True)
    assert m.prices.retrieve(second.id).lookup_key is None


def test_a_price_changes_in_all_but_what_it_costs(store: metering.Metering) -> None:
    made = create_price(
        store, metadata={"a": "1"}, currency_options={"eur": {"unit_amount": 9}}
    )

    changed = store.prices.update(
        made.id,
        active=False,
        nickname="n",
        lookup_key="k",
        metadata={"b": "2"},
        tax_behavior="inclusive",
        currency_options={"gbp": {"unit_amount": 8}},
    )

    assert (changed.active, changed.nickname, changed.lookup_key) == (False, "n", "k")
    assert changed.metadata == {"a": "1", "b": "2"}
    assert changed.tax_behavior == "inclusive"
    assert {
        currency: each.unit_amount
        for currency, each in changed.currency_options.items()
    } == {"usd": 10, "eur": 9, "gbp": 8}
    bare = store.prices.update(
        made.id, nickname="", lookup_key=None, metadata=None, currency_options=None
    )
    assert (bare.nickname, bare.lookup_key, bare.metadata) == (None, None, {})
    assert list(bare.currency_options) == ["usd"]
    position = store.position
    assert store.prices.update(made.id, active=False) == bare
    assert store.position == position


def test_prices_are_listed_newest_first_by_what_they_are(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    meter = create_meter(store)
    product = create_product(store)
    once = create_price(store, product=product.id)
    clock.advance(timedelta(seconds=5))
    monthly = create_price(
        store, product=product.id, currency="eur", recurring=metered(meter.id)
    )
    off = create_price(store, active=False)

    def listed(**asked: Any) -> list[metering.Price]:
        return store.prices.list(**asked).data

    assert listed() == listed(product=product.id) == [monthly, once]
    assert listed(active=False) == [off]
    assert listed(type="one_time") == listed(currency="USD") == [once]
    assert listed(type="recurring") == listed(created={"gt": NOW}) == [monthly]
    for wanted in (
        {"interval": "month"},
        {"meter": meter.id},
        {"usage_type": "metered"},
    ):
        assert listed(recurring=wanted) == [monthly]
    assert listed(recurring={"interval": "day"}) == []
    assert listed(limit=1, starting_after=monthly.id) == [once]
    assert listed(limit=1, ending_before=once.id) == [monthly]


@pytest.mark.parametrize(
    "amount", [1.5, True, "1,5", Decimal("NaN"), "0.1234567890123"]
)
def test_an_amount_is_exact(store: metering.Metering, amount: Any) -> None:
    with pytest.raises(metering.InvalidRequestError) as refusal:
        create_price(store, unit_amount_decimal=amount)

    assert refusal.value.param == "unit_amount_decimal"
    assert "at most 12 decimal places" in refusal.value.message
