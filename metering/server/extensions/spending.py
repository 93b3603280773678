"""Routes of usage that credits are to cover: what is left, whether it would be, and doing it."""

from metering.credits.requests import CreditBalanceWithUsage
from metering.server.api.routes import Answer, Call, Route
from metering.server.extensions.meter_events import recorded_body
from metering.server.grammar.dialects import EXTENSION
from metering.spending.requests import UsageCheck, UsageSpend


def _check(call: Call) -> Answer:
    found = call.m.check(**call.given)
    return Answer(body=found.to_dict(), position=found.position)


def _spend(call: Call) -> Answer:
    event = call.m.spend(**call.given)
    return Answer(body={**recorded_body(event), "duplicate": event.duplicate})


def _balance(call: Call) -> Answer:
    # It may say less than what was recorded meanwhile, and never more.
    position = call.m.position
    summary = call.m.credit_balance_summary.retrieve(**call.given)
    return Answer(body=summary.to_dict(), position=position)


ROUTES = (
    Route(
        method="POST",
        dialect=EXTENSION,
        path="/metering/v1/check",
        scope="read",
        summary="Check whether credits would cover usage, and record nothing.",
        handler=_check,
        # What it answers is soon another thing; nothing came of it.
        keeps_answers=False,
        takes=UsageCheck,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path="/metering/v1/spend",
        scope="ingest",
        summary="Record usage only where credits cover it, once by its identifier.",
        handler=_spend,
        takes=UsageSpend,
    ),
    Route(
        method="GET",
        dialect=EXTENSION,
        path="/metering/v1/credit_balance_summary",
        scope="read",
        summary="Retrieve a customer's credit balance, at any instant or with what"
        " unbilled usage leaves.",
        handler=_balance,
        takes=CreditBalanceWithUsage,
    ),
)
