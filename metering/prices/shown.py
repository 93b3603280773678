"""Products and prices as resources."""

from decimal import Decimal

from ledger.facts.prices import CurrencyAmounts, PriceTier
from metering.arguments.clock import at_microseconds
from metering.prices.resources import (
    CurrencyOption,
    MarketingFeature,
    Price,
    Product,
    Recurring,
    Tier,
    TransformQuantity,
)
from projections.kernels.prices import PriceDefinition, ProductDefinition


def product_resource(product: ProductDefinition, *, livemode: bool) -> Product:
    """Return a product as a resource."""
    return Product(
        id=product.product_id,
        active=product.active,
        created=at_microseconds(product.created),
        default_price=product.default_price,
        description=product.description,
        images=product.images,
        livemode=livemode,
        marketing_features=tuple(
            MarketingFeature(name=each) for each in product.marketing_features
        ),
        metadata=dict(product.metadata),
        name=product.name,
        shippable=product.shippable,
        statement_descriptor=product.statement_descriptor,
        tax_code=product.tax_code,
        type=product.type.value,
        unit_label=product.unit_label,
        updated=at_microseconds(product.updated),
        url=product.url,
    )


def price_resource(price: PriceDefinition, *, livemode: bool) -> Price:
    """Return a price as a resource."""
    own = _option(price.amounts[price.currency])
    return Price(
        id=price.price_id,
        active=price.active,
        billing_scheme="per_unit" if own.tiers is None else "tiered",
        created=at_microseconds(price.created),
        currency=price.currency,
        currency_options={
            currency: _option(each) for currency, each in price.amounts.items()
        },
        livemode=livemode,
        lookup_key=price.lookup_key,
        metadata=dict(price.metadata),
        nickname=price.nickname,
        product=price.product_id,
        recurring=_recurring(price),
        tax_behavior=own.tax_behavior,
        tiers=own.tiers,
        tiers_mode=None if price.tiers_mode is None else price.tiers_mode.value,
        transform_quantity=_package(price),
        type="one_time" if price.recurring is None else "recurring",
        unit_amount=own.unit_amount,
        unit_amount_decimal=own.unit_amount_decimal,
    )


def _recurring(price: PriceDefinition) -> Recurring | None:
    terms = price.recurring
    if terms is None:
        return None
    aggregate = terms.aggregate_usage
    return Recurring(
        aggregate_usage=None if aggregate is None else aggregate.value,
        interval=terms.interval.value,
        interval_count=terms.interval_count,
        meter=terms.meter_id,
        trial_period_days=terms.trial_period_days,
        usage_type=terms.usage_type.value,
    )


def _package(price: PriceDefinition) -> TransformQuantity | None:
    if price.package is None:
        return None
    return TransformQuantity(
        divide_by=price.package.divide_by, round=price.package.round.value
    )


def _option(amounts: CurrencyAmounts) -> CurrencyOption:
    tiers = amounts.tiers
    return CurrencyOption(
        tax_behavior=amounts.tax_behavior.value,
        tiers=None if tiers is None else tuple(map(_tier, tiers)),
        unit_amount=_whole(amounts.unit_amount),
        unit_amount_decimal=amounts.unit_amount,
    )


def _tier(tier: PriceTier) -> Tier:
    flat = tier.flat_amount
    return Tier(
        flat_amount=flat,
        flat_amount_decimal=None if flat is None else Decimal(flat),
        unit_amount=_whole(tier.unit_amount),
        unit_amount_decimal=tier.unit_amount,
        up_to=tier.up_to,
    )


def _whole(amount: Decimal | None) -> int | None:
    """Return an amount as whole minor units, None where it has a fraction of one."""
    if amount is None or amount != amount.to_integral_value():
        return None
    return int(amount)
