"""``metering events``: list what was recorded, and cancel some of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import metering
from metering.cli.options import FieldOption, OnlyCustomerOption, argument
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.screen import Column
from metering.cli.targets import find_meter
from metering.usage.requests import MeterEventList

EVENTS = Resource()


@EVENTS.lists
def events(  # a command's options are its arguments
    m: metering.Metering,
    *,
    event_name: Annotated[str | None, FieldOption(MeterEventList, metavar="NAME")],
    customer: OnlyCustomerOption,
    start: Annotated[datetime | None, FieldOption(MeterEventList, "start_time")],
    end: Annotated[datetime | None, FieldOption(MeterEventList, "end_time")],
) -> Listing[metering.MeterEvent]:
    """List events as they were recorded; or cancel one.

    Times are ISO 8601, in UTC unless they say otherwise, or whole seconds since 1970.
    With --json every event is a line of its own.
    """
    found = m.meter_events.list(
        event_name=event_name and find_meter(m, event_name).event_name,
        customer=customer,
        start_time=start,
        end_time=end,
    )
    meters = {meter.event_name: meter for meter in m.meters.list()}

    def columns(
        shown: Sequence[metering.MeterEvent],
    ) -> list[Column[metering.MeterEvent]]:
        return _columns(shown, meters)

    return Listing(found, columns, none="No events.", is_long=True)


@EVENTS.command()
def cancel(
    m: metering.Metering,
    event_name: Annotated[str, argument("EVENT_NAME", "Its name.")],
    identifier: Annotated[str, argument("IDENTIFIER", "Its identifier.")],
) -> Done:
    """Cancel an event: no summary counts it from now on. Cancelling it again succeeds."""
    adjustment = m.meter_event_adjustments.create(
        event_name=event_name, type="cancel", cancel={"identifier": identifier}
    )
    return Done(adjustment, f"Cancelled {identifier} of {event_name}")


def _columns(
    shown: Sequence[metering.MeterEvent], meters: dict[str, metering.Meter]
) -> list[Column[metering.MeterEvent]]:
    def customer(event: metering.MeterEvent) -> str:
        mapping = meters[event.event_name].customer_mapping
        return event.payload[mapping.event_payload_key]

    def value(event: metering.MeterEvent) -> str | None:
        settings = meters[event.event_name].value_settings
        return event.payload.get(settings.event_payload_key)

    columns: list[Column[metering.MeterEvent]] = [
        Column("time (UTC)", lambda event: event.timestamp),
        Column("event name", lambda event: event.event_name),
        Column("customer", customer),
        Column("value", value, is_number=True),
        Column("identifier", lambda event: event.identifier),
    ]
    if any(event.cancelled for event in shown):
        columns.append(
            Column(
                "", lambda event: "cancelled" if event.cancelled else "", style="red"
            )
        )
    return columns


group = EVENTS.group
