"""Routes of credit schedules: made, changed, paused, resumed, canceled.

A call that is repeated answers the same, with or without an idempotency key.
"""

from metering.arguments.pages import LIMIT
from metering.schedules.requests import (
    CreditScheduleCreate,
    CreditScheduleList,
    CreditScheduleUpdate,
)
from metering.server.api.pages import listed
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import EXTENSION

SCHEDULES = "/metering/v1/credit_schedules"
_ONE = f"{SCHEDULES}/{{id}}"


def _create(call: Call) -> Answer:
    return Answer(body=call.m.credit_schedules.create(**call.given).to_dict())


def _retrieve(call: Call) -> Answer:
    return Answer(body=call.m.credit_schedules.retrieve(call.ids["id"]).to_dict())


def _list(call: Call) -> Answer:
    page = call.m.credit_schedules.list(**{"limit": LIMIT, **call.given})
    data = [each.to_dict() for each in page]
    return Answer(body=listed(data, SCHEDULES, has_more=page.has_more))


def _update(call: Call) -> Answer:
    updated = call.m.credit_schedules.update(call.ids["id"], **call.given)
    return Answer(body=updated.to_dict())


def _pause(call: Call) -> Answer:
    return Answer(body=call.m.credit_schedules.pause(call.ids["id"]).to_dict())


def _resume(call: Call) -> Answer:
    return Answer(body=call.m.credit_schedules.resume(call.ids["id"]).to_dict())


def _cancel(call: Call) -> Answer:
    return Answer(body=call.m.credit_schedules.cancel(call.ids["id"]).to_dict())


ROUTES = (
    Route(
        method="POST",
        dialect=EXTENSION,
        path=SCHEDULES,
        scope="admin",
        summary="Grant a customer credits each period, at its instant.",
        handler=_create,
        takes=CreditScheduleCreate,
    ),
    Route(
        method="GET",
        dialect=EXTENSION,
        path=SCHEDULES,
        scope="read",
        summary="List credit schedules.",
        handler=_list,
        is_list=True,
        takes=CreditScheduleList,
    ),
    Route(
        method="GET",
        dialect=EXTENSION,
        path=_ONE,
        scope="read",
        summary="Retrieve a credit schedule.",
        handler=_retrieve,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=_ONE,
        scope="admin",
        summary="Change what a schedule grants, from the next period on.",
        handler=_update,
        takes=CreditScheduleUpdate,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=f"{_ONE}/pause",
        scope="admin",
        summary="Grant nothing until the schedule is resumed.",
        handler=_pause,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=f"{_ONE}/resume",
        scope="admin",
        summary="Grant again, from the period that begins next.",
        handler=_resume,
    ),
    Route(
        method="POST",
        dialect=EXTENSION,
        path=f"{_ONE}/cancel",
        scope="admin",
        summary="Grant nothing any more.",
        handler=_cancel,
    ),
)
