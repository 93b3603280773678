"""Routes of v2 for meter events and adjustments: as those of v1, in other words.

Source: https://docs.stripe.com/api/v2/billing/meter-event
"""

import hashlib

from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V2
from metering.server.v1.meter_events import event_route
from metering.server.v2.bodies import adjustment_body, event_body
from metering.usage.requests import MeterEventAdjustmentCreate


def _cancel(call: Call) -> Answer:
    given = call.given
    adjustment = call.m.meter_event_adjustments.create(
        event_name=given["event_name"], type=given["type"], cancel=given["cancel"]
    )
    # An event is cancelled once, so that it names its cancellation.
    named = f"{given['event_name']}\n{given['cancel']['identifier']}".encode()
    mode = "live" if adjustment.livemode else "test"
    adjustment_id = f"mea_{mode}_{hashlib.sha256(named).hexdigest()[:24]}"
    return Answer(body=adjustment_body(adjustment, adjustment_id, call.m.now()))


ROUTES = (
    event_route(V2, "/v2/billing/meter_events", event_body),
    Route(
        method="POST",
        dialect=V2,
        path="/v2/billing/meter_event_adjustments",
        scope="ingest",
        summary="Cancel a meter event.",
        handler=_cancel,
        keeps_answers=False,
        takes=MeterEventAdjustmentCreate,
        needs=frozenset({"cancel"}),
    ),
)
