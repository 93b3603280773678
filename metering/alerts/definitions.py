"""What an alert is defined as, by the request that creates it."""

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.facts.alerts import (
    Allowance,
    CreationFact,
    CreditAlertCreated,
    Recurrence,
    Spend,
    SpendAlertCreated,
    SpentPrice,
    SubscribedPeriods,
    UsageAlertCreated,
)
from ledger.facts.meters import Formula
from ledger.facts.subscriptions import PhaseKind
from metering.alerts.requests import (
    AlertCreate,
    AlertFilters,
    CreditBalanceThresholdParams,
    PercentOfParams,
    SpendThresholdParams,
    UsageThresholdParams,
)
from metering.arguments.currencies import check_amount
from metering.arguments.ids import found_by_id
from metering.arguments.refusals import check_only, exclusive, invalid, missing
from metering.errors import InvalidRequestError
from metering.meters.meters import meter_of
from metering.subscriptions.writing import subscription_of
from projections.kernels.prices import PriceDefinition
from projections.meters.catalog import Definitions
from projections.prices.queries import PriceQueries
from projections.subscriptions.queries import SubscriptionQueries

_ALERTABLE = (Formula.SUM, Formula.COUNT, Formula.LAST)


def alert_definition(
    asked: AlertCreate,
    alert_id: str,
    meters: Definitions,
    seen: PriceQueries,
    now: int,
) -> CreationFact:
    """Return the fact that creates an alert, given the time of its recording.

    Raises:
        ResourceMissingError: there is no such meter, price or subscription.
        InvalidRequestError: it has not the threshold of its type alone, or none that
            can be watched.
    """
    usage, spend = asked.usage_threshold, asked.spend_threshold
    credit = asked.credit_balance_threshold
    check_only(
        asked.alert_type,
        {
            "usage_threshold": usage,
            "spend_threshold": spend,
            "credit_balance_threshold": credit,
        },
    )
    if usage is not None:
        return _on_usage(usage, asked.title, alert_id, meters)
    if spend is not None:
        found = _priced(spend, seen, now)
        return _on_spend(spend, asked.title, alert_id, meters, found)
    assert credit is not None, "one of the three is given"
    return _on_credits(credit, asked.title, alert_id)


