"""Routes of usage records, for clients of API versions that have them.

A request that comes again under its idempotency key is answered from the log: the record
is named after the key.
Source: https://docs.stripe.com/api/usage_records?api-version=2025-02-24.acacia
"""

from metering.arguments.ids import identifier_of
from metering.bodies import body_of
from metering.errors import IdentifierConflictError
from metering.server.api.errors import RequestDiffersError
from metering.server.api.pages import page_body
from metering.server.api.routes import Answer, Call, Route
from metering.server.api.versions import BASIL
from metering.server.grammar.dialects import V1
from metering.usage_records.requests import UsageRecordCreate, UsageRecordSummaryList

_ITEM = "/v1/subscription_items/{id}"


def _create(call: Call) -> Answer:
    identifier = None
    if call.request is not None:
        identifier = f"mbur_{identifier_of(call.request).partition('_')[2]}"
    try:
        record = call.m.subscription_items.create_usage_record(
            call.ids["id"], identifier=identifier, **call.given
        )
    except IdentifierConflictError as conflict:
        assert call.request is not None, "only its key names the record"
        raise RequestDiffersError(call.request.idempotency_key) from conflict
    return Answer(
        body=body_of(record), position=record.position, is_replay=record.duplicate
    )


def _list(call: Call) -> Answer:
    item = call.ids["id"]
    page = call.m.subscription_items.list_usage_record_summaries(item, **call.given)
    url = f"{_ITEM}/usage_record_summaries".format(id=item)
    return Answer(body=page_body(page, url))


ROUTES = (
    Route(
        method="POST",
        dialect=V1,
        path=f"{_ITEM}/usage_records",
        scope="ingest",
        summary="Record usage of an item whose price has no meter.",
        handler=_create,
        takes=UsageRecordCreate,
        until_version=BASIL,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=f"{_ITEM}/usage_record_summaries",
        scope="read",
        summary="List what the usage records of an item come to, period by period.",
        handler=_list,
        takes=UsageRecordSummaryList,
        is_list=True,
        until_version=BASIL,
    ),
)
