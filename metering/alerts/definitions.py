"""What an alert is defined as, by the request that creates it."""

from ledger.facts.alerts import (
    Allowance,
    CreationFact,
    CreditAlertCreated,
    Recurrence,
    SpendAlertCreated,
    UsageAlertCreated,
)
from metering.alerts.priced import (
    Priced,
    alertable,
    named_prices,
    spend_by,
    subscribed_prices,
)
from metering.alerts.requests import (
    AlertCreate,
    AlertFilters,
    CreditBalanceThresholdParams,
    PercentOfParams,
    SpendThresholdParams,
    UsageThresholdParams,
)
from metering.arguments.currencies import check_amount
from metering.arguments.refusals import check_only, exclusive, invalid, missing
from projections.meters.catalog import Definitions
from projections.prices.queries import PriceQueries
from projections.test_clocks.clocked import ClockedCustomers


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
        found = _priced(spend, seen, meters.clocked, now)
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
        meter_id=alertable(meters, usage["meter"], f"{path}[meter]"),
        gte=usage["gte"],
        customer=_customer(usage.get("filters")),
        recurrence=recurrence,
        timezone=_timezone(usage.get("timezone"), recurrence, f"{path}[timezone]"),
        percent_of=_allowance(usage.get("percent_of")),
    )


def _priced(
    spend: SpendThresholdParams, seen: PriceQueries, clocked: ClockedCustomers, now: int
) -> Priced:
    """Find the prices that are named, or those of a subscription."""
    path = "spend_threshold"
    if spend.get("subscription") is not None:
        for name in ("prices", "recurrence", "filters", "timezone"):
            if spend.get(name) is not None:
                raise exclusive(f"{path}[{name}]", name, "subscription")
        param = f"{path}[subscription]"
        return subscribed_prices(spend["subscription"], seen, clocked, now, param)
    ids = spend.get("prices")
    if ids is None:
        raise missing(f"{path}[prices]")
    return Priced(
        prices=named_prices(ids, seen, f"{path}[prices]"),
        customer=_customer(spend.get("filters")),
        subscribed=None,
    )


def _on_spend(
    spend: SpendThresholdParams,
    title: str,
    alert_id: str,
    meters: Definitions,
    found: Priced,
) -> SpendAlertCreated:
    path, currency = "spend_threshold", spend["currency"]
    check_amount(spend["gte"], currency, f"{path}[gte]")
    recurrence, timezone = Recurrence.BILLING_PERIOD, None
    if found.subscribed is None:
        recurrence = Recurrence(spend.get("recurrence") or "calendar_month")
        named = spend.get("timezone")
        timezone = _timezone(named, recurrence, f"{path}[timezone]")
    return SpendAlertCreated(
        alert_id=alert_id,
        title=title,
        gte=spend["gte"],
        spend=spend_by(found.prices, currency, meters),
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
        includes_unbilled_usage=bool(credit.get("include_unbilled_usage")),
    )


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
