"""Requests about prices, and the objects that callers pass in them.

Source: https://docs.stripe.com/api/prices/create and its neighbours.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from metering.arguments.currencies import Currency
from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.strings import Id, OthersId
from metering.arguments.times import CreatedBounds, Time

AMOUNT_MAX = 999_999_999_999
"""Of a unit, a package or a flat amount, in minor units."""
QUANTITY_BOUND = 10**18
"""What every quantity that is rated, and the end of every tier, is below."""
TIERS_MAX = 200
CURRENCIES_MAX = 200
LOOKUP_KEYS_MAX = 10
_COUNT_MAX = 1_000_000_000

IntervalName = Literal["day", "week", "month", "year"]
UsageTypeName = Literal["licensed", "metered"]
AggregateUsageName = Literal["sum", "max", "last_during_period", "last_ever"]
TaxBehaviorName = Literal["exclusive", "inclusive", "unspecified"]
BillingSchemeName = Literal["per_unit", "tiered"]
TiersModeName = Literal["graduated", "volume"]
PriceTypeName = Literal["one_time", "recurring"]
MinorUnits = Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]
MinorUnitsDecimal = Annotated[Decimal, Meta(ge=0, le=AMOUNT_MAX)]
"""An amount with up to 12 decimal places."""
Nickname = Annotated[str, Meta(min_length=1, max_length=5_000)]
LookupKey = Annotated[str, Meta(min_length=1, max_length=200)]


class RecurringParams(TypedDict):
    """How often a price is billed, and for what.

    Attributes:
        interval: how often it is billed.
        interval_count: after how many of them; 1 if left out, at most three years.
        usage_type: where the quantity comes from; licensed if left out.
        meter: id of the active meter that a metered price is for.
        aggregate_usage: what the usage records of a period come to; of a metered price
            without a meter.
        trial_period_days: how many days are free by default.
    """

    interval: IntervalName
    interval_count: NotRequired[Annotated[int, Meta(ge=1, le=_COUNT_MAX)] | None]
    usage_type: NotRequired[UsageTypeName | None]
    meter: NotRequired[Id | None]
    aggregate_usage: NotRequired[AggregateUsageName | None]
    trial_period_days: NotRequired[Annotated[int, Meta(ge=1, le=730)] | None]


class DefaultRecurringParams(TypedDict):
    """How often a price is billed that is created with its product.

    Attributes:
        interval: how often it is billed.
        interval_count: after how many of them; 1 if left out.
    """

    interval: IntervalName
    interval_count: NotRequired[Annotated[int, Meta(ge=1, le=_COUNT_MAX)] | None]


class TierParams(TypedDict):
    """What the units of a tier cost.

    Attributes:
        up_to: the last quantity of the tier, inclusive; inf for the last tier.
        unit_amount: of each unit, in minor units.
        unit_amount_decimal: the same, with up to 12 decimal places.
        flat_amount: added once where the tier is reached, in minor units.
        flat_amount_decimal: the same, as a decimal that is a whole number.
    """

    up_to: Annotated[int, Meta(ge=1, le=QUANTITY_BOUND - 1)] | Literal["inf"]
    unit_amount: NotRequired[MinorUnits | None]
    unit_amount_decimal: NotRequired[MinorUnitsDecimal | None]
    flat_amount: NotRequired[MinorUnits | None]
    flat_amount_decimal: NotRequired[MinorUnitsDecimal | None]


Tiers = Annotated[Sequence[TierParams], Meta(min_length=1, max_length=TIERS_MAX)]


class TransformQuantityParams(TypedDict):
    """How many units are sold together.

    Attributes:
        divide_by: the units of a package.
        round: whether a package that is begun counts.
    """

    divide_by: Annotated[int, Meta(ge=1, le=_COUNT_MAX)]
    round: Literal["up", "down"]


class CurrencyOptionParams(TypedDict):
    """What a price is in another currency.

    Attributes:
        unit_amount: of each unit, in minor units.
        unit_amount_decimal: the same, with up to 12 decimal places.
        tiers: in place of an amount for each unit.
        tax_behavior: whether the amount contains the tax.
    """

    unit_amount: NotRequired[MinorUnits | None]
    unit_amount_decimal: NotRequired[MinorUnitsDecimal | None]
    tiers: NotRequired[Tiers | None]
    tax_behavior: NotRequired[TaxBehaviorName | None]


CurrencyOptions = Annotated[
    Mapping[Annotated[str, Meta(max_length=3)], CurrencyOptionParams],
    Meta(max_length=CURRENCIES_MAX),
]


class ProductDataParams(TypedDict):
    """A product that is created with its price.

    Attributes:
        name: for people.
        id: of your own; made if left out.
        active: whether it can be bought.
        metadata: pairs of your own.
        statement_descriptor: on the statement of a card.
        tax_code: id of a tax code that others keep.
        unit_label: what one of it is called, such as token.
    """

    name: Annotated[str, Meta(min_length=1, max_length=5_000)]
    id: NotRequired[OthersId | None]
    active: NotRequired[bool | None]
    metadata: NotRequired[Metadata | None]
    statement_descriptor: NotRequired[
        Annotated[str, Meta(min_length=1, max_length=22)] | None
    ]
    tax_code: NotRequired[OthersId | None]
    unit_label: NotRequired[Annotated[str, Meta(min_length=1, max_length=12)] | None]


class DefaultPriceDataParams(TypedDict):
    """A price that is created with its product; it cannot be metered.

    Attributes:
        currency: ISO 4217 code, such as usd.
        unit_amount: of each unit, in minor units.
        unit_amount_decimal: the same, with up to 12 decimal places.
        recurring: how often it is billed; once if left out.
        currency_options: what it is in other currencies.
        metadata: pairs of your own.
        tax_behavior: whether the amount contains the tax.
    """

    currency: Currency
    unit_amount: NotRequired[MinorUnits | None]
    unit_amount_decimal: NotRequired[MinorUnitsDecimal | None]
    recurring: NotRequired[DefaultRecurringParams | None]
    currency_options: NotRequired[CurrencyOptions | None]
    metadata: NotRequired[Metadata | None]
    tax_behavior: NotRequired[TaxBehaviorName | None]


class PriceCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What a price is created with.

    Attributes:
        currency: ISO 4217 code, such as usd.
        product: id of the product.
        product_data: a product that is created with it.
        unit_amount: of each unit or package, in minor units.
        unit_amount_decimal: the same, with up to 12 decimal places.
        billing_scheme: whether tiers say what units cost.
        tiers: what units cost, tier by tier.
        tiers_mode: whether each unit costs what its own tier says, or all what the last
            one's says.
        transform_quantity: sells units in packages; not with tiers.
        recurring: how often it is billed; once if left out.
        currency_options: what it is in other currencies.
        active: whether it can be used for what is new.
        nickname: for you alone.
        lookup_key: finds it, and no other price.
        transfer_lookup_key: whether to take the key from the price that has it.
        metadata: pairs of your own.
        tax_behavior: whether the amount contains the tax.
    """

    currency: Currency
    product: Id | None = None
    product_data: ProductDataParams | None = None
    unit_amount: MinorUnits | None = None
    unit_amount_decimal: MinorUnitsDecimal | None = None
    billing_scheme: BillingSchemeName = "per_unit"
    tiers: Tiers | None = None
    tiers_mode: TiersModeName | None = None
    transform_quantity: TransformQuantityParams | None = None
    recurring: RecurringParams | None = None
    currency_options: CurrencyOptions | None = None
    active: bool = True
    nickname: Nickname | None = None
    lookup_key: LookupKey | None = None
    transfer_lookup_key: bool = False
    metadata: Metadata | UnsetType | None = UNSET
    tax_behavior: TaxBehaviorName = "unspecified"


class PriceUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a price can be changed: never what it costs.

    Attributes:
        active: whether it can be used for what is new.
        currency_options: what it is in currencies that it was not in; none if empty.
        nickname: for you alone.
        lookup_key: finds it, and no other price.
        transfer_lookup_key: whether to take the key from the price that has it.
        metadata: pairs that are added or replaced; an empty value removes its key.
        tax_behavior: whether the amount contains the tax, where that was not said.
    """

    active: bool | UnsetType = UNSET
    currency_options: CurrencyOptions | UnsetType | None = UNSET
    nickname: Nickname | UnsetType | None = UNSET
    lookup_key: LookupKey | UnsetType | None = UNSET
    transfer_lookup_key: bool = False
    metadata: Metadata | UnsetType | None = UNSET
    tax_behavior: TaxBehaviorName | UnsetType = UNSET


class RecurringListParams(TypedDict, total=False):
    """Which recurring prices are listed.

    Attributes:
        interval: only those billed so often.
        meter: only those for this meter.
        usage_type: only those whose quantity comes from there.
    """

    interval: IntervalName | None
    meter: OthersId | None
    usage_type: UsageTypeName | None


class PriceList(PageRequest, frozen=True, kw_only=True):
    """Which prices are listed.

    Attributes:
        active: only those that are active, or that are not; the active ones if left out.
        created: only those created then, or within these bounds.
        currency: only those whose own currency it is.
        lookup_keys: only those with one of these keys, up to 10.
        product: only those of this product.
        recurring: only such recurring ones.
        type: only those of this type.
    """

    active: bool = True
    created: Time | CreatedBounds | None = None
    currency: Currency | None = None
    lookup_keys: (
        Annotated[Sequence[LookupKey], Meta(min_length=1, max_length=LOOKUP_KEYS_MAX)]
        | None
    ) = None
    product: Id | None = None
    recurring: RecurringListParams | None = None
    type: PriceTypeName | None = None
