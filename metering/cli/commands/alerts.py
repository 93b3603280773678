"""``metering alerts``: watch usage and credits, and see what has triggered."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

import metering
from metering.alerts.requests import (
    GTE_MAX,
    AlertCreate,
    AlertFilterParams,
    AlertList,
    MoneyLeftParams,
    UsageThresholdParams,
)
from metering.alerts.resources import RecurrenceName
from metering.arguments.kinds import DecimalKind
from metering.arguments.pages import LIMIT_MAX
from metering.arguments.schema import field_at
from metering.cli.commands.prices.prices import find_price
from metering.cli.options import FieldOption, OnlyCustomerOption, argument, option
from metering.cli.resource import Listing, Resource
from metering.cli.screens.money import money_text, option_amount
from metering.cli.screens.screen import Cell, Column
from metering.cli.screens.text import number
from metering.cli.targets import find_meter


def _details(m: metering.Metering, alert: metering.Alert) -> list[tuple[str, Cell]]:
    return [(column.title, column.value(alert)) for column in _columns(m)]


ALERTS = Resource(
    details=_details,
    argument=Annotated[str, argument("ALERT", "Its id.")],
    calls=lambda m: m.alerts,
)


@ALERTS.lists
def alerts(
    m: metering.Metering,
    *,
    meter: Annotated[str | None, FieldOption(AlertList)],
) -> Listing[metering.Alert]:
    """List alerts that are not archived; or create one, and see what has triggered."""
    of_meter = None if meter is None else find_meter(m, meter).id
    return Listing(
        m.alerts.list(meter=of_meter, limit=LIMIT_MAX).auto_paging_iter(),
        lambda _: _columns(m),
        none="No alerts; make one with alerts create.",
    )


@ALERTS.command()
def create(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    *,
    meter: Annotated[
        str | None, option("METER", "Watch usage: the meter's id or event name.")
    ] = None,
    gte: Annotated[int | None, FieldOption(UsageThresholdParams, metavar="N")] = None,
    spend_gte: Annotated[
        str | None,
        option("AMOUNT", "Watch spend: usage that costs AMOUNT or more by --price."),
    ] = None,
    price: Annotated[
        list[str] | None,
        option(
            "PRICE",
            "What usage costs: a metered price's id or lookup key. May be repeated.",
        ),
    ] = None,
    subscription: Annotated[
        str | None,
        option(
            "SUBSCRIPTION", "Whose prices and billing periods count for --spend-gte."
        ),
    ] = None,
    credits_lte: Annotated[
        str | None,
        option("AMOUNT", "Watch credits: available credits of AMOUNT or less."),
    ] = None,
    unbilled: Annotated[
        bool,
        typer.Option(
            "--unbilled", help="Of --credits-lte: watch what unbilled usage leaves."
        ),
    ] = False,
    currency: Annotated[
        str | None, FieldOption(MoneyLeftParams, metavar="CODE")
    ] = None,
    title: Annotated[
        str | None, FieldOption(AlertCreate, more="Made of the rest if left out.")
    ] = None,
    customer: Annotated[str | None, FieldOption(AlertFilterParams)] = None,
    recurrence: Annotated[
        RecurrenceName | None, FieldOption(UsageThresholdParams)
    ] = None,
    timezone: Annotated[str | None, FieldOption(UsageThresholdParams, metavar="ZONE")],
    percent_of: Annotated[
        list[str] | None,
        option(
            "QUANTITY",
            "What each customer may use, of which --gte is a percentage; or"
            " CUSTOMER=QUANTITY for one. May be repeated.",
        ),
    ] = None,
) -> metering.Alert:
    """Watch the usage on a meter, what usage costs, or available credits.

    An alert on usage triggers once for each customer, at the event with which usage
    reaches the threshold, and one on spend once a calendar month. One on credits triggers each time that a customer's credits
    fall to the threshold, by invoices and by time; with --unbilled, by usage as well.
    """
    filters: list[metering.AlertFilterParams] = []
    if customer:
        filters = [{"type": "customer", "customer": customer}]
    if credits_lte is not None:
        _refuse(
            meter=meter,
            gte=gte,
            recurrence=recurrence,
            timezone=timezone,
            percent_of=percent_of,
            spend_gte=spend_gte,
            price=price,
            subscription=subscription,
        )
        if currency is None:
            raise typer.BadParameter("--credits-lte needs --currency")
        within = field_at(MoneyLeftParams, "value").kind
        lte = option_amount(credits_lte, currency, "--credits-lte", within)
        money: metering.CreditBalanceLimitParams = {
            "balance_type": "monetary",
            "monetary": {"currency": currency, "value": lte},
        }
        return m.alerts.create(
            title=f"Credits at {money_text(lte, currency)}" if title is None else title,
            alert_type="credit_balance_threshold",
            credit_balance_threshold={
                "lte": money,
                "filters": filters,
                "include_unbilled_usage": unbilled,
            },
        )
    _refuse(unbilled=unbilled or None)
    if spend_gte is not None:
        _refuse(meter=meter, gte=gte, percent_of=percent_of)
        if currency is None or (price is None and subscription is None):
            message = "--spend-gte needs --currency, and --price or --subscription"
            raise typer.BadParameter(message)
        within = field_at(MoneyLeftParams, "value").kind
        least = option_amount(spend_gte, currency, "--spend-gte", within)
        return m.alerts.create(
            title=f"Spend at {money_text(least, currency)}" if title is None else title,
            alert_type="spend_threshold",
            spend_threshold={
                "gte": least,
                "currency": currency,
                "prices": price and [find_price(m, each) for each in price],
                "subscription": subscription,
                "recurrence": recurrence,
                "filters": filters or None,
                "timezone": timezone,
            },
        )
    _refuse(currency=currency, price=price, subscription=subscription)
    if meter is None or gte is None:
        raise typer.BadParameter(f"give {_TYPES}")
    found = find_meter(m, meter)
    percent = " %" if percent_of else ""
    named = f"{found.event_name} at {number(gte)}{percent}"
    return m.alerts.create(
        title=named if title is None else title,
        usage_threshold={
            "gte": gte,
            "meter": found.id,
            "recurrence": recurrence or "one_time",
            "filters": filters,
            "timezone": timezone,
            "percent_of": _allowed(percent_of) if percent_of else None,
        },
    )


def _allowed(given: list[str]) -> metering.PercentOfParams:
    """Read quantities, of customers that are named before ``=`` or of the others."""
    allowed: dict[str, Decimal] = {}
    for each in given:
        customer, _, quantity = each.rpartition("=")
        if customer in allowed:
            whose = f"of {customer}" if customer else "without a customer"
            raise typer.BadParameter(f"--percent-of {whose} is there twice")
        allowed[customer] = DecimalKind(least=0, most=GTE_MAX).read(
            quantity, "--percent-of"
        )
    return {"quantity": allowed.pop("", None), "customers": allowed}


ALERTS.actions(
    retrieve="Show an alert.",
    activate="Let an inactive alert trigger again, also for customers it has triggered for.",
    deactivate="Keep an alert from triggering at what is recorded from now on.",
    archive="Keep an alert from triggering for ever, and leave it out of lists.",
)


@ALERTS.command(lists=True)
def triggered(
    m: metering.Metering,
    *,
    alert: Annotated[str | None, option("ALERT", "Only this alert.")] = None,
    customer: OnlyCustomerOption,
) -> Listing[metering.AlertTriggered]:
    """Evaluate the alerts, and list what has triggered, oldest first.

    The event at a position counted when it was recorded; it may have been cancelled
    since, even before the alert was evaluated.
    """
    m.catch_up()
    found = m.alerts.triggered(alert, customer)
    none = "Nothing has triggered."
    return Listing(found, lambda _: triggered_columns(), none=none)


def triggered_columns() -> list[Column[metering.AlertTriggered]]:
    """Return the columns of what has triggered."""
    return [
        Column("alert", lambda each: each.alert.title),
        Column("customer", lambda each: each.customer),
        Column("value", _value),
        Column("at", lambda each: _threshold(each.alert), is_number=True),
        Column("since (UTC)", lambda each: each.timestamp),
        Column("position", lambda each: each.event_position),
    ]


_TYPES = (
    "--meter and --gte for usage, --spend-gte, --currency and --price or --subscription"
    " for what it costs,"
    " or --credits-lte and --currency"
)


def _refuse(**options: object) -> None:
    """Refuse options of other types of alerts."""
    for name, given in options.items():
        if given is not None:
            given_as = name.replace("_", "-")
            raise typer.BadParameter(f"--{given_as} is of another type: give {_TYPES}")


def _columns(m: metering.Metering) -> list[Column[metering.Alert]]:
    event_names = {each.id: each.event_name for each in m.meters.list()}

    def watched(alert: metering.Alert) -> str:
        if alert.usage_threshold is not None:
            return event_names[alert.usage_threshold.meter]
        if alert.spend_threshold is not None:
            return "spend"
        credit = alert.credit_balance_threshold
        assert credit is not None, "it has one of the three"
        return "unbilled" if credit.include_unbilled_usage else "credits"

    return [
        Column("id", lambda alert: alert.id),
        Column("title", lambda alert: alert.title),
        Column("of", watched),
        Column("at", _threshold, is_number=True),
        Column("customer", _customer),
        Column("recurrence", _recurrence),
        Column("status", lambda alert: alert.status),
    ]


def _value(found: metering.AlertTriggered) -> Cell:
    currency = _currency(found.alert)
    return found.value if currency is None else money_text(int(found.value), currency)


def _currency(alert: metering.Alert) -> str | None:
    """Return the currency of an alert on money; None of one on usage."""
    if alert.spend_threshold is not None:
        return alert.spend_threshold.currency
    credit = alert.credit_balance_threshold
    return None if credit is None else credit.lte.monetary.currency


def _threshold(alert: metering.Alert) -> str:
    if alert.usage_threshold is not None:
        percent = " %" if alert.usage_threshold.percent_of else ""
        return number(alert.usage_threshold.gte) + percent
    if alert.spend_threshold is not None:
        return money_text(alert.spend_threshold.gte, alert.spend_threshold.currency)
    assert alert.credit_balance_threshold is not None, "it has one of the three"
    money = alert.credit_balance_threshold.lte.monetary
    return money_text(money.value, money.currency)


def _customer(alert: metering.Alert) -> str:
    threshold = (
        alert.usage_threshold or alert.spend_threshold or alert.credit_balance_threshold
    )
    assert threshold is not None, "it has one of the three"
    return "each" if threshold.filters is None else threshold.filters[0].customer


def _recurrence(alert: metering.Alert) -> str:
    threshold = alert.usage_threshold or alert.spend_threshold
    if threshold is None:
        return "each fall"
    if threshold.timezone is None:
        return threshold.recurrence
    return f"{threshold.recurrence}, {threshold.timezone}"


group = ALERTS.group