def _on_usage(
    usage: UsageThresholdParams, title: str, alert_id: str, meters: Definitions
) -> UsageAlertCreated:
    recurrence = Recurrence(usage["recurrence"])
    path = "usage_threshold"
    return UsageAlertCreated(
        alert_id=alert_id,
        title=title,
        meter_id=_alertable(meters, usage["meter"], f"{path}[meter]"),
        gte=usage["gte"],
        customer=_customer(usage.get("filters")),
        recurrence=recurrence,
        timezone=_timezone(usage.get("timezone"), recurrence, f"{path}[timezone]"),
        percent_of=_allowance(usage.get("percent_of")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Priced:
    """What a threshold on spend is about.

    Attributes:
        prices: each with the parameter that names it.
        customer: None is each.
        subscribed: the billing periods; None where windows of a calendar count.
    """

    prices: Mapping[str, PriceDefinition]
    customer: str | None
    subscribed: SubscribedPeriods | None


def _priced(spend: SpendThresholdParams, seen: PriceQueries, now: int) -> _Priced:
    """Find the prices that are named, or those of a subscription."""
    path = "spend_threshold"
    if spend.get("subscription") is not None:
        for name in ("prices", "recurrence", "filters", "timezone"):
            if spend.get(name) is not None:
                raise exclusive(f"{path}[{name}]", name, "subscription")
        return _subscribed(spend, seen, now)
    ids = spend.get("prices")
    if ids is None:
        raise missing(f"{path}[prices]")
    known: dict[str, PriceDefinition] = {}
    for number, price_id in enumerate(ids):
        param = f"{path}[prices][{number}]"
        price = found_by_id(seen.price, price_id, "price", param)
        if price in known.values():
            raise invalid(param, price_id, "another price than those before it")
        if price.meter_id is None:
            raise invalid(param, price_id, "a metered price")
        known[param] = price
    return _Priced(
        prices=known, customer=_customer(spend.get("filters")), subscribed=None
    )


def _subscribed(spend: SpendThresholdParams, seen: PriceQueries, now: int) -> _Priced:
    """Find the metered prices of a subscription, and its periods as they are now."""
    param = "spend_threshold[subscription]"
    subscription = subscription_of(
        SubscriptionQueries(seen.connection), spend["subscription"], param
    )
    subscription_id, phase = subscription.subscription_id, subscription.phases[-1]
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
    return _Priced(
        prices=metered,
        customer=subscription.customer,
        subscribed=SubscribedPeriods(
            subscription_id=subscription_id,
            since=phase.since,
            anchor=phase.anchor,
            interval=interval,
            interval_count=interval_count,
        ),
    )


def _on_spend(
    spend: SpendThresholdParams,
    title: str,
    alert_id: str,
    meters: Definitions,
    found: _Priced,
) -> SpendAlertCreated:
    path, currency = "spend_threshold", spend["currency"]
    check_amount(spend["gte"], currency, f"{path}[gte]")
    prices = []
    for param, price in found.prices.items():
        amounts = price.amounts.get(currency)
        if amounts is None:
            raise invalid(param, price.price_id, f"a price in {currency}")
        assert price.meter_id is not None, "it is metered"
        prices.append(
            SpentPrice(
                price_id=price.price_id,
                meter_id=_alertable(meters, price.meter_id, param),
                amounts=amounts,
                tiers_mode=price.tiers_mode,
                package=price.package,
            )
        )
    recurrence, timezone = Recurrence.BILLING_PERIOD, None
    if found.subscribed is None:
        recurrence = Recurrence(spend.get("recurrence") or "calendar_month")
        named = spend.get("timezone")
        timezone = _timezone(named, recurrence, f"{path}[timezone]")
    return SpendAlertCreated(
        alert_id=alert_id,
        title=title,
        gte=spend["gte"],
        spend=Spend(currency=currency, prices=tuple(prices)),
        customer=found.customer,
        recurrence=recurrence,
        timezone=timezone,
        subscribed=found.subscribed,
    )


def _on_credits(
    credit: CreditBalanceThresholdParams, title: str, alert_id: str
) -> CreditAlertCreated:
    money = credit["lte"]["monetary"]
    param = "credit_balance_threshold[lte][monetary][value]"
    check_amount(money["value"], money["currency"], param)
    return CreditAlertCreated(
        alert_id=alert_id,
        title=title,
        lte=money["value"],
        currency=money["currency"],
        customer=_customer(credit.get("filters")),
    )


def _alertable(meters: Definitions, meter_id: str, param: str) -> str:
    meter = meter_of(meters, meter_id, param)
    if meter.formula not in _ALERTABLE:
        allowed = ", ".join(each.value for each in _ALERTABLE)
        raise InvalidRequestError(
            f"Alerts cannot watch meter {meter_id}, whose formula is"
            f" {meter.formula.value}; must be one of {allowed}",
            code="meter_formula_unsupported",
            param=param,
        )
    return meter_id


def _customer(filters: AlertFilters | None) -> str | None:
    return filters[0]["customer"] if filters else None


def _allowance(given: PercentOfParams | None) -> Allowance | None:
    """Return how much customers may use, which must be something."""
    if given is None:
        return None
    path = "usage_threshold[percent_of]"
    quantity, customers = given.get("quantity"), given.get("customers") or {}
    if quantity is None and not customers:
        raise missing(f"{path}[quantity]")
    paths = {f"{path}[customers][{name}]": each for name, each in customers.items()}
    for param, each in {f"{path}[quantity]": quantity, **paths}.items():
        if each is not None and not each:
            raise invalid(param, "0", "more than 0")
    return Allowance(quantity=quantity, customers=dict(customers))


def _timezone(name: str | None, recurrence: Recurrence, param: str) -> str | None:
    if recurrence is not Recurrence.ONE_TIME:
        return name or "UTC"
    if name is not None:
        allowed = "left out where recurrence is one_time"
        raise invalid(param, name, allowed)
    return None
