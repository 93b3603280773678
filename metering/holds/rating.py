"""Holds given in usage: what it comes to, rated as `Metering.check` rates it."""

from msgspec import structs

from ledger.appending.writing import Writing
from ledger.facts.credits.holds import CreditHoldCreated, HeldUsage
from ledger.usage.quantities import units_from_quantity
from metering.arguments.ids import found_by_id
from metering.arguments.metadata import merge_metadata
from metering.arguments.refusals import exclusive, invalid, missing
from metering.credits.amounts import money_of
from metering.credits.requests import AMOUNT_MAX
from metering.errors import InvalidRequestError
from metering.holds.requests import CreditHoldCreate, CreditHoldSettle
from metering.spending.burn_down import AddedUsage, BurnDown, Present
from metering.spending.spending import metered_by
from metering.spending.weighing import Weighed, check_adds_up, weighed
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries
from projections.kernels.credits.holds import Hold
from projections.prices.queries import PriceQueries


def check_amount_or_usage(asked: CreditHoldCreate) -> None:
    """Check that a hold is given in money or in usage.

    Raises:
        InvalidRequestError: it is given in neither, in both, or by half.
    """
    if asked.meter is None and asked.quantity is None:
        if asked.amount is None:
            raise missing("amount")
        return
    if asked.amount is not None:
        raise exclusive("amount", "amount", "quantity")
    for name in ("meter", "quantity"):
        if getattr(asked, name) is None:
            raise missing(name)
    if not asked.quantity:
        raise invalid("quantity", asked.quantity, "above 0")


def wanted_hold(asked: CreditHoldCreate) -> CreditHoldCreated:
    """Return a hold that is asked for, without what is decided; usage comes to 0.

    Raises:
        InvalidRequestError: an amount is none of its currency.
    """
    amount, currency = 0, ""
    if asked.amount is not None:
        amount, currency = money_of(asked.amount, "amount")
    return CreditHoldCreated(
        hold_id=asked.id,
        customer=asked.customer,
        amount=amount,
        currency=currency,
        price=asked.price,
        partial=asked.partial,
        expires_at=0,
        metadata=merge_metadata({}, asked.metadata or None),
        parts=(),
    )


class HoldRating:
    """Rates usage for holds.

    Args:
        engine: of the store.
        burn_down: the unbilled usage of its customers.
    """

    def __init__(self, engine: Engine, burn_down: BurnDown) -> None:
        self._engine = engine
        self._burn_down = burn_down

    def with_usage(
        self, writing: Writing, asked: CreditHoldCreate, wanted: CreditHoldCreated
    ) -> CreditHoldCreated:
        """Return what is wanted with the usage that it is given as, if it is.

        Raises:
            InvalidRequestError: there is no such meter, or it does not add up.
        """
        if asked.meter is None or asked.quantity is None:
            return wanted
        definitions = self._engine.catalog.read(writing.connection)
        found = metered_by(definitions, asked.meter)
        check_adds_up(found, asked.quantity)
        return structs.replace(wanted, usage=HeldUsage(found.meter_id, asked.quantity))

    def rated(
        self, writing: Writing, seen: CreditQueries, wanted: CreditHoldCreated
    ) -> tuple[CreditHoldCreated, Weighed | None]:
        """Return what is wanted with the amount that its usage comes to, if it is usage.

        Raises:
            InvalidRequestError: more than one price bills it, or none does, or it comes
                to too much.
        """
        if wanted.usage is None:
            return wanted, None
        usage = self._weighed(
            writing, seen, wanted.customer, wanted.usage, wanted.price
        )
        [price_id] = {line.price_id for line, _ in usage.lines}
        rated = structs.replace(
            wanted,
            amount=_amount_of(usage),
            currency=usage.currency,
            price=price_id,
        )
        return rated, usage

    def settlement(
        self,
        writing: Writing,
        seen: CreditQueries,
        hold: Hold,
        asked: CreditHoldSettle,
    ) -> CreditHoldSettle:
        """Return a settlement with the amount that its usage comes to, if it is usage.

        Raises:
            InvalidRequestError: the hold was not given in usage, or as for `rated`.
        """
        if asked.quantity is None:
            return asked
        if hold.usage is None:
            allowed = "left out, as the hold was given an amount; give one"
            raise invalid("quantity", asked.quantity, allowed)
        if not asked.quantity:
            return structs.replace(asked, amount=0)
        definitions = self._engine.catalog.read(writing.connection)
        check_adds_up(metered_by(definitions, hold.usage.meter_id), asked.quantity)
        given = HeldUsage(hold.usage.meter_id, asked.quantity)
        usage = self._weighed(writing, seen, hold.customer, given, hold.price)
        if usage.currency != hold.currency:
            allowed = f"billed in {hold.currency}, as when it was held; give an amount"
            raise invalid("quantity", asked.quantity, allowed)
        return structs.replace(asked, amount=_amount_of(usage))

    def _weighed(
        self,
        writing: Writing,
        seen: CreditQueries,
        customer: str,
        usage: HeldUsage,
        price: str | None,
    ) -> Weighed:
        """Weigh usage that would happen now, of one price."""
        writing.take_in_events()
        definitions = self._engine.known_definitions()
        terms_position = self._engine.log.terms_position
        present = Present(seen, writing.now, terms_position, definitions)
        added = AddedUsage(
            meter_id=usage.meter_id,
            units=units_from_quantity(usage.quantity),
            timestamp=writing.now,
        )
        find, priced = PriceQueries(writing.connection).price, None
        if price is not None:
            priced = found_by_id(find, price, "price", "price")
        found = weighed(self._burn_down, present, customer, added, priced)
        if len({line.price_id for line, _ in found.lines}) > 1:
            raise InvalidRequestError(
                f"Several prices bill usage of customer {customer} on meter"
                f" {usage.meter_id}, and a hold has one; hold an amount",
                code="price_ambiguous",
                param="meter",
            )
        return found


def _amount_of(usage: Weighed) -> int:
    """Return what usage comes to, 0 where more of it is cheaper."""
    if usage.amount > AMOUNT_MAX:
        raise invalid("quantity", usage.amount, f"worth at most {AMOUNT_MAX}")
    return max(usage.amount, 0)
