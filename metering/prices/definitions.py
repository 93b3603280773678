"""What a product and a price are defined as, by the requests that create them.

The sentences with a full stop are Stripe's.
"""

from collections.abc import Mapping
from typing import Any

from ledger.facts.prices import (
    AggregateUsage,
    BillingInterval,
    Package,
    PackageRounding,
    PriceCreated,
    ProductCreated,
    ProductType,
    RecurringTerms,
    TiersMode,
    UsageType,
)
from metering.arguments.metadata import merge_metadata
from metering.arguments.refusals import missing
from metering.errors import InvalidRequestError
from metering.prices.amounts import amounts_by_currency, amounts_of
from metering.prices.product_requests import ProductCreate
from metering.prices.requests import (
    DefaultPriceDataParams,
    PriceCreate,
    ProductDataParams,
    RecurringParams,
    TransformQuantityParams,
)
from projections.kernels.periods import INTERVALS_MAX

"""Three years."""
_ADVERBS = {"day": "daily", "week": "weekly", "month": "monthly", "year": "yearly"}


def product_definition(
    asked: ProductCreate, product_id: str, default_price: str | None
) -> ProductCreated:
    """Return the fact that creates a product."""
    return ProductCreated(
        product_id=product_id,
        name=asked.name,
        active=asked.active,
        description=asked.description,
        default_price=default_price,
        images=tuple(asked.images),
        marketing_features=tuple(each["name"] for each in asked.marketing_features),
        metadata=merge_metadata({}, asked.metadata or None),
        shippable=asked.shippable,
        statement_descriptor=asked.statement_descriptor,
        tax_code=asked.tax_code,
        type=ProductType(asked.type),
        unit_label=asked.unit_label,
        url=asked.url,
    )


def product_of_data(data: ProductDataParams, product_id: str) -> ProductCreated:
    """Return the fact that creates a product together with its price."""
    return product_definition(ProductCreate(**_given(data)), product_id, None)


def price_of_data(
    data: DefaultPriceDataParams, price_id: str, product_id: str
) -> PriceCreated:
    """Return the fact that creates a price together with its product.

    Raises:
        InvalidRequestError: what it costs is not said, or in two ways.
    """
    try:
        return price_definition(PriceCreate(**_given(data)), price_id, product_id)
    except InvalidRequestError as refusal:
        name, bracket, rest = (refusal.param or "").partition("[")
        within_data = f"[{name}]{bracket}{rest}" if name else ""
        raise InvalidRequestError(
            refusal.message,
            code=refusal.code,
            param=f"default_price_data{within_data}",
        ) from refusal


def price_definition(
    asked: PriceCreate, price_id: str, product_id: str
) -> PriceCreated:
    """Return the fact that creates a price.

    Raises:
        InvalidRequestError: parameters do not fit each other.
    """
    is_tiered = asked.billing_scheme == "tiered"
    recurring = _recurring(asked.recurring)
    if is_tiered and recurring is None:
        raise InvalidRequestError(
            "Prices with `type=one_time` are not supported with tiered billing.",
            param="interval",
        )
    mode, package = asked.tiers_mode, asked.transform_quantity
    if is_tiered and mode is None:
        raise missing("tiers_mode")
    _check_fit("tiers_mode", mode, is_tiered=is_tiered)
    own = amounts_of(_own_amounts(asked), is_tiered=is_tiered)
    if is_tiered and package is not None:
        raise InvalidRequestError(
            "Invalid transform_quantity: must be left out where there are tiers",
            param="transform_quantity",
        )
    options = amounts_by_currency(
        asked.currency_options or {}, asked.currency, is_tiered=is_tiered
    )
    return PriceCreated(
        price_id=price_id,
        product_id=product_id,
        currency=asked.currency,
        amounts={asked.currency: own, **options},
        tiers_mode=None if mode is None else TiersMode(mode),
        package=_package(package),
        recurring=recurring,
        active=asked.active,
        nickname=asked.nickname,
        lookup_key=asked.lookup_key,
        metadata=merge_metadata({}, asked.metadata or None),
    )


def _given(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value is not None}


def _own_amounts(asked: PriceCreate) -> Mapping[str, Any]:
    names = ("unit_amount", "unit_amount_decimal", "tiers", "tax_behavior")
    return {name: getattr(asked, name) for name in names}


def _check_fit(param: str, given: object, *, is_tiered: bool) -> None:
    if given is not None and not is_tiered:
        raise InvalidRequestError(
            f"Invalid {param}: must be left out unless billing_scheme is tiered",
            param=param,
        )


def _package(given: TransformQuantityParams | None) -> Package | None:
    if given is None:
        return None
    return Package(divide_by=given["divide_by"], round=PackageRounding(given["round"]))


def _recurring(given: RecurringParams | None) -> RecurringTerms | None:
    if given is None:
        return None
    interval, count = given["interval"], given.get("interval_count") or 1
    most = INTERVALS_MAX[BillingInterval(interval)]
    if count > most:
        raise InvalidRequestError(
            f"The interval_count for {_ADVERBS[interval]} prices can't be greater than"
            f" {most}",
            param="recurring[interval_count]",
        )
    usage_type = UsageType(given.get("usage_type") or "licensed")
    meter_id, aggregate = given.get("meter"), given.get("aggregate_usage")
    if aggregate is not None and (
        meter_id is not None or usage_type is UsageType.LICENSED
    ):
        raise InvalidRequestError(
            "Invalid recurring[aggregate_usage]: must be left out unless usage_type is"
            " metered and there is no meter, which aggregates its own way",
            param="recurring[aggregate_usage]",
        )
    if usage_type is UsageType.METERED and meter_id is None and aggregate is None:
        raise InvalidRequestError(
            "Starting with Stripe version `2025-03-31.basil`, metered prices must be"
            " backed by meters."
        )
    if usage_type is UsageType.LICENSED and meter_id is not None:
        raise InvalidRequestError(
            "Invalid recurring[meter]: must be left out unless usage_type is metered",
            param="recurring[meter]",
        )
    return RecurringTerms(
        interval=BillingInterval(interval),
        interval_count=count,
        usage_type=usage_type,
        meter_id=meter_id,
        trial_period_days=given.get("trial_period_days"),
        aggregate_usage=None if aggregate is None else AggregateUsage(aggregate),
    )
