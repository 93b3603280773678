"""Routes of corrections: previewed, applied, reverted, listed."""

from metering.bodies import Body
from metering.corrections.impact import Impact
from metering.corrections.requests import (
    CorrectionApply,
    CorrectionList,
    CorrectionPreview,
    CorrectionRevert,
)
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import EXTENSION
from metering.server.v1.resources import ResourceRoutes
from metering.statements.tables import plain_rows

_CORRECTIONS = ResourceRoutes(
    path="/metering/v1/corrections",
    retrieve=lambda m: m.corrections.retrieve,
    dialect=EXTENSION,
)


def _preview(call: Call) -> Answer:
    impact = call.m.corrections.preview(**call.given)
    return Answer(body=_foretold(impact), position=impact.position)


def _foretold(impact: Impact) -> Body:
    return {
        "object": "metering.correction_impact",
        "position": impact.position,
        "cancelled": impact.cancelled,
        "replaced": impact.replaced,
        "customers": impact.customers,
        "usage": plain_rows(impact.usage),
        "statements": plain_rows(impact.statements),
        "alerts": plain_rows(impact.alerts),
        "balances": plain_rows(impact.balances),
    }


ROUTES = (
    Route(
        method="POST",
        dialect=EXTENSION,
        path="/metering/v1/corrections/preview",
        scope="read",
        summary="Preview what a correction would change, and change nothing.",
        handler=_preview,
        is_heavy=True,
        # What it answers is soon another thing; nothing came of it.
        keeps_answers=False,
        takes=CorrectionPreview,
    ),
    _CORRECTIONS.creates(
        "Cancel and replace events, all of them or none.",
        lambda m: m.corrections.apply,
        takes=CorrectionApply,
        is_heavy=True,
    ),
    _CORRECTIONS.lists(
        "List corrections.", lambda m: m.corrections.list, CorrectionList
    ),
    _CORRECTIONS.retrieves("Retrieve a correction."),
    _CORRECTIONS.changes(
        "Let events count as before a correction.",
        lambda m: m.corrections.revert,
        verb="revert",
        takes=CorrectionRevert,
        is_heavy=True,
    ),
)
