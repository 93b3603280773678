"""Facts about products and prices: what is sold, and what a quantity of it costs.

Amounts are in minor units of a currency, which is written in lower case. What one unit
costs may be a fraction of a minor unit, with up to 12 digits.
Source of the words: https://docs.stripe.com/api/products and https://docs.stripe.com/api/prices
"""

import enum
from decimal import Decimal

import msgspec


class ProductType(enum.Enum):
    """What a product is."""

    SERVICE = "service"
    GOOD = "good"


class BillingInterval(enum.Enum):
    """How often a recurring price is billed."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class UsageType(enum.Enum):
    """Where the quantity of a recurring price comes from: its buyer, or a meter."""

    LICENSED = "licensed"
    METERED = "metered"


class AggregateUsage(enum.Enum):
    """What the usage records of a period come to; the last one of all time, or its own."""

    SUM = "sum"
    MAX = "max"
    LAST_DURING_PERIOD = "last_during_period"
    LAST_EVER = "last_ever"


class TiersMode(enum.Enum):
    """Whether each part of a quantity costs what its tier says, or all what the last does."""

    GRADUATED = "graduated"
    VOLUME = "volume"


class PackageRounding(enum.Enum):
    """Whether a package that is begun counts."""

    UP = "up"
    DOWN = "down"


class TaxBehavior(enum.Enum):
    """Whether an amount contains the tax."""

    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"
    UNSPECIFIED = "unspecified"


class ProductCreated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="product.created"
):
    """A product began to exist."""

    product_id: str
    name: str
    active: bool
    description: str | None
    default_price: str | None
    images: tuple[str, ...]
    marketing_features: tuple[str, ...]
    metadata: dict[str, str]
    shippable: bool | None
    statement_descriptor: str | None
    tax_code: str | None
    type: ProductType
    unit_label: str | None
    url: str | None


class ProductUpdated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="product.updated"
):
    """A product was changed: everything that can change, as it is now."""

    product_id: str
    name: str
    active: bool
    description: str | None
    default_price: str | None
    images: tuple[str, ...]
    marketing_features: tuple[str, ...]
    metadata: dict[str, str]
    shippable: bool | None
    statement_descriptor: str | None
    tax_code: str | None
    unit_label: str | None
    url: str | None


class ProductDeleted(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="product.deleted"
):
    """A product that has no price is gone."""

    product_id: str


class RecurringTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often a price is billed, and for what.

    A metered one alone has a `meter_id`, or `aggregate_usage` where usage records say
    the quantity; the latter is not written where it is None, as it never was before.
    """

    interval: BillingInterval
    interval_count: int
    usage_type: UsageType
    meter_id: str | None
    trial_period_days: int | None
    aggregate_usage: AggregateUsage | None = None


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """How many units are sold together; a price is then that of a package."""

    divide_by: int
    round: PackageRounding


class PriceTier(msgspec.Struct, frozen=True, array_like=True):
    """What the units of a tier cost, and what is added once where the tier is reached.

    `up_to` is inclusive; the last tier has none.
    """

    up_to: int | None
    unit_amount: Decimal | None
    flat_amount: int | None


class CurrencyAmounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a price is in one currency: an amount for each unit, or tiers."""

    unit_amount: Decimal | None
    tiers: tuple[PriceTier, ...] | None
    tax_behavior: TaxBehavior


class PriceCreated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="price.created"
):
    """A product can be bought at a price, whose amounts never change.

    `amounts` has the price's own currency, and others in which it can be paid. Without
    `recurring` it is paid once.
    """

    price_id: str
    product_id: str
    currency: str
    amounts: dict[str, CurrencyAmounts]
    tiers_mode: TiersMode | None
    package: Package | None
    recurring: RecurringTerms | None
    active: bool
    nickname: str | None
    lookup_key: str | None
    metadata: dict[str, str]


class PriceUpdated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="price.updated"
):
    """A price was changed: everything that can change, as it is now."""

    price_id: str
    amounts: dict[str, CurrencyAmounts]
    active: bool
    nickname: str | None
    lookup_key: str | None
    metadata: dict[str, str]
