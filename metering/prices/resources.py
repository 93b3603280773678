"""Products and prices as callers get them back: frozen, with Stripe's field names.

Times are aware datetimes in UTC. Amounts are whole minor units, beside which the exact
amount stands as a decimal: the whole one is None where that has a fraction.
Source: https://docs.stripe.com/api/products/object and https://docs.stripe.com/api/prices/object
"""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal

from metering.bodies import ResourceObject
from metering.prices.product_requests import ProductTypeName
from metering.prices.requests import (
    AggregateUsageName,
    BillingSchemeName,
    IntervalName,
    PriceTypeName,
    TaxBehaviorName,
    TiersModeName,
    UsageTypeName,
)


class MarketingFeature(ResourceObject, frozen=True, kw_only=True):
    """What a pricing page says of a product."""

    name: str


class Product(ResourceObject, frozen=True, kw_only=True):
    """What is sold."""

    id: str
    object: Literal["product"] = "product"
    active: bool
    created: datetime
    default_price: str | None
    description: str | None
    images: tuple[str, ...]
    livemode: bool
    marketing_features: tuple[MarketingFeature, ...]
    metadata: dict[str, str]
    name: str
    package_dimensions: None = None
    shippable: bool | None
    statement_descriptor: str | None
    tax_code: str | None
    tax_details: None = None
    type: ProductTypeName
    unit_label: str | None
    updated: datetime
    url: str | None


class Recurring(ResourceObject, frozen=True, kw_only=True):
    """How often a price is billed, and for what.

    Attributes:
        aggregate_usage: of a price of usage records alone.
    """

    absent_where_none: ClassVar = frozenset({"aggregate_usage"})

    aggregate_usage: AggregateUsageName | None = None
    interval: IntervalName
    interval_count: int
    meter: str | None
    trial_period_days: int | None
    usage_type: UsageTypeName


class Tier(ResourceObject, frozen=True, kw_only=True):
    """What the units of a tier cost.

    Attributes:
        up_to: the last quantity of the tier, inclusive; None in the last one.
    """

    flat_amount: int | None
    flat_amount_decimal: Decimal | None
    unit_amount: int | None
    unit_amount_decimal: Decimal | None
    up_to: int | None


class CurrencyOption(ResourceObject, frozen=True, kw_only=True):
    """What a price is in one currency.

    Attributes:
        tiers: None where units cost an amount each.
    """

    absent_where_none: ClassVar = frozenset({"tiers"})

    custom_unit_amount: None = None
    tax_behavior: TaxBehaviorName
    tiers: tuple[Tier, ...] | None
    unit_amount: int | None
    unit_amount_decimal: Decimal | None


class TransformQuantity(ResourceObject, frozen=True, kw_only=True):
    """How many units are sold together."""

    divide_by: int
    round: Literal["up", "down"]


class Price(ResourceObject, frozen=True, kw_only=True):
    """What a quantity of a product costs.

    Attributes:
        currency_options: by currency, its own among them.
        tiers: None where units cost an amount each.
    """

    beyond_stripe: ClassVar = frozenset({"currency_options", "tiers"})
    """Stripe has these only where they are expanded."""

    id: str
    object: Literal["price"] = "price"
    active: bool
    billing_scheme: BillingSchemeName
    created: datetime
    currency: str
    currency_options: dict[str, CurrencyOption]
    custom_unit_amount: None = None
    livemode: bool
    lookup_key: str | None
    metadata: dict[str, str]
    nickname: str | None
    product: str
    recurring: Recurring | None
    tax_behavior: TaxBehaviorName
    tiers: tuple[Tier, ...] | None
    tiers_mode: TiersModeName | None
    transform_quantity: TransformQuantity | None
    type: PriceTypeName
    unit_amount: int | None
    unit_amount_decimal: Decimal | None
