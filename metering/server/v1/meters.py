"""Routes of meters.

Source: https://docs.stripe.com/api/billing/meter
"""

from metering.arguments.pages import LIMIT
from metering.bodies import body_of
from metering.connection import Metering
from metering.errors import InvalidRequestError
from metering.meters.requests import (
    EventSummaryList,
    MeterCreate,
    MeterList,
    MeterUpdate,
)
from metering.meters.resources import Meter
from metering.server.api.pages import page_body, page_of
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V1

METERS = "/v1/billing/meters"
_METER = METERS + "/{id}"
_STEPS = {None: 60, "hour": 3_600, "day": 86_400}
_ALIGNED = {None: "whole minutes", "hour": "whole hours in UTC", "day": "midnight UTC"}


def _create(call: Call) -> Answer:
    return Answer(body=body_of(call.m.meters.create(**call.given)))


def _update(call: Call) -> Answer:
    if "display_name" not in call.given:
        return _retrieve(call)
    meter = call.m.meters.update(call.ids["id"], **call.given)
    return Answer(body=body_of(meter))


def _retrieve(call: Call) -> Answer:
    return Answer(body=body_of(call.m.meters.retrieve(call.ids["id"])))


def _list_meters(call: Call) -> Answer:
    return Answer(body=page_of(call.m.meters.list, call.given, METERS))


def _deactivate(call: Call) -> Answer:
    return Answer(body=body_of(call.m.meters.deactivate(call.ids["id"])))


def _reactivate(call: Call) -> Answer:
    return Answer(body=body_of(call.m.meters.reactivate(call.ids["id"])))


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
        body=page_body(page, f"{METERS}/{meter_id}/event_summaries"),
        position=page[0].position if page else None,
    )


def _recover(m: Metering, meter_id: str) -> Meter:
    return m.meters.retrieve(meter_id)


ROUTES = (
    Route(
        method="POST",
        dialect=V1,
        path=METERS,
        scope="admin",
        summary="Create a meter.",
        handler=_create,
        recover=_recover,
        takes=MeterCreate,
        needs=frozenset({"customer_mapping[type]"}),
    ),
    Route(
        method="GET",
        dialect=V1,
        path=_METER,
        scope="read",
        summary="Retrieve a meter.",
        handler=_retrieve,
    ),
    Route(
        method="POST",
        dialect=V1,
        path=_METER,
        scope="admin",
        summary="Change a meter's display name.",
        handler=_update,
        recover=_recover,
        takes=MeterUpdate,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=METERS,
        scope="read",
        summary="List meters, active and inactive.",
        handler=_list_meters,
        is_list=True,
        takes=MeterList,
    ),
    Route(
        method="POST",
        dialect=V1,
        path=_METER + "/deactivate",
        scope="admin",
        summary="Deactivate a meter, so that it takes no events.",
        handler=_deactivate,
        recover=_recover,
    ),
    Route(
        method="POST",
        dialect=V1,
        path=_METER + "/reactivate",
        scope="admin",
        summary="Reactivate a meter, so that it takes events again.",
        handler=_reactivate,
        recover=_recover,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=_METER + "/event_summaries",
        scope="read",
        summary="Aggregate a customer's usage over a range, or by hour or day.",
        handler=_event_summaries,
        is_list=True,
        takes=EventSummaryList,
    ),
)
