"""Products: creating, changing, finding and listing them."""

from datetime import timedelta
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_prices import create_price, create_product
from tests.metering.usual_usage import NOW


def test_a_product_is_what_it_was_created_with(store: metering.Metering) -> None:
    made = create_product(store)

    assert made == metering.Product(
        id=made.id,
        active=True,
        created=NOW,
        default_price=None,
        description=None,
        images=(),
        livemode=False,
        marketing_features=(),
        metadata={},
        name="Tokens",
        shippable=None,
        statement_descriptor=None,
        tax_code=None,
        type="service",
        unit_label=None,
        updated=NOW,
        url=None,
    )
    assert made.id.startswith("prod_test_")


def test_products_stay_as_they_were_made_and_changed(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    given: dict[str, Any] = {
        "id": "größe 🚕",
        "active": False,
        "description": "d",
        "images": ["https://example.com/a"],
        "marketing_features": [{"name": "fast"}],
        "metadata": {"b": "2", "a": "1"},
        "shippable": True,
        "statement_descriptor": "TOKENS",
        "tax_code": "txcd_1",
        "type": "good",
        "unit_label": "token",
        "url": "https://example.com",
    }
    made = create_product(m, **given)
    price = create_price(m, product=made.id)
    clock.advance(timedelta(seconds=1))

    changed = m.products.update(
        made.id,
        name="T",
        active=True,
        default_price=price.id,
        metadata={"a": "", "c": "3"},
        unit_label=None,
        images=None,
    )
    m.rebuild()

    assert m.products.retrieve(made.id) == changed
    assert made.id == "größe 🚕"
    assert made.marketing_features == (metering.MarketingFeature(name="fast"),)
    assert (changed.name, changed.active, changed.default_price) == (
        "T",
        True,
        price.id,
    )
    assert changed.metadata == {"b": "2", "c": "3"}
    assert (changed.unit_label, changed.images) == (None, ())
    assert changed.updated - changed.created == timedelta(seconds=1)
    assert changed.description == "d"
    assert m.verify().ok


def test_an_update_to_what_it_is_records_nothing(store: metering.Metering) -> None:
    made = create_product(store)
    position = store.position

    same = store.products.update(made.id, name="Tokens", metadata={})

    assert same == made
    assert store.position == position


def test_a_product_is_created_with_its_default_price(store: metering.Metering) -> None:
    made = create_product(
        store,
        default_price_data={
            "currency": "EUR",
            "unit_amount_decimal": "0.5",
            "recurring": {"interval": "year"},
        },
    )

    assert made.default_price is not None
    price = store.prices.retrieve(made.default_price)
    assert price.product == made.id
    assert price.unit_amount_decimal is not None
    assert str(price.unit_amount_decimal) == "0.5"
    assert price.recurring is not None
    assert price.recurring.usage_type == "licensed"


def test_products_are_listed_newest_first_by_what_they_are(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    first = create_product(store, active=False)
    clock.advance(timedelta(seconds=5))
    second = create_product(store, url="u", type="good", shippable=True)

    def listed(**asked: Any) -> list[metering.Product]:
        return store.products.list(**asked).data

    assert listed() == [second, first]
    assert listed(active=True) == listed(url="u") == listed(type="good") == [second]
    assert listed(shippable=True) == listed(created={"gt": NOW}) == [second]
    assert listed(active=False) == listed(created=NOW) == listed(ids=[first.id])
    assert listed(ids=[first.id]) == [first]
    assert listed(limit=1, starting_after=second.id) == [first]


def test_a_product_without_a_price_is_deleted(connect: Connect) -> None:
    m = connect()
    made, priced = create_product(m, id="a"), create_price(m)

    m.products.delete(made.id)

    for _ in range(2):
        assert [each.id for each in m.products.list()] == [priced.product]
        with refused("resource_missing", "id"):
            m.products.retrieve(made.id)
        with refused("resource_missing", "id"):
            m.products.delete(made.id)
        with refused("resource_missing", "product"):
            create_price(m, product=made.id)
        with refused("resource_already_exists", "id", "deleted"):
            create_product(m, id="a")
        m.rebuild()
    assert m.verify().ok


def test_a_product_with_a_price_is_not_deleted(store: metering.Metering) -> None:
    price = create_price(store, active=False)
    position = store.position

    with refused(None, "id", "one or more user-created prices."):
        store.products.delete(price.product)
    assert store.position == position


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"name": ""}, "name"),
        ({"unit_label": "x" * 13}, "unit_label"),
        ({"statement_descriptor": "x" * 23}, "statement_descriptor"),
        ({"images": ["u"] * 9}, "images"),
        ({"marketing_features": [{"name": "a"}] * 16}, "marketing_features"),
        ({"id": "taken"}, "id"),
        ({"type": "gift"}, "type"),
        (
            {"default_price_data": {"currency": "usd"}},
            "default_price_data",
        ),
        (
            {"default_price_data": {"currency": "usd", "unit_amount": -1}},
            "default_price_data[unit_amount]",
        ),
    ],
    ids=str,
)
def test_a_bad_product_is_refused(
    store: metering.Metering, given: dict[str, Any], param: str
) -> None:
    create_product(store, id="taken")
    position = store.position

    with refused(param=param):
        create_product(store, **given)
    assert store.position == position


def test_what_is_not_there_is_missing(store: metering.Metering) -> None:
    made, other = create_product(store), create_price(store)

    with refused("resource_missing", "id"):
        store.products.retrieve("prod_x")
    with refused("resource_missing", "default_price"):
        store.products.update(made.id, default_price=other.id)
    with refused("parameters_exclusive", "starting_after"):
        store.products.list(ids=[made.id], starting_after=made.id)
