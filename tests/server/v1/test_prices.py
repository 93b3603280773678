"""Products and prices, by Stripe's own client."""

from decimal import Decimal
from typing import Any

import pytest
import stripe

from tests.server.running import Server
from tests.server.shapes import (
    CURRENCY_OPTION,
    PRICE,
    PRICE_TIER,
    PRODUCT,
    check_shape,
    list_of,
)
from tests.server.usage import create_meter, now, unique


@pytest.fixture(scope="module")
def product(client: stripe.StripeClient) -> stripe.Product:
    return client.v1.products.create({"name": "Tokens"})


def test_a_product_is_created_changed_and_listed(client: stripe.StripeClient) -> None:
    url = f"https://example.com/{unique()}"
    made = client.v1.products.create(
        {
            "name": "Tokens",
            "description": "Of a language model",
            "unit_label": "token",
            "images": ["https://example.com/a.png"],
            "marketing_features": [{"name": "fast"}],
            "metadata": {"team": "ai"},
            "shippable": False,
            "url": url,
            "default_price_data": {"currency": "usd", "unit_amount": 500},
            "expand": ["default_price"],
        }
    )

    plain = check_shape(made, {**PRODUCT, "default_price": PRICE})
    assert plain["id"].startswith("prod_test_")
    assert abs(plain["created"] - now()) < 60
    assert plain["default_price"]["unit_amount"] == 500
    changed = client.v1.products.update(
        made.id, {"name": "T", "unit_label": "", "images": "", "metadata": {"team": ""}}
    )
    plain = check_shape(changed, PRODUCT)
    assert (plain["name"], plain["unit_label"], plain["images"]) == ("T", None, [])
    assert plain["metadata"] == {}
    assert client.v1.products.retrieve(made.id) == changed
    listed = client.v1.products.list(
        {"url": url, "active": True, "created": {"gte": made.created}}
    )
    [found] = check_shape(listed, list_of(PRODUCT))["data"]
    assert found["id"] == made.id


def test_a_price_has_the_usual_settings(
    client: stripe.StripeClient, product: stripe.Product
) -> None:
    price = client.v1.prices.create(
        {"product": product.id, "currency": "usd", "unit_amount": 1000}
    )

    plain = check_shape(price, PRICE)
    assert plain == {
        "id": price.id,
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": price.created,
        "currency": "usd",
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": product.id,
        "recurring": None,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": 1000,
        "unit_amount_decimal": "1000",
    }


def test_a_meter_gets_a_graduated_price(
    client: stripe.StripeClient, product: stripe.Product
) -> None:
    meter = create_meter(client)

    price = client.v1.prices.create(
        {
            "product": product.id,
            "currency": "usd",
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [
                {"up_to": 1000, "unit_amount": 0, "flat_amount": 500},
                {"up_to": "inf", "unit_amount_decimal": Decimal("0.000000000001")},
            ],
            "recurring": {
                "interval": "month",
                "usage_type": "metered",
                "meter": meter.id,
            },
            "expand": ["tiers", "product"],
        }
    )

    plain = check_shape(price, {**PRICE, "tiers": [PRICE_TIER], "product": PRODUCT})
    assert plain["tiers"] == [
        {
            "flat_amount": 500,
            "flat_amount_decimal": "500",
            "unit_amount": 0,
            "unit_amount_decimal": "0",
            "up_to": 1000,
        },
        {
            "flat_amount": None,
            "flat_amount_decimal": None,
            "unit_amount": None,
            "unit_amount_decimal": "0.000000000001",
            "up_to": None,
        },
    ]
    assert (plain["unit_amount"], plain["unit_amount_decimal"]) == (None, None)
    assert plain["recurring"]["meter"] == meter.id
    assert "tiers" not in check_shape(client.v1.prices.retrieve(price.id), PRICE)
    listed = client.v1.prices.list(
        {
            "recurring": {"meter": meter.id},
            "type": "recurring",
            "expand": ["data.tiers"],
        }
    )
    [found] = check_shape(listed, list_of({**PRICE, "tiers": [PRICE_TIER]}))["data"]
    assert found["id"] == price.id


