"""What an alert is defined as, by the request that creates it."""

from ledger.facts.alerts import (
    Allowance,
    CreationFact,
    CreditAlertCreated,
    Recurrence,
    Spend,
    SpendAlertCreated,
    SpentPrice,
    UsageAlertCreated,
)
from ledger.facts.meters import Formula
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
from metering.arguments.refusals import check_only, invalid, missing
from metering.errors import InvalidRequestError
from metering.meters.meters import meter_of
from projections.meters.catalog import Definitions
from projections.prices.queries import PriceQueries

_ALERTABLE = (Formula.SUM, Formula.COUNT, Formula.LAST)


def alert_definition(
    asked: AlertCreate, alert_id: str, meters: Definitions, prices: PriceQueries
) -> CreationFact:
    """Return the fact that creates an alert.

    Raises:
        ResourceMissingError: there is no such meter or price.
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
        return _on_spend(spend, asked.title, alert_id, meters, prices)
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


def _on_spend(
    spend: SpendThresholdParams,
    title: str,
    alert_id: str,
    meters: Definitions,
    prices: PriceQueries,
) -> SpendAlertCreated:
    path, currency = "spend_threshold", spend["currency"]
    check_amount(spend["gte"], currency, f"{path}[gte]")
    recurrence = Recurrence(spend.get("recurrence") or "calendar_month")
    known: dict[str, SpentPrice] = {}
    for number, price_id in enumerate(spend["prices"]):
        param = f"{path}[prices][{number}]"
        price = found_by_id(prices.price, price_id, "price", param)
        if price_id in known:
            raise invalid(param, price_id, "another price than those before it")
        if price.meter_id is None:
            raise invalid(param, price_id, "a metered price")
        amounts = price.amounts.get(currency)
        if amounts is None:
            raise invalid(param, price_id, f"a price in {currency}")
        known[price_id] = SpentPrice(
            price_id=price_id,
            meter_id=_alertable(meters, price.meter_id, param),
            amounts=amounts,
            tiers_mode=price.tiers_mode,
            package=price.package,
        )
    return SpendAlertCreated(
        alert_id=alert_id,
        title=title,
        gte=spend["gte"],
        spend=Spend(currency=currency, prices=tuple(known.values())),
        customer=_customer(spend.get("filters")),
        recurrence=recurrence,
        timezone=_timezone(spend.get("timezone"), recurrence, f"{path}[timezone]"),
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
