"""Routes of products and prices.

Source: https://docs.stripe.com/api/products and https://docs.stripe.com/api/prices
"""

from metering.prices.product_requests import ProductCreate, ProductList, ProductUpdate
from metering.prices.requests import PriceCreate, PriceList, PriceUpdate
from metering.prices.search import SearchRequest
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
    _PRICES.creates(
        "Create a price, and its product where one is given.",
        lambda m: m.prices.create,
        takes=PriceCreate,
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