def test_a_price_in_several_currencies_takes_over_a_lookup_key(
    client: stripe.StripeClient,
) -> None:
    key = unique("key")
    given: Any = {
        "currency": "usd",
        "unit_amount_decimal": Decimal("0.5"),
        "product_data": {"name": "Tokens"},
        "lookup_key": key,
        "currency_options": {"eur": {"unit_amount": 1}},
    }
    first = client.v1.prices.create(given)

    given |= {"transfer_lookup_key": True, "expand": ["currency_options"]}
    second = client.v1.prices.create(given)

    options = {"usd": CURRENCY_OPTION, "eur": CURRENCY_OPTION}
    plain = check_shape(second, {**PRICE, "currency_options": options})
    assert plain["currency_options"]["usd"]["unit_amount_decimal"] == "0.5"
    assert client.v1.prices.list({"lookup_keys": [key]}).data[0].id == second.id
    assert client.v1.prices.retrieve(first.id).lookup_key is None
    off = client.v1.prices.update(second.id, {"active": False, "nickname": "old"})
    assert (off.active, off.nickname) == (False, "old")
    assert client.v1.prices.list({"lookup_keys": [key]}).data == []
    assert len(client.v1.prices.list({"lookup_keys": [key], "active": False}).data) == 1


REFUSED: list[tuple[str, str, int, str | None, str]] = [
    (
        "POST",
        "/v1/prices?",
        400,
        None,
        "You must specify either `product` or `product_data` when creating a price.",
    ),
    ("POST", "/v1/prices?product=prod_x", 400, "product", "No such product: 'prod_x'"),
    ("GET", "/v1/prices?product=prod_x", 400, "product", "No such product: 'prod_x'"),
    ("GET", "/v1/prices/price_x", 404, "price", "No such price: 'price_x'"),
    ("GET", "/v1/products/prod_x", 404, "id", "No such product: 'prod_x'"),
]


@pytest.mark.parametrize(
    ("method", "path", "status", "param", "message"), REFUSED, ids=str
)
def test_what_stripe_refuses_is_refused_alike(
    server: Server, method: str, path: str, status: int, param: str | None, message: str
) -> None:
    target, _, query = path.partition("?")
    body = f"{query}&currency=usd&unit_amount=1" if method == "POST" else ""

    answered = server.ask(method, target if body else path, body)

    assert answered.status == status
    assert answered.error["message"].startswith(message)
    assert answered.error.get("param") == param


def test_a_repeated_request_makes_one_price(
    client: stripe.StripeClient, product: stripe.Product
) -> None:
    params: Any = {"product": product.id, "currency": "usd", "unit_amount": 1}
    options: Any = {"idempotency_key": unique()}

    first = client.v1.prices.create(params, options)

    assert client.v1.prices.create(params, options) == first


def test_a_product_is_deleted_unless_it_has_a_price(
    client: stripe.StripeClient, product: stripe.Product
) -> None:
    made = client.v1.products.create({"name": "Gone"})

    deleted = client.v1.products.delete(made.id)

    assert deleted.to_dict() == {"id": made.id, "object": "product", "deleted": True}
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.products.retrieve(made.id)
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    client.v1.prices.create(
        {"product": product.id, "currency": "usd", "unit_amount": 1}
    )
    with pytest.raises(stripe.InvalidRequestError, match="user-created prices") as held:
        client.v1.products.delete(product.id)
    assert held.value.http_status == 400


def test_products_and_prices_are_searched(client: stripe.StripeClient) -> None:
    word = unique()
    made = [
        client.v1.products.create({"name": f"n {word} {n}", "metadata": {"w": word}})
        for n in range(3)
    ]
    price = client.v1.prices.create(
        {
            "product": made[0].id,
            "currency": "usd",
            "unit_amount": 1,
            "metadata": {"w": word},
        }
    )
    query = f'active:"true" AND metadata["w"]:"{word}"'

    page = client.v1.products.search({"query": query, "limit": 2})
    rest = client.v1.products.search(
        {"query": f'name~"{word}"', "limit": 2, "page": page.next_page}
    )
    prices = client.v1.prices.search({"query": query, "expand": ["data.product"]})

    found = {"data": [PRODUCT], "has_more": bool, "url": str, "next_page": str}
    check_shape(page, {**found, "object": "search_result"})
    assert [each.id for each in page.data] == [made[2].id, made[1].id]
    assert (page.has_more, page.to_dict()["url"]) == (True, "/v1/products/search")
    assert [each.id for each in rest.data] == [made[0].id]
    assert (rest.has_more, rest.to_dict()["next_page"]) == (False, None)
    assert len(list(page.auto_paging_iter())) == 3
    [expanded] = prices.data
    assert (expanded.id, expanded.product.id) == (price.id, made[0].id)  # type: ignore[union-attr]  # it is expanded
    with pytest.raises(stripe.InvalidRequestError, match="unable to parse"):
        client.v1.products.search({"query": "tokens"})
