"""Routes of recorded events: the usage behind a number, in the order of the log."""

from itertools import islice

from metering.bodies import Body
from metering.server.api.pages import listed
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import EXTENSION
from metering.server.v2.bodies import event_body
from metering.usage.requests import MeterEventList
from metering.usage.resources import MeterEvent

EVENTS = "/metering/v1/meter_events"
_LIMIT = 100
_FILTERS = ("event_name", "customer", "start_time", "end_time", "starting_after")


def _list_events(call: Call) -> Answer:
    limit = call.given.get("limit", _LIMIT)
    filters = {name: call.given[name] for name in _FILTERS if name in call.given}
    events = call.m.meter_events.list(**filters)
    found = list(islice(events, limit + 1))
    data = [recorded_body(each) for each in found[:limit]]
    return Answer(body=listed(data, EVENTS, has_more=len(found) > limit))


def recorded_body(event: MeterEvent) -> Body:
    """Write an event as v2 does, with its place in the log and whether it counts."""
    return {
        **event_body(event),
        "object": "metering.meter_event",
        "cancelled": event.cancelled,
        "position": event.position,
    }


ROUTES = (
    Route(
        method="GET",
        dialect=EXTENSION,
        path=EVENTS,
        scope="read",
        summary="List recorded events in the order of the log, cancelled ones marked.",
        handler=_list_events,
        is_list=True,
        takes=MeterEventList,
    ),
)
