"""The route that answers whether a customer has a feature."""

from metering.entitlements.requests import EntitlementQuestion
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import EXTENSION


def _check(call: Call) -> Answer:
    return Answer(body=call.m.entitlements.check(**call.given).to_dict())


ROUTES = (
    Route(
        method="GET",
        dialect=EXTENSION,
        path="/metering/v1/entitlements/check",
        scope="read",
        summary="Answer whether a customer has a feature, by its id or lookup key.",
        handler=_check,
        takes=EntitlementQuestion,
    ),
)
