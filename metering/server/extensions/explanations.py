"""Routes of explanations: what a figure of usage is made of, and the events behind it."""

from datetime import timedelta

import pyarrow as pa

from metering.explaining.explanations import BESIDE, Explanation
from metering.explaining.requests import ExplainUsage, ListLate, ListNotCounted
from metering.server.api.routes import Answer, Call, Handler, Route
from metering.server.extensions.rows import content_read
from metering.server.grammar.dialects import EXTENSION
from metering.server.grammar.media_types import ARROW, JSON

EXPLAIN = "/metering/v1/explain"
_EVENTS, _NOT_COUNTED, _LATE = (
    f"{EXPLAIN}/{rows}" for rows in ("events", "not_counted", "late")
)


def _explain(call: Call) -> Answer:
    made = call.m.explain(**call.given)
    body = {**made.to_dict(), "adds_up": made.adds_up()}
    return Answer(body=body, position=made.position)


def _events(call: Call) -> Answer:
    made = call.m.explain(**call.given)
    return _rows(call, made, made.events(), _EVENTS)


def _not_counted(call: Call) -> Answer:
    given = dict(call.given)
    seconds = given.pop("beside", None)
    made = call.m.explain(**given)
    beside = BESIDE if seconds is None else timedelta(seconds=seconds)
    return _rows(call, made, made.not_counted(beside=beside), _NOT_COUNTED)


def _late(call: Call) -> Answer:
    given = dict(call.given)
    since = given.pop("since")
    made = call.m.explain(**given)
    return _rows(call, made, made.late(since), _LATE)


def _rows(
    call: Call, made: Explanation, reader: pa.RecordBatchReader, url: str
) -> Answer:
    content = content_read(reader, call.accept, url)
    return Answer(content=content, position=made.position)


def _route(path: str, takes: type, handler: Handler, summary: str) -> Route:
    is_rows = path != EXPLAIN
    return Route(
        method="GET",
        dialect=EXTENSION,
        path=path,
        scope="read",
        summary=summary,
        handler=handler,
        # A customer's events may be very many.
        is_heavy=True,
        keeps_answers=False,
        takes=takes,
        answers_in=(JSON, ARROW) if is_rows else (JSON,),
    )


ROUTES = (
    _route(
        EXPLAIN,
        ExplainUsage,
        _explain,
        "Explain a customer's usage: its parts, and whether the events add up to it.",
    ),
    _route(_EVENTS, ExplainUsage, _events, "List the events that count."),
    _route(
        _NOT_COUNTED,
        ListNotCounted,
        _not_counted,
        "List the events that do not count, each with the reason.",
    ),
    _route(
        _LATE,
        ListLate,
        _late,
        "List the events and cancellations that were recorded late.",
    ),
)
