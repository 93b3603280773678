"""``metering alerts``: watch usage and credits, and see what has triggered."""

from collections.abc import Sequence
from typing import Annotated

import typer

import metering
from metering.alerts.resources import RecurrenceName
from metering.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    refuse_options_of_the_group,
)
from metering.cli.pages import every
from metering.cli.screens.documents import print_document
from metering.cli.screens.money import (
    amount_text,
    money_text,
    option_amount,
    option_currency,
)
from metering.cli.screens.screen import Column, show, show_pairs, show_table
from metering.cli.screens.text import moment, number, quantities
from metering.cli.stores import find_meter, open_store

_AlertArgument = Annotated[str, typer.Argument(metavar="ALERT", help="Its id.")]
_OnlyMeterOption = Annotated[
    str | None,
    typer.Option("--meter", metavar="METER", help="Only those on this meter."),
]

alerts_app = typer.Typer(rich_markup_mode=None)


@alerts_app.callback(invoke_without_command=True)
def alerts_of_a_store(
    ctx: typer.Context,
    *,
    meter: _OnlyMeterOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """List alerts; or create one, and see what has triggered.

    Without a command it does what list does.
    """
    if ctx.invoked_subcommand is not None:
        refuse_options_of_the_group(ctx)
        return
    list_alerts(meter=meter, store=store, json=json)


@alerts_app.command("list")
def list_alerts(
    *,
    meter: _OnlyMeterOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """List the alerts that are not archived, newest first."""
    with open_store(store) as m:
        of_meter = None if meter is None else find_meter(m, meter).id

        def fetch(most: int, after: str | None) -> Sequence[metering.Alert]:
            return m.alerts.list(meter=of_meter, limit=most, starting_after=after)

        alerts = list(every(fetch))
        names = _event_names(m)
    if json:
        print_document(alerts)
    elif alerts:
        _show_list(alerts, names)
    else:
        show("No alerts; make one with alerts create.")


@alerts_app.command()
def create(  # noqa: PLR0913  # a command's options are its arguments
    *,
    meter: Annotated[
        str | None,
        typer.Option(metavar="METER", help="Watch usage: its id or event name."),
    ] = None,
    gte: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Usage of so much, or more.")
    ] = None,
    credits_lte: Annotated[
        str | None,
        typer.Option(metavar="AMOUNT", help="Watch credits: available, or less."),
    ] = None,
    currency: Annotated[
        str | None, typer.Option(metavar="CODE", help="Of the credits, such as usd.")
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="For people; made of the rest if left out."),
    ] = None,
    customer: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only this one; each by itself if left out."),
    ] = None,
    recurrence: Annotated[
        RecurrenceName | None,
        typer.Option(
            help="That of a month or day; all usage there ever was if left out."
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Whose months or days; UTC if left out."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Watch the usage on a meter, or what is available of credits.

    It triggers at the next event with which usage is at the threshold or above it; on
    credits each time that a customer's fall from above it.
    """
    with open_store(store) as m:
        if credits_lte is not None:
            _refuse(meter=meter, gte=gte, recurrence=recurrence, timezone=timezone)
            alert = _create_on_credits(m, credits_lte, currency, customer, title)
        else:
            _refuse(currency=currency)
            if meter is None or gte is None:
                raise typer.BadParameter(
                    "give --meter and --gte, or --credits-lte and --currency"
                )
            found = find_meter(m, meter)
            threshold: dict[str, object] = {
                "gte": gte,
                "meter": found.id,
                "recurrence": recurrence or "one_time",
                "filters": _filters(customer),
                "timezone": timezone,
            }
            name = f"{found.event_name} at {number(gte)}" if title is None else title
            alert = m.alerts.create(title=name, usage_threshold=threshold)
        names = _event_names(m)
    _show_one(alert, names, json=json)


def _create_on_credits(
    m: metering.Metering,
    credits_lte: str,
    currency: str | None,
    customer: str | None,
    title: str | None,
) -> metering.Alert:
    if currency is None:
        raise typer.BadParameter("--credits-lte needs --currency")
    code = option_currency(currency, "--currency")
    lte = option_amount(credits_lte, code, "--credits-lte", least=0)
    return m.alerts.create(
        title=f"Credits at {money_text(lte, code)}" if title is None else title,
        alert_type="credit_balance_threshold",
        credit_balance_threshold={
            "lte": {
                "balance_type": "monetary",
                "monetary": {"currency": code, "value": lte},
            },
            "filters": _filters(customer),
        },
    )


def _filters(customer: str | None) -> list[dict[str, str]]:
    return [] if customer is None else [{"type": "customer", "customer": customer}]


def _refuse(**options: object) -> None:
    """Refuse options that are of the other type of alert."""
    for name, given in options.items():
        if given is not None:
            raise typer.BadParameter(
                f"--{name} is of the other type: give --meter and --gte for usage,"
                " or --credits-lte and --currency"
            )


@alerts_app.command()
def activate(
    alert: _AlertArgument,
    *,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Let an inactive alert trigger again, also for whom it has triggered before."""
    _change("activate", alert, store, json=json)


@alerts_app.command()
def deactivate(
    alert: _AlertArgument,
    *,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Keep an alert from triggering at what is recorded from now on."""
    _change("deactivate", alert, store, json=json)


@alerts_app.command()
def archive(
    alert: _AlertArgument,
    *,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Keep an alert from triggering for ever, and leave it out of lists."""
    _change("archive", alert, store, json=json)


@alerts_app.command()
def triggered(
    *,
    alert: Annotated[
        str | None, typer.Option(metavar="ALERT", help="Only this alert.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only for this customer.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Evaluate the alerts, and show what has triggered, oldest first."""
    with open_store(store) as m:
        m.catch_up()
        found = m.alerts.triggered(alert, customer)
    if json:
        print_document(found)
    elif found:
        show_triggered(found)
    else:
        show("Nothing has triggered.")


def show_triggered(found: Sequence[metering.AlertTriggered]) -> None:
    """Show what has triggered, below each other: first by usage, then by credits."""
    of_usage = [each for each in found if each.alert.usage_threshold is not None]
    of_credits = [each for each in found if each.alert.usage_threshold is None]
    if of_usage:
        values = quantities([each.value for each in of_usage])
        _show_triggers("usage", "event of (UTC)", of_usage, values)
    if of_credits:
        values = [_credits_text(each) for each in of_credits]
        _show_triggers("credits", "since (UTC)", of_credits, values)


def _show_triggers(
    what: str,
    when: str,
    found: Sequence[metering.AlertTriggered],
    values: Sequence[str],
) -> None:
    show_table(
        [
            Column(title="alert"),
            Column(title="customer"),
            Column(title=what, is_number=True),
            Column(title="at", is_number=True),
            Column(title=when),
            Column(title="position", is_number=True),
        ],
        [
            [
                each.alert.title,
                each.customer,
                value,
                _threshold(each.alert),
                moment(each.timestamp),
                "" if each.event_position is None else number(each.event_position),
            ]
            for each, value in zip(found, values, strict=True)
        ],
    )


def _credits_text(found: metering.AlertTriggered) -> str:
    threshold = found.alert.credit_balance_threshold
    assert threshold is not None, "it is an alert on credits"
    return amount_text(int(found.value), threshold.lte.monetary.currency)


def _change(verb: str, alert_id: str, store: str, *, json: bool) -> None:
    with open_store(store) as m:
        deeds = {
            "activate": m.alerts.activate,
            "deactivate": m.alerts.deactivate,
            "archive": m.alerts.archive,
        }
        alert = deeds[verb](alert_id)
        names = _event_names(m)
    _show_one(alert, names, json=json)


def _event_names(m: metering.Metering) -> dict[str, str]:
    return {each.id: each.event_name for each in m.meters.list()}


def _show_list(alerts: Sequence[metering.Alert], names: dict[str, str]) -> None:
    titles = ["id", "title", "of", "customer", "recurrence", "status"]
    columns = [Column(title=title) for title in titles]
    columns.insert(3, Column(title="at", is_number=True))
    show_table(
        columns,
        [
            [
                alert.id,
                alert.title,
                _watched(alert, names),
                _threshold(alert),
                _customer(alert),
                _recurrence(alert),
                alert.status,
            ]
            for alert in alerts
        ],
    )


def _show_one(alert: metering.Alert, names: dict[str, str], *, json: bool) -> None:
    if json:
        print_document(alert)
        return
    show_pairs(
        [
            ("id", alert.id),
            ("title", alert.title),
            ("of", _watched(alert, names)),
            ("at", _threshold(alert)),
            ("customer", _customer(alert)),
            ("recurrence", _recurrence(alert)),
            ("status", alert.status),
        ]
    )


def _watched(alert: metering.Alert, names: dict[str, str]) -> str:
    usage = alert.usage_threshold
    return "credits" if usage is None else names[usage.meter]


def _threshold(alert: metering.Alert) -> str:
    if alert.usage_threshold is not None:
        return number(alert.usage_threshold.gte)
    assert alert.credit_balance_threshold is not None, "it has one of the two"
    money = alert.credit_balance_threshold.lte.monetary
    return money_text(money.value, money.currency)


def _customer(alert: metering.Alert) -> str:
    threshold = alert.usage_threshold or alert.credit_balance_threshold
    assert threshold is not None, "it has one of the two"
    filters = threshold.filters
    return "each" if filters is None else filters[0].customer


def _recurrence(alert: metering.Alert) -> str:
    threshold = alert.usage_threshold
    if threshold is None:
        return "each fall"
    if threshold.timezone is None:
        return threshold.recurrence
    return f"{threshold.recurrence}, {threshold.timezone}"
