"""Products and prices: what the facts about one add up to."""

from dataclasses import dataclass, replace

from msgspec.structs import asdict

from ledger.facts.prices import (
    AggregateUsage,
    CurrencyAmounts,
    Package,
    PriceCreated,
    PriceUpdated,
    ProductCreated,
    ProductDeleted,
    ProductType,
    ProductUpdated,
    RecurringTerms,
    TiersMode,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDefinition:
    """A product at some position of the log.

    Attributes:
        position: of the fact that created it.
        created, updated: microseconds since 1970 UTC.
        deleted: whether it is gone; events still show what it was.
    """

    position: int
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
    created: int
    updated: int
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDefinition:
    """A price at some position of the log.

    Attributes:
        position: of the fact that created it.
        amounts: by currency; that of `currency` is among them.
        created: microseconds since 1970 UTC.
    """

    position: int
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
    created: int

    @property
    def meter_id(self) -> str | None:
        """The meter whose usage it prices, None where it is not metered."""
        return None if self.recurring is None else self.recurring.meter_id

    @property
    def aggregate_usage(self) -> AggregateUsage | None:
        """What its usage records come to, None where those do not say its quantity."""
        return None if self.recurring is None else self.recurring.aggregate_usage


def product_created(
    fact: ProductCreated, position: int, recorded_at: int
) -> ProductDefinition:
    """Return a product as it was created."""
    return ProductDefinition(
        **asdict(fact), position=position, created=recorded_at, updated=recorded_at
    )


def product_updated(
    product: ProductDefinition, fact: ProductUpdated, recorded_at: int
) -> ProductDefinition:
    """Return a product as it is after an update."""
    return replace(product, **asdict(fact), updated=recorded_at)


def product_deleted(
    product: ProductDefinition, fact: ProductDeleted
) -> ProductDefinition:
    """Return a product as it is when it is gone."""
    assert fact.product_id == product.product_id, "it is about this product"
    return replace(product, deleted=True)


def price_created(
    fact: PriceCreated, position: int, recorded_at: int
) -> PriceDefinition:
    """Return a price as it was created."""
    return PriceDefinition(**asdict(fact), position=position, created=recorded_at)


def price_updated(price: PriceDefinition, fact: PriceUpdated) -> PriceDefinition:
    """Return a price as it is after an update."""
    return replace(price, **asdict(fact))
