"""Routes for operators of the server: how far its store is, and what it did."""

from metering.arguments.times import time_of
from metering.bodies import Body, body_of
from metering.server.api.metrics import MEDIA_TYPE
from metering.server.api.routes import Answer, Call, Content, Route
from metering.server.grammar.dialects import EXTENSION, V1
from metering.upkeep.status import LoopStatus

HEALTH = "/metering/v1/health"
AUDIT = "/metering/v1/audit"
METRICS = "/metrics"


def _health(call: Call) -> Answer:
    status = call.m.status()
    since = status.pending_since
    body: Body = {
        "object": "metering.health",
        "ahead_seconds": status.ahead_seconds,
        "evaluated_position": status.evaluated_position,
        "event_count": status.event_count,
        "loops": [_loop(each) for each in status.loops],
        "pending_deliveries": status.pending_deliveries,
        "pending_since": None if since is None else time_of(since),
        "position": status.position,
        "sealed_position": status.sealed_position,
    }
    return Answer(body=body, position=status.position)


def _loop(status: LoopStatus) -> Body:
    done, since = status.last_done, status.failing_since
    return {
        "code": status.code,
        "failing_since": None if since is None else time_of(since),
        "failures": status.failures,
        "failures_total": status.failures_total,
        "last_done": None if done is None else time_of(done),
        "message": status.message,
        "name": status.name,
    }


def _audit(call: Call) -> Answer:
    status = call.m.audit.status()
    return Answer(body=body_of(status), position=status.position)


def _metrics(call: Call) -> Answer:
    status = call.m.status()
    text = call.metrics.text(status, call.m.audit.status().last_pass)
    content = Content(media_type=MEDIA_TYPE, body=text)
    return Answer(content=content, position=status.position)


ROUTES = (
    Route(
        method="GET",
        dialect=EXTENSION,
        path=HEALTH,
        scope="read",
        summary="Report how far the log goes and what is still to be delivered.",
        handler=_health,
    ),
    Route(
        method="GET",
        dialect=EXTENSION,
        path=AUDIT,
        scope="read",
        summary="Report how much was compared with the log, by meter and segment.",
        handler=_audit,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=METRICS,
        scope="read",
        summary="Report requests, durations and the state of the store to Prometheus.",
        handler=_metrics,
        answers_in=(MEDIA_TYPE,),
    ),
)
