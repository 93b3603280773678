"""Products: which there are, and what may be done to them."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, UnsetType

from ledger.facts.prices import ProductDeleted, ProductUpdated
from metering.arguments.metadata import merge_metadata
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.refusals import exclusive
from metering.arguments.schema import checked
from metering.arguments.times import CreatedBounds, Time, created_within
from metering.errors import ResourceMissingError
from metering.prices.definitions import price_of_data, product_definition
from metering.prices.product_requests import (
    MarketingFeatureParams,
    ProductCreate,
    ProductList,
    ProductTypeName,
    ProductUpdate,
)
from metering.prices.requests import DefaultPriceDataParams
from metering.prices.resources import Product
from metering.prices.search import PRODUCTS, SearchRequest, search_page
from metering.prices.shown import product_resource
from metering.prices.writing import (
    check_has_no_price,
    check_product_is_new,
    price_of,
    product_of,
)
from metering.store.engine import Engine
from projections.kernels.prices import ProductDefinition
from projections.prices.queries import PriceQueries, ProductFilter

_CONVERTED = {"metadata", "images", "marketing_features"}


class Products:
    """The products of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(  # noqa: PLR0913  # the attributes of a product have names
        self,
        *,
        name: str,
        id: str | None = None,  # noqa: A002  # Stripe's name
        active: bool = True,
        default_price_data: DefaultPriceDataParams | None = None,
        description: str | None = None,
        images: Sequence[str] = (),
        marketing_features: Sequence[MarketingFeatureParams] = (),
        metadata: Mapping[str, str] | None = None,
        shippable: bool | None = None,
        statement_descriptor: str | None = None,
        tax_code: str | None = None,
        type: ProductTypeName = "service",  # noqa: A002  # Stripe's name
        unit_label: str | None = None,
        url: str | None = None,
    ) -> Product:
        """Create a product.

        Args:
            name: 1 to 5,000 characters, for people.
            id: of your own, 1 to 255 characters that no other product has.
            active: whether it can be bought.
            default_price_data: creates a price with it, ``{"currency": "usd",
                "unit_amount": 1000}``, as `Prices.create` does.
            description: for people.
            images: up to 8 URLs.
            marketing_features: up to 15, ``{"name": …}``.
            metadata: up to 50 strings of the caller's own.
            shippable: whether it is a good that is shipped.
            statement_descriptor: up to 22 characters, on the statement of a card.
            tax_code: id of a tax code that others keep.
            type: what it is.
            unit_label: up to 12 characters, what one of it is called.
            url: of a page about it.

        Raises:
            InvalidRequestError: an argument is malformed, or the id is taken.
        """
        asked = checked(
            ProductCreate,
            name=name,
            id=id,
            active=active,
            default_price_data=default_price_data,
            description=description,
            images=images,
            marketing_features=marketing_features,
            metadata=metadata,
            shippable=shippable,
            statement_descriptor=statement_descriptor,
            tax_code=tax_code,
            type=type,
            unit_label=unit_label,
            url=url,
        )
        product_id = asked.id or self._engine.new_id("prod")
        prices = []
        if asked.default_price_data is not None:
            price_id = self._engine.new_id("price")
            prices = [price_of_data(asked.default_price_data, price_id, product_id)]
        default = prices[0].price_id if prices else None
        created = product_definition(asked, product_id, default)

        with self._engine.writing() as writing:
            check_product_is_new(PriceQueries(writing.connection), product_id, "id")
            writing.record([*prices, created])
        return self.retrieve(product_id)

    def update(  # noqa: PLR0913  # the attributes of a product have names
        self,
        product_id: str,
        *,
        name: str | UnsetType = UNSET,
        active: bool | UnsetType = UNSET,
        default_price: str | UnsetType | None = UNSET,
        description: str | UnsetType | None = UNSET,
        images: Sequence[str] | UnsetType | None = UNSET,
        marketing_features: Sequence[MarketingFeatureParams] | UnsetType | None = UNSET,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
        shippable: bool | UnsetType = UNSET,
        statement_descriptor: str | UnsetType | None = UNSET,
        tax_code: str | UnsetType | None = UNSET,
        unit_label: str | UnsetType | None = UNSET,
        url: str | UnsetType | None = UNSET,
    ) -> Product:
        """Change a product.

        The arguments are those of `create`; what is left out stays as it is, and None or
        ``""`` takes a value away. Metadata is merged into the product's own.

        Args:
            product_id: of the product.
            name: for people.
            active: whether it can be bought.
            default_price: id of a price of the product.
            description: for people.
            images: up to 8 URLs.
            marketing_features: up to 15, ``{"name": …}``.
            metadata: an empty string removes its key; None removes every pair.
            shippable: whether it is a good that is shipped.
            statement_descriptor: on the statement of a card.
            tax_code: id of a tax code that others keep.
            unit_label: what one of it is called.
            url: of a page about it.

        Raises:
            ResourceMissingError: there is no such product, or no such price of it.
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(
            ProductUpdate,
            name=name,
            active=active,
            default_price=default_price,
            description=description,
            images=images,
            marketing_features=marketing_features,
            metadata=metadata,
            shippable=shippable,
            statement_descriptor=statement_descriptor,
            tax_code=tax_code,
            unit_label=unit_label,
            url=url,
        )

        with self._engine.writing() as writing:
            seen = PriceQueries(writing.connection)
            known = product_of(seen, product_id)
            if isinstance(asked.default_price, str):
                price = price_of(seen, asked.default_price, "default_price")
                if price.product_id != product_id:
                    raise ResourceMissingError(
                        "price", asked.default_price, param="default_price"
                    )
            updated = _updated(known, asked)
            if updated != _updated(known, ProductUpdate()):
                writing.record([updated])
        return self.retrieve(product_id)

    def delete(self, product_id: str) -> None:
        """Delete a product, whose id is not used again. One that has prices stays.

        Raises:
            ResourceMissingError: there is no such product.
            InvalidRequestError: it has a price; deactivate it with `update` instead.
        """
        with self._engine.writing() as writing:
            seen = PriceQueries(writing.connection)
            product_of(seen, product_id)
            check_has_no_price(seen, product_id)
            writing.record([ProductDeleted(product_id=product_id)])

    def retrieve(self, product_id: str) -> Product:
        """Return a product by its id.

        Raises:
            ResourceMissingError: there is no such product.
        """
        with self._engine.log.read() as connection:
            found = product_of(PriceQueries(connection), product_id)
        return product_resource(found, livemode=self._engine.settings.livemode)

    def list(  # noqa: PLR0913  # Stripe's filters have names
        self,
        active: bool | None = None,  # noqa: FBT001  # Stripe's filter
        *,
        created: Time | CreatedBounds | None = None,
        ids: Sequence[str] | None = None,
        shippable: bool | None = None,
        type: ProductTypeName | None = None,  # noqa: A002  # Stripe's name
        url: str | None = None,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[Product]:
        """Return products, newest first.

        Args:
            active: whether they can be bought; None is both.
            created: at a time, or within bounds: ``{"gte": …, "lt": …}``.
            ids: only these, up to 100; without a cursor.
            shippable: whether they are shipped; None is both.
            type: of which type; None is every one.
            url: with which URL.
            limit: 1 to 100.
            starting_after: id of the product before the first one to list.
            ending_before: id of the product behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no product.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                ProductList,
                active=active,
                created=created,
                ids=ids,
                shippable=shippable,
                type=type,
                url=url,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def search(
        self, query: str, *, limit: int = LIMIT, page: str | None = None
    ) -> ListObject[Product]:
        """Return the products that a query finds, newest first, up to this moment.

        Args:
            query: up to 10 clauses in Stripe's search query language, such as
                ``active:"true" AND metadata["team"]:"ai"``. Fields are active,
                description, name, shippable, type, url and metadata.
            limit: 1 to 100.
            page: id of the last product of the search before.

        Raises:
            ResourceMissingError: the page is the id of no product.
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(SearchRequest, query=query, limit=limit, page=page)
        return search_page(self._engine, PRODUCTS, asked)

    def _page(self, asked: ProductList) -> ListObject[Product]:
        if asked.ids is not None and asked.starting_after is not None:
            raise exclusive("starting_after", "ids", "starting_after")
        if asked.ids is not None and asked.ending_before is not None:
            raise exclusive("ending_before", "ids", "ending_before")
        wanted = ProductFilter(
            ids=asked.ids,
            active=asked.active,
            shippable=asked.shippable,
            type=asked.type,
            url=asked.url,
            created=created_within(asked.created),
        )
        with self._engine.log.read() as connection:
            seen = PriceQueries(connection)
            page = page_of(asked, lambda each, at: product_of(seen, each, at).position)
            found = seen.products(wanted, page)
        livemode = self._engine.settings.livemode
        products = [product_resource(each, livemode=livemode) for each in found]
        return listed(asked, products, self._page)


def _updated(known: ProductDefinition, asked: ProductUpdate) -> ProductUpdated:
    """Return a product as it is asked to be, where that is said."""
    fields: dict[str, Any] = {
        name: getattr(known, name) for name in ProductUpdated.__struct_fields__
    }
    for name in asked.__struct_fields__:
        value = getattr(asked, name)
        if not isinstance(value, UnsetType) and name not in _CONVERTED:
            fields[name] = value
    if not isinstance(asked.metadata, UnsetType):
        fields["metadata"] = merge_metadata(known.metadata, asked.metadata)
    if not isinstance(asked.images, UnsetType):
        fields["images"] = tuple(asked.images or ())
    if not isinstance(asked.marketing_features, UnsetType):
        features = asked.marketing_features or ()
        fields["marketing_features"] = tuple(each["name"] for each in features)
    return ProductUpdated(**fields)
