"""What is checked against the store before a product or a price is recorded."""

from ledger.appending.writing import Writing
from ledger.facts.meters import MeterStatus
from ledger.facts.prices import PriceCreated, PriceUpdated
from metering.arguments.ids import found_by_id
from metering.errors import InvalidRequestError
from metering.store.engine import Engine
from projections.kernels.prices import PriceDefinition, ProductDefinition
from projections.prices.queries import PriceQueries


def product_of(
    seen: PriceQueries, product_id: object, param: str = "id"
) -> ProductDefinition:
    """Return a product by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.product, product_id, "product", param)


def price_of(
    seen: PriceQueries, price_id: object, param: str = "price"
) -> PriceDefinition:
    """Return a price by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.price, price_id, "price", param)


def check_product_is_new(seen: PriceQueries, product_id: str, param: str) -> None:
    """Refuse a product's id that another has.

    Raises:
        InvalidRequestError: as said.
    """
    found = seen.product_or_deleted(product_id)
    if found is None:
        return
    if found.deleted:
        raise InvalidRequestError(
            f"A product with id {product_id!r} was deleted; give another id",
            code="resource_already_exists",
            param=param,
        )
    raise InvalidRequestError(
        f"A product with id {product_id!r} exists already",
        code="resource_already_exists",
        param=param,
    )


def check_has_no_price(seen: PriceQueries, product_id: str) -> None:
    """Refuse to delete a product that has prices, active or not, as Stripe does.

    Raises:
        InvalidRequestError: as said.
    """
    if seen.has_price(product_id):
        raise InvalidRequestError(
            "This product cannot be deleted because it has one or more user-created"
            " prices.",
            param="id",
        )


def check_meter(engine: Engine, writing: Writing, price: PriceCreated) -> None:
    """Check that the meter of a metered price can be priced.

    Raises:
        ResourceMissingError: there is no such meter.
        InvalidRequestError: it is inactive.
    """
    meter_id = None if price.recurring is None else price.recurring.meter_id
    if meter_id is None:
        return
    meters = engine.catalog.read(writing.connection).by_id
    param = "recurring[meter]"
    meter = found_by_id(meters.get, meter_id, "billing meter", param)
    if meter.status is not MeterStatus.ACTIVE:
        raise InvalidRequestError(
            f"Meter {meter_id} is inactive; reactivate it, or give another one",
            code="meter_inactive",
            param=param,
        )


def without_lookup_key(
    seen: PriceQueries, lookup_key: str | None, price_id: str, *, is_transferred: bool
) -> list[PriceUpdated]:
    """Return the facts that take a lookup key from the price that has it, if one does.

    Args:
        seen: the prices.
        lookup_key: that a price is to have.
        price_id: of that price.
        is_transferred: whether another may lose it.

    Raises:
        InvalidRequestError: another price has it and is to keep it.
    """
    holder = None if lookup_key is None else seen.price_with_lookup_key(lookup_key)
    if holder is None or holder.price_id == price_id:
        return []
    if not is_transferred:
        raise InvalidRequestError(
            f"A price (`{holder.price_id}`) already uses that lookup key.",
            code="resource_already_exists",
            param="lookup_key",
        )
    return [price_update(holder, lookup_key=None)]


def price_update(price: PriceDefinition, **changes: object) -> PriceUpdated:
    """Return the fact that changes a price."""
    known = {name: getattr(price, name) for name in PriceUpdated.__struct_fields__}
    return PriceUpdated(**{**known, **changes})
