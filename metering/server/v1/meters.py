"""Routes of meters.

Source: https://docs.stripe.com/api/billing/meter
"""

from collections.abc import Callable

from metering.arguments.pages import LIMIT
from metering.connection import Metering
from metering.errors import InvalidRequestError
from metering.meters.requests import (
    EventSummaryList,
    MeterCreate,
    MeterList,
    MeterUpdate,
)
from metering.meters.resources import Meter
from metering.server.api.pages import page_body
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V1
from metering.server.v1.resources import ResourceRoutes

_STEPS = {None: 60, "hour": 3_600, "day": 86_400}
_ALIGNED = {None: "whole minutes", "hour": "whole hours in UTC", "day": "midnight UTC"}
_METERS = ResourceRoutes(
    path="/v1/billing/meters", retrieve=lambda m: m.meters.retrieve
)


def _update(m: Metering) -> Callable[..., Meter]:
    def update(meter_id: str, **given: str) -> Meter:
        if not given:
            return m.meters.retrieve(meter_id)
        return m.meters.update(meter_id, **given)

    return update


def _event_summaries(call: Call) -> Answer:
    given, meter_id = call.given, call.ids["id"]
    window = given.get("value_grouping_window")
    for name in ("start_time", "end_time"):
        if given[name] % _STEPS[window]:
            raise InvalidRequestError(
                f"Invalid {name}: {given[name]}; must be aligned with"
                f" {_ALIGNED[window]}",
                param=name,
            )
    page = call.m.meters.event_summaries(meter_id, **{"limit": LIMIT, **given})
    return Answer(
        body=page_body(page, f"{_METERS.path}/{meter_id}/event_summaries"),
        position=page[0].position if page else None,
    )


ROUTES = (
    _METERS.creates(
        "Create a meter.",
        lambda m: m.meters.create,
        takes=MeterCreate,
        needs=frozenset({"customer_mapping[type]"}),
    ),
    _METERS.retrieves("Retrieve a meter."),
    _METERS.changes("Change a meter's display name.", _update, takes=MeterUpdate),
    _METERS.lists(
        "List meters, active and inactive.", lambda m: m.meters.list, MeterList
    ),
    _METERS.changes(
        "Deactivate a meter, so that it takes no events.",
        lambda m: m.meters.deactivate,
        verb="deactivate",
    ),
    _METERS.changes(
        "Reactivate a meter, so that it takes events again.",
        lambda m: m.meters.reactivate,
        verb="reactivate",
    ),
    Route(
        method="GET",
        dialect=V1,
        path=f"{_METERS.path}/{{id}}/event_summaries",
        scope="read",
        summary="Aggregate a customer's usage over a range, or by hour or day.",
        handler=_event_summaries,
        is_list=True,
        takes=EventSummaryList,
    ),
)
