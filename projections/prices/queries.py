"""Queries of products and prices, as one database transaction sees them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from ledger.database.bulk import is_among
from ledger.database.rows import RowsByKey
from projections.kernels.prices import PriceDefinition, ProductDefinition
from projections.prices.tables import PRODUCTS, price, product, read_price
from projections.rows import Page, compared, within_bounds

_PRODUCTS = select(product).where(product.c.deleted == 0)
_PRODUCT = select(product).where(product.c.product_id == bindparam("product_id"))
_PRICES = select(price)
_PRICE = _PRICES.where(price.c.price_id == bindparam("price_id"))
_FEW_PRICES = _PRICES.where(price.c.price_id.in_(bindparam("ids", expanding=True)))
_FEW = 100
_PRICE_OF_PRODUCT = (
    select(price.c.position)
    .where(price.c.product_id == bindparam("product_id"))
    .limit(1)
)
_WITH_LOOKUP_KEY = _PRICES.where(price.c.lookup_key == bindparam("lookup_key"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFilter:
    """Which products are listed; None is no condition.

    Attributes:
        created: microseconds since 1970 UTC, the first inclusive, the last exclusive.
    """

    ids: Sequence[str] | None = None
    active: bool | None = None
    shippable: bool | None = None
    type: str | None = None
    url: str | None = None
    created: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFilter:
    """Which prices are listed; None is no condition.

    Attributes:
        created: microseconds since 1970 UTC, the first inclusive, the last exclusive.
        is_recurring: whether they are recurring.
    """

    active: bool | None = None
    created: tuple[int, int] | None = None
    currency: str | None = None
    lookup_keys: Sequence[str] | None = None
    product_id: str | None = None
    is_recurring: bool | None = None
    recurring_interval: str | None = None
    usage_type: str | None = None
    meter_id: str | None = None


class PriceQueries:
    """Queries of products and prices in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def product(self, product_id: str) -> ProductDefinition | None:
        """Return a product by its id."""
        found = self.product_or_deleted(product_id)
        return None if found is None or found.deleted else found

    def product_or_deleted(self, product_id: str) -> ProductDefinition | None:
        """Return a product by its id, also where it was deleted."""
        row = self.connection.execute(_PRODUCT, {"product_id": product_id}).first()
        return None if row is None else PRODUCTS.read(row)

    def products(self, wanted: ProductFilter, page: Page) -> list[ProductDefinition]:
        """Return a page of products, newest first."""
        statement = _PRODUCTS
        if wanted.ids is not None:
            statement = statement.where(
                is_among(self.connection, product.c.product_id, list(wanted.ids))
            )
        statement = compared(
            statement,
            (product.c.active, _flag(wanted.active)),
            (product.c.shippable, _flag(wanted.shippable)),
            (product.c.type, wanted.type),
            (product.c.url, wanted.url),
        )
        statement = within_bounds(statement, product.c.created, wanted.created)
        rows = page.read(self.connection, product, statement)
        return [PRODUCTS.read(row) for row in rows]

    def has_price(self, product_id: str) -> bool:
        """Whether there is a price of a product."""
        given = {"product_id": product_id}
        return self.connection.execute(_PRICE_OF_PRODUCT, given).first() is not None

    def price(self, price_id: str) -> PriceDefinition | None:
        """Return a price by its id."""
        row = self.connection.execute(_PRICE, {"price_id": price_id}).first()
        return None if row is None else read_price(row)

    def prices_named(self, ids: Iterable[str]) -> dict[str, PriceDefinition]:
        """Return any number of prices by id; unknown ones are left out."""
        named = sorted(ids)
        if len(named) <= _FEW:
            # It is compiled once, which a list of any length is not.
            rows = self.connection.execute(_FEW_PRICES, {"ids": named})
        else:
            wanted = is_among(self.connection, price.c.price_id, named)
            rows = self.connection.execute(_PRICES.where(wanted))
        return {each.price_id: each for each in map(read_price, rows)}

    def prices_used(self, ids: Iterable[str]) -> RowsByKey[str, PriceDefinition]:
        """Return prices that others name, by id; to look up one that is missing is damage."""
        return RowsByKey(price, self.prices_named(set(ids)).items())

    def price_with_lookup_key(self, lookup_key: str) -> PriceDefinition | None:
        """Return the price that has a lookup key, active or not."""
        given = {"lookup_key": lookup_key}
        row = self.connection.execute(_WITH_LOOKUP_KEY, given).first()
        return None if row is None else read_price(row)

    def prices(self, wanted: PriceFilter, page: Page) -> list[PriceDefinition]:
        """Return a page of prices, newest first."""
        statement = _PRICES
        if wanted.lookup_keys is not None:
            statement = statement.where(
                is_among(self.connection, price.c.lookup_key, list(wanted.lookup_keys))
            )
        if wanted.is_recurring is not None:
            interval = price.c.recurring_interval
            statement = statement.where(
                interval.is_not(None) if wanted.is_recurring else interval.is_(None)
            )
        statement = compared(
            statement,
            (price.c.active, _flag(wanted.active)),
            (price.c.currency, wanted.currency),
            (price.c.product_id, wanted.product_id),
            (price.c.recurring_interval, wanted.recurring_interval),
            (price.c.usage_type, wanted.usage_type),
            (price.c.meter_id, wanted.meter_id),
        )
        statement = within_bounds(statement, price.c.created, wanted.created)
        rows = page.read(self.connection, price, statement)
        return [read_price(row) for row in rows]


def _flag(wanted: object) -> int | None:
    return None if wanted is None else int(bool(wanted))
