"""``metering events``: list what was recorded, and cancel some of it."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

import typer

import metering
from metering.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    option_time,
    refuse_options_of_the_group,
)
from metering.cli.screens.documents import print_document, print_line
from metering.cli.screens.screen import Column, show, show_table
from metering.cli.screens.text import second
from metering.cli.stores import find_meter, open_store

_ROWS_OF_A_TABLE = 20

_LimitOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help=f"At most so many; {_ROWS_OF_A_TABLE} in a table and all in JSON if left"
        " out.",
    ),
]

events_app = typer.Typer(rich_markup_mode=None)


@events_app.callback(invoke_without_command=True)
def list_events(  # noqa: PLR0913  # a command's options are its arguments
    ctx: typer.Context,
    *,
    event_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those of this name.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option(metavar="CUSTOMER", help="Only those of this one.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only those at this time or later."),
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only those before this time.")
    ] = None,
    limit: _LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """List events as they were recorded; or cancel one.

    Times are ISO 8601, in UTC unless they say otherwise, or whole seconds since 1970.
    With --json every event is a line of its own.
    """
    if ctx.invoked_subcommand is not None:
        refuse_options_of_the_group(ctx)
        return
    with open_store(store) as m:
        if event_name is not None:
            event_name = find_meter(m, event_name).event_name
        events = m.meter_events.list(
            event_name=event_name,
            customer=customer,
            start_time=None if start is None else option_time(start, "--start"),
            end_time=None if end is None else option_time(end, "--end"),
        )
        if json:
            for event in islice(events, limit):
                print_line(event)
        else:
            _show(events, m.meters.list(), limit or _ROWS_OF_A_TABLE)


@events_app.command()
def cancel(
    event_name: Annotated[str, typer.Argument(metavar="EVENT_NAME", help="Its name.")],
    identifier: Annotated[
        str, typer.Argument(metavar="IDENTIFIER", help="Its identifier.")
    ],
    *,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Cancel an event: no summary counts it any more. Doing it again is fine."""
    with open_store(store) as m:
        adjustment = m.meter_event_adjustments.create(
            event_name=event_name, type="cancel", cancel={"identifier": identifier}
        )
    if json:
        print_document(adjustment)
    else:
        show(f"Cancelled {identifier} of {event_name}")


def _show(
    events: Iterator[metering.MeterEvent], meters: list[metering.Meter], limit: int
) -> None:
    shown = list(islice(events, limit))
    if not shown:
        show("No events.")
        return
    by_name = {meter.event_name: meter for meter in meters}
    has_cancelled = any(event.cancelled for event in shown)
    note = [Column(title="", style="red")] if has_cancelled else []
    show_table(
        [
            Column(title="time (UTC)"),
            Column(title="event name"),
            Column(title="customer"),
            Column(title="value", is_number=True),
            Column(title="identifier"),
            *note,
        ],
        [_cells(event, by_name[event.event_name]) for event in shown],
    )
    if next(events, None) is not None:
        show(f"There are more than {limit}; --limit shows others.", style="dim")


def _cells(event: metering.MeterEvent, meter: metering.Meter) -> tuple[str, ...]:
    value_key = meter.value_settings.event_payload_key
    cells = (
        second(event.timestamp),
        event.event_name,
        event.payload[meter.customer_mapping.event_payload_key],
        event.payload.get(value_key, ""),
        event.identifier,
    )
    return (*cells, "cancelled") if event.cancelled else cells
