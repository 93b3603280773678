"""``metering meters``: list the meters, create and change them."""

from typing import Annotated, Literal

import typer

import metering
from metering.arguments.words import FormulaName
from metering.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    refuse_options_of_the_group,
)
from metering.cli.screens.documents import print_document
from metering.cli.screens.screen import Column, show, show_pairs, show_table
from metering.cli.screens.text import moment
from metering.cli.stores import create_store, find_meter, open_store

CUSTOMER_KEY = "stripe_customer_id"
VALUE_KEY = "value"

meters_app = typer.Typer(rich_markup_mode=None)

_MeterArgument = Annotated[
    str, typer.Argument(metavar="METER", help="Its id or event name.")
]


@meters_app.callback(invoke_without_command=True)
def list_meters(
    ctx: typer.Context, *, store: StoreOption = DEFAULT_STORE, json: JsonOption = False
) -> None:
    """List the meters; or create one and change it."""
    if ctx.invoked_subcommand is not None:
        refuse_options_of_the_group(ctx)
        return
    with open_store(store) as m:
        meters = m.meters.list()
    if json:
        print_document(meters)
    elif meters:
        _show_list(meters)
    else:
        show("No meters; make one with meters create.")


@meters_app.command()
def create(  # noqa: PLR0913  # a command's options are its arguments
    *,
    event_name: Annotated[
        str, typer.Option(metavar="NAME", help="The events that it measures.")
    ],
    formula: Annotated[FormulaName, typer.Option(help="How values become one number.")],
    display_name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="For people; the event name if left out."),
    ] = None,
    customer_key: Annotated[
        str, typer.Option(metavar="KEY", help="Payload key of the customer.")
    ] = CUSTOMER_KEY,
    value_key: Annotated[
        str, typer.Option(metavar="KEY", help="Payload key of the value.")
    ] = VALUE_KEY,
    window: Annotated[
        Literal["hour", "day"] | None,
        typer.Option(
            help="Count only the last event of each customer and UTC hour or day."
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Create a meter, and the store if there is none."""
    with create_store(store) as m:
        meter = m.meters.create(
            display_name=event_name if display_name is None else display_name,
            event_name=event_name,
            default_aggregation={"formula": formula},
            customer_mapping={"event_payload_key": customer_key, "type": "by_id"},
            value_settings={"event_payload_key": value_key},
            event_time_window=window,
        )
    _show_one(meter, json=json)


@meters_app.command()
def update(
    meter: _MeterArgument,
    *,
    display_name: Annotated[str, typer.Option(metavar="TEXT", help="For people.")],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Give a meter another display name; nothing else of it can change."""
    with open_store(store) as m:
        changed = m.meters.update(find_meter(m, meter).id, display_name=display_name)
    _show_one(changed, json=json)


@meters_app.command()
def deactivate(
    meter: _MeterArgument,
    *,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Stop a meter from taking events; what it has taken stays."""
    with open_store(store) as m:
        changed = m.meters.deactivate(find_meter(m, meter).id)
    _show_one(changed, json=json)


@meters_app.command()
def reactivate(
    meter: _MeterArgument,
    *,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Let an inactive meter take events again."""
    with open_store(store) as m:
        changed = m.meters.reactivate(find_meter(m, meter).id)
    _show_one(changed, json=json)


def _show_list(meters: list[metering.Meter]) -> None:
    titles = ["event name", "display name", "formula", "status"]
    rows = [
        [meter.event_name, meter.display_name, _formula(meter), meter.status]
        for meter in meters
    ]
    keys = [_keys(meter) for meter in meters]
    if any(pair != (CUSTOMER_KEY, VALUE_KEY) for pair in keys):
        titles += ["customer key", "value key"]
        rows = [[*row, *pair] for row, pair in zip(rows, keys, strict=True)]
    show_table([Column(title=title) for title in titles], rows)


def _keys(meter: metering.Meter) -> tuple[str, str]:
    mapping, settings = meter.customer_mapping, meter.value_settings
    return mapping.event_payload_key, settings.event_payload_key


def _show_one(meter: metering.Meter, *, json: bool) -> None:
    if json:
        print_document(meter)
        return
    customer_key, value_key = _keys(meter)
    show_pairs(
        [
            ("id", meter.id),
            ("event name", meter.event_name),
            ("display name", meter.display_name),
            ("formula", _formula(meter)),
            ("customer key", customer_key),
            ("value key", value_key),
            ("status", meter.status),
            ("created", f"{moment(meter.created)} UTC"),
        ]
    )


def _formula(meter: metering.Meter) -> str:
    formula, window = meter.default_aggregation.formula, meter.event_time_window
    return formula if window is None else f"{formula}, one a {window}"
