"""Requests about products, and the objects that callers pass in them.

Source: https://docs.stripe.com/api/products/create and its neighbours.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.strings import Id, OthersId
from metering.arguments.times import CreatedBounds, Time
from metering.prices.requests import DefaultPriceDataParams

IDS_MAX = 100

ProductName = Annotated[str, Meta(min_length=1, max_length=5_000)]
ProductDescription = Annotated[str, Meta(min_length=1, max_length=5_000)]
UnitLabel = Annotated[str, Meta(min_length=1, max_length=12)]
StatementDescriptor = Annotated[str, Meta(min_length=1, max_length=22)]
ProductUrl = Annotated[str, Meta(min_length=1, max_length=5_000)]
Images = Annotated[Sequence[ProductUrl], Meta(max_length=8)]
ProductTypeName = Literal["service", "good"]


class MarketingFeatureParams(TypedDict):
    """What a pricing page says of a product.

    Attributes:
        name: for people.
    """

    name: Annotated[str, Meta(min_length=1, max_length=80)]


MarketingFeatures = Annotated[Sequence[MarketingFeatureParams], Meta(max_length=15)]


class ProductCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What a product is created with.

    Attributes:
        name: for people.
        id: of your own; made if left out.
        active: whether it can be bought.
        default_price_data: a price that is created with it, and is its default.
        description: for people.
        images: up to 8 URLs.
        marketing_features: up to 15 of them, for a pricing page.
        metadata: pairs of your own.
        shippable: whether it is a good that is shipped.
        statement_descriptor: on the statement of a card.
        tax_code: id of a tax code that others keep.
        type: what it is.
        unit_label: what one of it is called, such as token.
        url: of a page about it.
    """

    name: ProductName
    id: OthersId | None = None
    active: bool = True
    default_price_data: DefaultPriceDataParams | None = None
    description: ProductDescription | None = None
    images: Images = ()
    marketing_features: MarketingFeatures = ()
    metadata: Metadata | UnsetType | None = UNSET
    shippable: bool | None = None
    statement_descriptor: StatementDescriptor | None = None
    tax_code: OthersId | None = None
    type: ProductTypeName = "service"
    unit_label: UnitLabel | None = None
    url: ProductUrl | None = None


class ProductUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a product can be changed.

    Attributes:
        name: for people.
        active: whether it can be bought.
        default_price: id of a price of the product.
        description: for people.
        images: up to 8 URLs.
        marketing_features: up to 15 of them, for a pricing page.
        metadata: pairs that are added or replaced; an empty value removes its key.
        shippable: whether it is a good that is shipped.
        statement_descriptor: on the statement of a card.
        tax_code: id of a tax code that others keep.
        unit_label: what one of it is called, such as token.
        url: of a page about it.
    """

    name: ProductName | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    default_price: Id | UnsetType | None = UNSET
    description: ProductDescription | UnsetType | None = UNSET
    images: Images | UnsetType | None = UNSET
    marketing_features: MarketingFeatures | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    shippable: bool | UnsetType = UNSET
    statement_descriptor: StatementDescriptor | UnsetType | None = UNSET
    tax_code: OthersId | UnsetType | None = UNSET
    unit_label: UnitLabel | UnsetType | None = UNSET
    url: ProductUrl | UnsetType | None = UNSET


class ProductList(PageRequest, frozen=True, kw_only=True):
    """Which products are listed.

    Attributes:
        active: only those that can be bought, or that cannot.
        created: only those created then, or within these bounds.
        ids: only these; cursors cannot be given with them.
        shippable: only those that are shipped, or that are not.
        type: only those of this type.
        url: only those with this URL.
    """

    active: bool | None = None
    created: Time | CreatedBounds | None = None
    ids: (
        Annotated[Sequence[OthersId], Meta(min_length=1, max_length=IDS_MAX)] | None
    ) = None
    shippable: bool | None = None
    type: ProductTypeName | None = None
    url: ProductUrl | None = None
