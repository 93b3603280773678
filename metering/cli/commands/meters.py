"""``metering meters``: list the meters, create and change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import metering
from metering.arguments.words import FormulaName, GroupingWindowName
from metering.cli.options import FieldOption, argument
from metering.cli.resource import Listing, Resource
from metering.cli.screens.screen import Cell, Column
from metering.cli.screens.text import moment
from metering.cli.targets import find_meter
from metering.meters.requests import (
    CustomerMappingParams,
    DefaultAggregationParams,
    MeterCreate,
    ValueSettingsParams,
)

_CUSTOMER_KEY = "stripe_customer_id"
_VALUE_KEY = "value"
_USUAL_KEYS = (_CUSTOMER_KEY, _VALUE_KEY)

MeterArgument = Annotated[str, argument("METER", "Its id or event name.")]
EventNameOption = Annotated[str, FieldOption(MeterCreate, metavar="NAME")]
FormulaOption = Annotated[FormulaName, FieldOption(DefaultAggregationParams)]
DisplayNameOption = Annotated[
    str | None, FieldOption(MeterCreate, more="The event name if left out.")
]
CustomerKeyOption = Annotated[
    str, FieldOption(CustomerMappingParams, "event_payload_key", "KEY")
]
ValueKeyOption = Annotated[
    str, FieldOption(ValueSettingsParams, "event_payload_key", "KEY")
]
WindowOption = Annotated[
    GroupingWindowName | None, FieldOption(MeterCreate, "event_time_window")
]


def _details(_: metering.Metering, meter: metering.Meter) -> list[tuple[str, Cell]]:
    customer_key, value_key = _keys(meter)
    return [
        ("id", meter.id),
        ("event name", meter.event_name),
        ("display name", meter.display_name),
        ("formula", _formula(meter)),
        ("customer key", customer_key),
        ("value key", value_key),
        ("status", meter.status),
        ("created", f"{moment(meter.created)} UTC"),
    ]


METERS = Resource(
    details=_details,
    argument=MeterArgument,
    calls=lambda m: m.meters,
    id_of=lambda m, named: find_meter(m, named).id,
)


@METERS.lists
def meters(m: metering.Metering) -> Listing[metering.Meter]:
    """List the meters; or create one and change it."""
    none = "No meters; make one with meters create."
    return Listing(m.meters.list(), _columns, none=none)


@METERS.command(creates=True)
def create(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    *,
    event_name: EventNameOption,
    formula: FormulaOption,
    display_name: DisplayNameOption = None,
    customer_key: CustomerKeyOption = _CUSTOMER_KEY,
    value_key: ValueKeyOption = _VALUE_KEY,
    window: WindowOption,
) -> metering.Meter:
    """Create a meter, and the store if there is none."""
    return m.meters.create(
        display_name=event_name if display_name is None else display_name,
        event_name=event_name,
        default_aggregation={"formula": formula},
        customer_mapping={"event_payload_key": customer_key, "type": "by_id"},
        value_settings={"event_payload_key": value_key},
        event_time_window=window,
    )


@METERS.command(creates=True)
def ensure(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    *,
    event_name: EventNameOption,
    formula: FormulaOption,
    display_name: DisplayNameOption = None,
    customer_key: CustomerKeyOption = _CUSTOMER_KEY,
    value_key: ValueKeyOption = _VALUE_KEY,
    window: WindowOption,
) -> metering.Meter:
    """Create a meter where there is none, as a deployment does each time.

    One that measures otherwise is refused, with the difference.
    """
    return m.meters.ensure(
        display_name=event_name if display_name is None else display_name,
        event_name=event_name,
        default_aggregation={"formula": formula},
        customer_mapping={"event_payload_key": customer_key, "type": "by_id"},
        value_settings={"event_payload_key": value_key},
        event_time_window=window,
    )


METERS.actions(retrieve="Show a meter.")


@METERS.command()
def update(
    m: metering.Metering,
    meter: MeterArgument,
    *,
    display_name: Annotated[str, FieldOption(MeterCreate)],
) -> metering.Meter:
    """Give a meter another display name; nothing else of it can change."""
    return m.meters.update(find_meter(m, meter).id, display_name=display_name)


METERS.actions(
    deactivate="Stop a meter from taking events; what it has taken stays.",
    reactivate="Let an inactive meter take events again.",
)


def _columns(meters: Sequence[metering.Meter]) -> list[Column[metering.Meter]]:
    columns: list[Column[metering.Meter]] = [
        Column("event name", lambda meter: meter.event_name),
        Column("display name", lambda meter: meter.display_name),
        Column("formula", _formula),
        Column("status", lambda meter: meter.status),
    ]
    if any(_keys(meter) != _USUAL_KEYS for meter in meters):
        columns.append(Column("customer key", lambda meter: _keys(meter)[0]))
        columns.append(Column("value key", lambda meter: _keys(meter)[1]))
    return columns


def _keys(meter: metering.Meter) -> tuple[str, str]:
    mapping, settings = meter.customer_mapping, meter.value_settings
    return mapping.event_payload_key, settings.event_payload_key


def _formula(meter: metering.Meter) -> str:
    formula, window = meter.default_aggregation.formula, meter.event_time_window
    return formula if window is None else f"{formula}, one a {window}"


group = METERS.group
