"""Prices: which there are, and what may be done to them.

What a price costs never changes. A changed price is a new one, which may take the lookup
key of the one before it.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ledger.facts.prices import (
    CurrencyAmounts,
    PriceUpdated,
    ProductCreated,
    TaxBehavior,
)
from metering.arguments.metadata import merge_metadata
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.schema import checked
from metering.arguments.times import CreatedBounds, Time, created_within
from metering.errors import InvalidRequestError
from metering.prices.amounts import amounts_by_currency, only_one
from metering.prices.definitions import price_definition, product_of_data
from metering.prices.record_meters import record_meters
from metering.prices.requests import (
    BillingSchemeName,
    CurrencyOptionParams,
    PriceCreate,
    PriceList,
    PriceTypeName,
    PriceUpdate,
    ProductDataParams,
    RecurringListParams,
    RecurringParams,
    TaxBehaviorName,
    TierParams,
    TiersModeName,
    TransformQuantityParams,
)
from metering.prices.resources import Price
from metering.prices.search import PRICES, SearchRequest, search_page
from metering.prices.shown import price_resource
from metering.prices.writing import (
    check_meter,
    check_product_is_new,
    price_of,
    price_update,
    product_of,
    without_lookup_key,
)
from metering.store.engine import Engine
from projections.kernels.prices import PriceDefinition
from projections.prices.queries import PriceFilter, PriceQueries


class Prices:
    """The prices of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(  # noqa: PLR0913  # the attributes of a price have names
        self,
        *,
        currency: str,
        product: str | None = None,
        product_data: ProductDataParams | None = None,
        unit_amount: int | None = None,
        unit_amount_decimal: Decimal | str | None = None,
        billing_scheme: BillingSchemeName = "per_unit",
        tiers: Sequence[TierParams] | None = None,
        tiers_mode: TiersModeName | None = None,
        transform_quantity: TransformQuantityParams | None = None,
        recurring: RecurringParams | None = None,
        currency_options: Mapping[str, CurrencyOptionParams] | None = None,
        active: bool = True,
        nickname: str | None = None,
        lookup_key: str | None = None,
        transfer_lookup_key: bool = False,
        metadata: Mapping[str, str] | None = None,
        tax_behavior: TaxBehaviorName = "unspecified",
    ) -> Price:
        """Create a price of a product.

        Args:
            currency: ISO 4217 code, such as usd.
            product: id of the product.
            product_data: ``{"name": …}``; creates the product with it.
            unit_amount: of each unit or package, in minor units, such as cents.
            unit_amount_decimal: the same, exact to 12 decimal places.
            billing_scheme: ``"tiered"`` where `tiers` say what units cost.
            tiers: ascending, ``{"up_to": 1000 | "inf", "unit_amount": …,
                "flat_amount": …}``; the last one is up to inf.
            tiers_mode: ``"graduated"`` prices each unit by its own tier, ``"volume"`` all
                units by the tier that the quantity reaches.
            transform_quantity: ``{"divide_by": 1000, "round": "up" | "down"}`` sells
                units in packages; not with tiers.
            recurring: ``{"interval": "month", "usage_type": "metered", "meter": …}``, of
                an active meter; or without the latter two, for a quantity of the buyer's.
                In place of a meter, ``"aggregate_usage": "sum" | "max" |
                "last_during_period" | "last_ever"`` is of usage records. None is paid
                once.
            currency_options: by currency, the amounts there.
            active: whether it can be used for what is new.
            nickname: for the caller alone.
            lookup_key: up to 200 characters that find it, and no other price.
            transfer_lookup_key: whether to take the key from the price that has it.
            metadata: up to 50 strings of the caller's own.
            tax_behavior: whether the amount contains the tax.

        Raises:
            ResourceMissingError: there is no such product or meter.
            InvalidRequestError: an argument is malformed or does not fit another, the
                meter is inactive, or another price has the lookup key.
        """
        asked = checked(
            PriceCreate,
            currency=currency,
            product=product,
            product_data=product_data,
            unit_amount=unit_amount,
            unit_amount_decimal=unit_amount_decimal,
            billing_scheme=billing_scheme,
            tiers=tiers,
            tiers_mode=tiers_mode,
            transform_quantity=transform_quantity,
            recurring=recurring,
            currency_options=currency_options,
            active=active,
            nickname=nickname,
            lookup_key=lookup_key,
            transfer_lookup_key=transfer_lookup_key,
            metadata=metadata,
            tax_behavior=tax_behavior,
        )
        made = _product_made(asked, self._engine)
        wanted = price_definition(
            asked,
            self._engine.new_id("price"),
            made[0].product_id if made else str(asked.product),
        )

        with self._engine.writing() as writing:
            seen = PriceQueries(writing.connection)
            if made:
                check_product_is_new(seen, wanted.product_id, "product_data[id]")
            else:
                product_of(seen, wanted.product_id, "product")
            check_meter(self._engine, writing, wanted)
            meters = record_meters(self._engine, writing, wanted)
            taken = without_lookup_key(
                seen,
                wanted.lookup_key,
                wanted.price_id,
                is_transferred=asked.transfer_lookup_key,
            )
            writing.record([*made, *taken, *meters, wanted])
        return self.retrieve(wanted.price_id)

    def update(  # noqa: PLR0913  # the attributes of a price have names
        self,
        price_id: str,
        *,
        active: bool | UnsetType = UNSET,
        currency_options: Mapping[str, CurrencyOptionParams] | UnsetType | None = UNSET,
        nickname: str | UnsetType | None = UNSET,
        lookup_key: str | UnsetType | None = UNSET,
        transfer_lookup_key: bool = False,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
        tax_behavior: TaxBehaviorName | UnsetType = UNSET,
    ) -> Price:
        """Change what of a price can be changed, which is never what it costs.

        What is left out stays as it is, and None or ``""`` takes a value away.

        Args:
            price_id: of the price.
            active: whether it can be used for what is new.
            currency_options: currencies that are added; None removes all but its own.
            nickname: for the caller alone.
            lookup_key: finds it, and no other price.
            transfer_lookup_key: whether to take the key from the price that has it.
            metadata: is merged into its own: an empty string removes its key, and None or
                ``""`` removes every pair.
            tax_behavior: can be given once.

        Raises:
            ResourceMissingError: there is no such price.
            InvalidRequestError: an argument is malformed, an amount or the tax behavior
                would change, or another price has the lookup key.
        """
        asked = checked(
            PriceUpdate,
            active=active,
            currency_options=currency_options,
            nickname=nickname,
            lookup_key=lookup_key,
            transfer_lookup_key=transfer_lookup_key,
            metadata=metadata,
            tax_behavior=tax_behavior,
        )

        with self._engine.writing() as writing:
            seen = PriceQueries(writing.connection)
            known = price_of(seen, price_id)
            updated = _updated(known, asked)
            taken = without_lookup_key(
                seen,
                updated.lookup_key,
                price_id,
                is_transferred=asked.transfer_lookup_key,
            )
            if updated != price_update(known):
                writing.record([*taken, updated])
        return self.retrieve(price_id)

    def retrieve(self, price_id: str) -> Price:
        """Return a price by its id.

        Raises:
            ResourceMissingError: there is no such price.
        """
        with self._engine.log.read() as connection:
            found = price_of(PriceQueries(connection), price_id)
        return price_resource(found, livemode=self._engine.settings.livemode)

    def list(  # noqa: PLR0913  # Stripe's filters have names
        self,
        product: str | None = None,
        *,
        active: bool = True,
        created: Time | CreatedBounds | None = None,
        currency: str | None = None,
        lookup_keys: Sequence[str] | None = None,
        recurring: RecurringListParams | None = None,
        type: PriceTypeName | None = None,  # noqa: A002  # Stripe's name
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[Price]:
        """Return the active prices, or those that are not, newest first.

        Args:
            product: of which product; None is every one.
            active: which of the two.
            created: at a time, or within bounds: ``{"gte": …, "lt": …}``.
            currency: only those whose own currency it is.
            lookup_keys: only those with one of up to 10 keys.
            recurring: only such as these: ``{"interval": …, "meter": …, "usage_type":
                …}``.
            type: one_time or recurring; None is both.
            limit: 1 to 100.
            starting_after: id of the price before the first one to list.
            ending_before: id of the price behind the last one to list.

        Raises:
            ResourceMissingError: there is no such product, or a cursor is the id of no
                price.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                PriceList,
                product=product,
                active=active,
                created=created,
                currency=currency,
                lookup_keys=lookup_keys,
                recurring=recurring,
                type=type,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def search(
        self, query: str, *, limit: int = LIMIT, page: str | None = None
    ) -> ListObject[Price]:
        """Return the prices that a query finds, newest first, up to this moment.

        Args:
            query: up to 10 clauses in Stripe's search query language, such as
                ``active:"true" AND metadata["team"]:"ai"``. Fields are active, currency,
                lookup_key, product, type and metadata.
            limit: 1 to 100.
            page: id of the last price of the search before.

        Raises:
            ResourceMissingError: the page is the id of no price.
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(SearchRequest, query=query, limit=limit, page=page)
        return search_page(self._engine, PRICES, asked)

    def _page(self, asked: PriceList) -> ListObject[Price]:
        recurring = asked.recurring or {}
        with self._engine.log.read() as connection:
            seen = PriceQueries(connection)
            if asked.product is not None:
                product_of(seen, asked.product, "product")
            wanted = PriceFilter(
                active=asked.active,
                created=created_within(asked.created),
                currency=asked.currency,
                lookup_keys=asked.lookup_keys,
                product_id=asked.product,
                is_recurring=None if asked.type is None else asked.type == "recurring",
                recurring_interval=recurring.get("interval"),
                usage_type=recurring.get("usage_type"),
                meter_id=recurring.get("meter"),
            )
            page = page_of(asked, lambda each, at: price_of(seen, each, at).position)
            found = seen.prices(wanted, page)
        livemode = self._engine.settings.livemode
        prices = [price_resource(each, livemode=livemode) for each in found]
        return listed(asked, prices, self._page)


def _product_made(asked: PriceCreate, engine: Engine) -> list[ProductCreated]:
    """Return the fact that creates the price's product, where it is to be created."""
    data = asked.product_data
    if data is None and asked.product is None:
        raise InvalidRequestError(
            "You must specify either `product` or `product_data` when creating a"
            " price.",
            code="parameter_missing",
        )
    if data is None:
        return []
    if asked.product is not None:
        raise only_one("product", "product", "product_data")
    return [product_of_data(data, data.get("id") or engine.new_id("prod"))]


def _updated(known: PriceDefinition, asked: PriceUpdate) -> PriceUpdated:
    """Return a price as it is asked to be, where that is said."""
    changes: dict[str, Any] = {"amounts": _amounts(known, asked)}
    for name in ("active", "nickname", "lookup_key"):
        value = getattr(asked, name)
        if not isinstance(value, UnsetType):
            changes[name] = value
    if not isinstance(asked.metadata, UnsetType):
        changes["metadata"] = merge_metadata(known.metadata, asked.metadata)
    return price_update(known, **changes)


def _amounts(known: PriceDefinition, asked: PriceUpdate) -> dict[str, CurrencyAmounts]:
    """Return what a price is in each currency, as asked.

    Raises:
        InvalidRequestError: an amount or a tax behavior would change.
    """
    own, options = known.amounts[known.currency], asked.currency_options
    amounts = dict(known.amounts)
    if options is None:
        amounts = {known.currency: own}
    elif not isinstance(options, UnsetType):
        is_tiered = own.tiers is not None
        for currency, each in amounts_by_currency(
            options, known.currency, is_tiered=is_tiered
        ).items():
            before = amounts.setdefault(currency, each)
            if replace(before, tax_behavior=each.tax_behavior) != each:
                raise InvalidRequestError(
                    f"The amounts of price {known.price_id} in {currency} cannot change;"
                    " create another price",
                    param=f"currency_options[{currency}]",
                )
            param = f"currency_options[{currency}][tax_behavior]"
            tax_behavior = _tax_behavior(before, each.tax_behavior, param)
            amounts[currency] = replace(each, tax_behavior=tax_behavior)
    if not isinstance(asked.tax_behavior, UnsetType):
        wanted = TaxBehavior(asked.tax_behavior)
        tax_behavior = _tax_behavior(own, wanted, "tax_behavior")
        amounts[known.currency] = replace(own, tax_behavior=tax_behavior)
    return amounts


def _tax_behavior(
    before: CurrencyAmounts, wanted: TaxBehavior, param: str
) -> TaxBehavior:
    """Return a tax behavior, which is final once it was said."""
    known = before.tax_behavior
    if known not in {TaxBehavior.UNSPECIFIED, wanted}:
        raise InvalidRequestError(
            f"Invalid {param}: it is {known.value} and cannot change; create another"
            " price",
            param=param,
        )
    return wanted
