"""``metering alerts``: watch usage, and see what has triggered."""

from collections.abc import Sequence
from typing import Annotated

import typer

import metering
from metering.alert_resources import RecurrenceName
from metering.cli.documents import print_document
from metering.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    refuse_options_of_the_group,
)
from metering.cli.pages import every
from metering.cli.screens import Column, show, show_pairs, show_table
from metering.cli.stores import find_meter, open_store
from metering.cli.text import moment, number, quantities

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
    """List alerts on usage; or create one, and see what has triggered.

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
        names = {each.id: each.event_name for each in m.meters.list()}
    if json:
        print_document(alerts)
    elif alerts:
        _show_list(alerts, names)
    else:
        show("No alerts; make one with alerts create.")


@alerts_app.command()
def create(  # noqa: PLR0913  # a command's options are its arguments
    *,
    meter: Annotated[str, typer.Option(metavar="METER", help="Its id or event name.")],
    gte: Annotated[
        int, typer.Option(min=1, metavar="N", help="Usage of so much, or more.")
    ],
    title: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="For people; made of the rest if left out."),
    ] = None,
    customer: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only this one; each by itself if left out."),
    ] = None,
    recurrence: Annotated[
        RecurrenceName,
        typer.Option(help="All usage there ever was, or that of a month or day."),
    ] = "one_time",
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Whose months or days; UTC if left out."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Watch the usage on a meter: it triggers at the next event at or above a threshold."""
    with open_store(store) as m:
        found = find_meter(m, meter)
        threshold: dict[str, object] = {
            "gte": gte,
            "meter": found.id,
            "recurrence": recurrence,
        }
        if timezone is not None:
            threshold["timezone"] = timezone
        if customer is not None:
            threshold["filters"] = [{"type": "customer", "customer": customer}]
        alert = m.alerts.create(
            title=f"{found.event_name} at {number(gte)}" if title is None else title,
            usage_threshold=threshold,
        )
    _show_one(alert, found.event_name, json=json)


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
    """Show what has triggered, below each other."""
    show_table(
        [
            Column(title="alert"),
            Column(title="customer"),
            Column(title="usage", is_number=True),
            Column(title="at", is_number=True),
            Column(title="event of (UTC)"),
            Column(title="position", is_number=True),
        ],
        [
            [
                each.alert.title,
                each.customer,
                value,
                number(each.alert.usage_threshold.gte),
                moment(each.timestamp),
                number(each.event_position),
            ]
            for each, value in zip(
                found, quantities([each.value for each in found]), strict=True
            )
        ],
    )


def _change(verb: str, alert_id: str, store: str, *, json: bool) -> None:
    with open_store(store) as m:
        deeds = {
            "activate": m.alerts.activate,
            "deactivate": m.alerts.deactivate,
            "archive": m.alerts.archive,
        }
        alert = deeds[verb](alert_id)
        event_name = m.meters.retrieve(alert.usage_threshold.meter).event_name
    _show_one(alert, event_name, json=json)


def _show_list(alerts: Sequence[metering.Alert], names: dict[str, str]) -> None:
    titles = ["id", "title", "meter", "customer", "recurrence", "status"]
    columns = [Column(title=title) for title in titles]
    columns.insert(3, Column(title="at", is_number=True))
    show_table(
        columns,
        [
            [
                alert.id,
                alert.title,
                names[alert.usage_threshold.meter],
                number(alert.usage_threshold.gte),
                _customer(alert),
                _recurrence(alert),
                alert.status,
            ]
            for alert in alerts
        ],
    )


def _show_one(alert: metering.Alert, event_name: str, *, json: bool) -> None:
    if json:
        print_document(alert)
        return
    show_pairs(
        [
            ("id", alert.id),
            ("title", alert.title),
            ("meter", event_name),
            ("at", number(alert.usage_threshold.gte)),
            ("customer", _customer(alert)),
            ("recurrence", _recurrence(alert)),
            ("status", alert.status),
        ]
    )


def _customer(alert: metering.Alert) -> str:
    filters = alert.usage_threshold.filters
    return "each" if filters is None else filters[0].customer


def _recurrence(alert: metering.Alert) -> str:
    threshold = alert.usage_threshold
    if threshold.timezone is None:
        return threshold.recurrence
    return f"{threshold.recurrence}, {threshold.timezone}"
