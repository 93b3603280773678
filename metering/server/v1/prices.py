"""Routes of products and prices.

Source: https://docs.stripe.com/api/products and https://docs.stripe.com/api/prices
"""

from dataclasses import replace

from metering.arguments.refusals import unknown
from metering.bodies import body_of
from metering.prices.product_requests import ProductCreate, ProductList, ProductUpdate
from metering.prices.requests import PriceCreate, PriceList, PriceUpdate
from metering.prices.search import SearchRequest
from metering.server.api.routes import Answer, Call
from metering.server.api.versions import BASIL, is_before
from metering.server.v1.created import listing_by_creation
from metering.server.v1.resources import ResourceRoutes

_PRODUCTS = ResourceRoutes(
    path="/v1/products",
    retrieve=lambda m: m.products.retrieve,
    expansions={"default_price": "price"},
)
_PRICES = ResourceRoutes(
    path="/v1/prices",
    retrieve=lambda m: m.prices.retrieve,
    expansions={
        "currency_options": "part of a price",
        "product": "product",
        "tiers": "part of a price",
    },
)


def _create(call: Call) -> Answer:
    """Create a price, by the rules of the client's version of the API."""
    given, terms = call.given, call.given.get("recurring") or {}
    if not is_before(call.stripe_version, BASIL):
        if "aggregate_usage" in terms:
            raise unknown("recurring[aggregate_usage]")
    elif terms.get("usage_type") == "metered" and not terms.get("meter"):
        given = {**given, "recurring": {"aggregate_usage": "sum", **terms}}
    return Answer(body=body_of(call.m.prices.create(**given)))


ROUTES = (
    _PRODUCTS.creates(
        "Create a product, and a price of it where one is given.",
        lambda m: m.products.create,
        takes=ProductCreate,
    ),
    _PRODUCTS.retrieves("Retrieve a product."),
    _PRODUCTS.changes(
        "Change a product.", lambda m: m.products.update, takes=ProductUpdate
    ),
    _PRODUCTS.lists(
        "List products, active and not.",
        listing_by_creation(lambda m: m.products.list),
        ProductList,
    ),
    _PRODUCTS.searches(
        "Search for products.", lambda m: m.products.search, SearchRequest
    ),
    _PRODUCTS.deletes(
        "Delete a product that has no price.",
        "product",
        lambda m: m.products.delete,
    ),
    replace(
        _PRICES.creates(
            "Create a price, and its product where one is given.",
            lambda m: m.prices.create,
            takes=PriceCreate,
        ),
        handler=_create,
    ),
    _PRICES.retrieves("Retrieve a price."),
    _PRICES.changes(
        "Change what of a price can be changed, which is never an amount.",
        lambda m: m.prices.update,
        takes=PriceUpdate,
    ),
    _PRICES.lists(
        "List the active prices, or those that are not.",
        listing_by_creation(lambda m: m.prices.list),
        PriceList,
    ),
    _PRICES.searches("Search for prices.", lambda m: m.prices.search, SearchRequest),
)
