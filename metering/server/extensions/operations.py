"""Routes for whoever runs the server: how far its store is, and what it did."""

from metering.arguments.times import time_of
from metering.bodies import Body
from metering.server.api.metrics import MEDIA_TYPE
from metering.server.api.routes import Answer, Call, Content, Route

HEALTH = "/metering/v1/health"
METRICS = "/metrics"


def health(call: Call) -> Answer:
    """Tell how far the log goes and was evaluated, and what is still to be delivered."""
    status = call.m.status()
    since = status.pending_since
    body: Body = {
        "object": "metering.health",
        "evaluated_position": status.evaluated_position,
        "event_count": status.event_count,
        "pending_deliveries": status.pending_deliveries,
        "pending_since": None if since is None else time_of(since),
        "position": status.position,
    }
    return Answer(body=body, position=status.position)


def metrics(call: Call) -> Answer:
    """Tell Prometheus what was asked, how it was answered, and how far the log goes."""
    status = call.m.status()
    content = Content(media_type=MEDIA_TYPE, body=call.metrics.text(status))
    return Answer(content=content, position=status.position)


ROUTES = (
    Route(method="GET", path=HEALTH, scope="read", handler=health),
    Route(
        method="GET",
        path=METRICS,
        scope="read",
        handler=metrics,
        answers_in=(MEDIA_TYPE,),
    ),
)
