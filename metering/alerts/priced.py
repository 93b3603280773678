"""Prices of which is watched, or limited, what usage costs by them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.facts.alerts import Spend, SpentPrice, SubscribedPeriods
from ledger.facts.meters import Formula
from ledger.facts.subscriptions import PhaseKind
from metering.arguments.ids import found_by_id
from metering.arguments.refusals import invalid
from metering.errors import InvalidRequestError
from metering.meters.meters import meter_of
from metering.subscriptions.writing import subscription_of
from projections.kernels.prices import PriceDefinition
from projections.meters.catalog import Definitions
from projections.prices.queries import PriceQueries
from projections.subscriptions.queries import SubscriptionQueries
from projections.test_clocks.clocked import ClockedCustomers

ALERTABLE = (Formula.SUM, Formula.COUNT, Formula.LAST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What spending is about.

    Attributes:
        prices: metered ones, each with the parameter that names it.
        customer: None is each.
        subscribed: the billing periods; None where windows of a calendar count.
    """

    prices: Mapping[str, PriceDefinition]
    customer: str | None
    subscribed: SubscribedPeriods | None


def named_prices(
    ids: Sequence[str], seen: PriceQueries, path: str
) -> dict[str, PriceDefinition]:
    """Return the metered prices that a parameter names.

    Raises:
        ResourceMissingError: there is no such price.
        InvalidRequestError: one is named twice, or is not metered.
    """
    known: dict[str, PriceDefinition] = {}
    for number, price_id in enumerate(ids):
        param = f"{path}[{number}]"
        price = found_by_id(seen.price, price_id, "price", param)
        if price in known.values():
            raise invalid(param, price_id, "another price than those before it")
        if price.meter_id is None:
            raise invalid(param, price_id, "a metered price")
        known[param] = price
    return known


def subscribed_prices(
    subscription_id: object,
    seen: PriceQueries,
    clocked: ClockedCustomers,
    now: int,
    param: str,
) -> Priced:
    """Return the metered prices of a subscription, and its periods as they are now.

    Now is what the test clock of its customer shows, if there is one.

    Raises:
        ResourceMissingError: there is no such subscription.
        InvalidRequestError: it has ended, is paused, or has no one billing period.
    """
    subscription = subscription_of(
        SubscriptionQueries(seen.connection), subscription_id, param
    )
    now, phase = clocked.now_of(subscription.customer, now), subscription.phases[-1]
    if subscription.is_ended(now) or phase.kind is not PhaseKind.ACTIVE:
        allowed = "a subscription that is neither ended nor paused"
        raise invalid(param, subscription_id, allowed)
    items = [each.price for each in subscription.items_at(now)]
    prices = seen.prices_named({each.price_id for each in items})
    metered = {
        f"{param}[{each.price_id}]": prices[each.price_id]
        for each in items
        if each.quantity is None
    }
    terms = {each.terms for each in items if each.quantity is None}
    if len(terms) != 1:
        allowed = "a subscription whose metered prices have one interval"
        raise invalid(param, subscription_id, allowed)
    [(interval, interval_count)] = terms
    return Priced(
        prices=metered,
        customer=subscription.customer,
        subscribed=SubscribedPeriods(
            subscription_id=subscription.subscription_id,
            since=phase.since,
            anchor=phase.anchor,
            interval=interval,
            interval_count=interval_count,
        ),
    )


def spend_by(
    prices: Mapping[str, PriceDefinition], currency: str, meters: Definitions
) -> Spend:
    """Return what usage is rated by in a currency: the prices as they are now.

    Args:
        prices: metered ones, each with the parameter that names it.
        currency: of the amounts.
        meters: as they are.

    Raises:
        InvalidRequestError: a price has no amounts in the currency, or its meter has a
            formula that cannot be watched.
    """
    spent = []
    for param, price in prices.items():
        amounts = price.amounts.get(currency)
        if amounts is None:
            raise invalid(param, price.price_id, f"a price in {currency}")
        assert price.meter_id is not None, "it is metered"
        spent.append(
            SpentPrice(
                price_id=price.price_id,
                meter_id=alertable(meters, price.meter_id, param),
                amounts=amounts,
                tiers_mode=price.tiers_mode,
                package=price.package,
            )
        )
    return Spend(currency=currency, prices=tuple(spent))


def alertable(meters: Definitions, meter_id: str, param: str) -> str:
    """Return the id of a meter that can be watched.

    Raises:
        ResourceMissingError: there is no such meter.
        InvalidRequestError: its usage has no one amount at an event.
    """
    meter = meter_of(meters, meter_id, param)
    if meter.formula not in ALERTABLE:
        allowed = ", ".join(each.value for each in ALERTABLE)
        raise InvalidRequestError(
            f"Alerts cannot watch meter {meter_id}, whose formula is"
            f" {meter.formula.value}; must be one of {allowed}",
            code="meter_formula_unsupported",
            param=param,
        )
    return meter_id
