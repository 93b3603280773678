"""What an item of a subscription may be: which prices it may have, and how many.

The sentences with a full stop are Stripe's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.facts.prices import RecurringTerms, UsageType
from ledger.facts.subscriptions import BillingMode, ItemTerms
from metering.errors import InvalidRequestError
from metering.prices.writing import price_of
from projections.kernels.prices import PriceDefinition
from projections.kernels.subscriptions.definitions import ITEMS_MAX
from projections.prices.queries import PriceQueries


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemParams:
    """Where the parameters of an item are, for refusals.

    Attributes:
        path: with braces for a name, such as ``items[0][{}]``.
        place: what Stripe calls the item; None where it is the request itself.
    """

    path: str = "{}"
    place: str | None = None

    @classmethod
    def of_list(cls, number: int) -> "ItemParams":
        """Return where an item of a list is."""
        return cls(path=f"items[{number}][{{}}]", place=f"items[{number}]")

    def __call__(self, name: str) -> str:
        """Return the path of a parameter."""
        return self.path.format(name)


def recurring_price(
    seen: PriceQueries, price_id: object, params: ItemParams
) -> PriceDefinition:
    """Return an active price that is billed again and again, by its id.

    Raises:
        ResourceMissingError: there is no such price.
        InvalidRequestError: it is inactive, or paid once.
    """
    price = price_of(seen, price_id, params("price"))
    if price.recurring is None:
        raise InvalidRequestError(
            "The price specified is set to `type=one_time` but this field only accepts"
            " prices with `type=recurring`.",
            param=params("price"),
        )
    if not price.active:
        raise InvalidRequestError(
            "The price specified is inactive. This field only accepts active prices.",
            code="price_inactive",
            param=params("price"),
        )
    return price


def payable_price(
    seen: PriceQueries, price_id: object, currency: str, params: ItemParams
) -> PriceDefinition:
    """Return an active, recurring price that can be paid in a currency, by its id.

    Raises:
        ResourceMissingError: there is no such price.
        InvalidRequestError: it is inactive, paid once, or in other currencies.
    """
    price = recurring_price(seen, price_id, params)
    check_currency(price, currency, params)
    return price


def check_currency(price: PriceDefinition, currency: str, params: ItemParams) -> None:
    """Check that a price can be paid in a currency.

    Raises:
        InvalidRequestError: it cannot.
    """
    if currency not in price.amounts:
        only = " and ".join(f"`{each}`" for each in sorted(price.amounts))
        raise InvalidRequestError(
            f"The price specified only supports {only}. This doesn't match the expected"
            f" currency: `{currency}`.",
            param=params("price"),
        )


def new_terms(
    price: PriceDefinition,
    item_id: str,
    quantity: int | None,
    metadata: dict[str, str],
    params: ItemParams,
) -> ItemTerms:
    """Return what an item of a price is.

    Args:
        price: a recurring one.
        item_id: of the item.
        quantity: None is 1, or what the meter says.
        metadata: of the item.
        params: where the quantity was given.

    Raises:
        InvalidRequestError: there is a quantity, and a meter to say it.
    """
    terms = terms_of(price)
    if terms.usage_type is UsageType.METERED and quantity is not None:
        place = "" if params.place is None else f" from `{params.place}`"
        raise InvalidRequestError(
            "Quantity should not be specified where usage_type is `metered`. Remove"
            f" quantity{place}",
            param=params("quantity"),
        )
    if terms.usage_type is UsageType.LICENSED and quantity is None:
        quantity = 1
    return ItemTerms(
        item_id=item_id,
        price_id=price.price_id,
        quantity=quantity,
        interval=terms.interval,
        interval_count=terms.interval_count,
        metadata=metadata,
    )


def check_swap(
    before: PriceDefinition, after: PriceDefinition, params: ItemParams
) -> None:
    """Check that a price may take the place of another in an item.

    Raises:
        InvalidRequestError: it measures something else.
    """
    if _measured_by(before) != _measured_by(after):
        raise InvalidRequestError(
            f"Price {after.price_id} is for {_measured_by(after)}, and the item's price"
            f" {before.price_id} for {_measured_by(before)}; add another item for it",
            param=params("price"),
        )


def check_together(items: Sequence[ItemTerms], mode: BillingMode) -> None:
    """Check that a subscription may have these items at once.

    Raises:
        InvalidRequestError: there are too many or none, two have one price, or their
            intervals differ where they may not.
    """
    if not items:
        raise InvalidRequestError(
            "A subscription must have at least one active plan. To delete a"
            " subscription, please use the DELETE method of /v1/subscriptions.",
            param="items",
        )
    if len(items) > ITEMS_MAX:
        raise InvalidRequestError(
            f"Invalid items: {len(items)} of them; must be at most {ITEMS_MAX}",
            param="items",
        )
    by_price: dict[str, ItemTerms] = {}
    for each in items:
        known = by_price.setdefault(each.price_id, each)
        if known is not each:
            raise InvalidRequestError(
                f"Price `{each.price_id}` cannot be added to this subscription because"
                f" an existing Subscription Item `{known.item_id}` is already using"
                " that Price.",
                param="items",
            )
    terms = {(each.interval, each.interval_count) for each in items}
    if mode is BillingMode.CLASSIC and len(terms) > 1:
        raise InvalidRequestError(
            "Currency and interval fields must match across all plans on this"
            " subscription. Found mismatch in interval field.",
            param="items",
        )


def terms_of(price: PriceDefinition) -> RecurringTerms:
    """Return how often a recurring price is billed."""
    assert price.recurring is not None, "it was checked"
    return price.recurring


def _measured_by(price: PriceDefinition) -> str:
    if price.aggregate_usage is not None:
        return "usage records"
    return "no meter" if price.meter_id is None else f"meter {price.meter_id}"
