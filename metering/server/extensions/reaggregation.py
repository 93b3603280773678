"""The routes of usage and of re-aggregation: tables of all customers, in Arrow or JSON."""

from typing import Literal

import pyarrow as pa

from metering.reaggregation.requests import Reaggregate, SumUsage
from metering.server.api.routes import Answer, Call, Route
from metering.server.extensions.rows import content_of
from metering.server.grammar.dialects import EXTENSION
from metering.server.grammar.media_types import ARROW, JSON

REAGGREGATE = "/metering/v1/reaggregate"
USAGE = "/metering/v1/usage"
_METHODS: tuple[Literal["GET", "POST"], ...] = ("GET", "POST")


def _reaggregate(call: Call) -> Answer:
    # What is recorded from here on may count or not.
    position = call.m.position
    table = call.m.reaggregate(**call.given)
    return _answer(table, position, call.accept, REAGGREGATE)


def _usage(call: Call) -> Answer:
    table = call.m.usage(**call.given)
    position = int(table.schema.metadata[b"position"])
    return _answer(table, position, call.accept, USAGE)


def _answer(table: pa.Table, position: int, accept: str, url: str) -> Answer:
    return Answer(content=content_of(table, accept, url), position=position)


ROUTES = tuple(
    Route(
        method=method,
        dialect=EXTENSION,
        path=path,
        scope="read",
        summary=summary,
        handler=handler,
        is_heavy=True,
        # It has no effect, and an answer is too large to be kept.
        keeps_answers=False,
        takes=takes,
        answers_in=(JSON, ARROW),
    )
    for path, handler, takes, summary in (
        (USAGE, _usage, SumUsage, "Sum up the usage of all customers."),
        (
            REAGGREGATE,
            _reaggregate,
            Reaggregate,
            "Recompute the summaries of all customers from the events alone.",
        ),
    )
    for method in _METHODS
)
