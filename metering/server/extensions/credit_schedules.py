"""Routes of credit schedules: made, changed, paused, resumed, canceled."""

from metering.schedules.requests import (
    CreditScheduleCreate,
    CreditScheduleList,
    CreditScheduleUpdate,
)
from metering.schedules.resources import CreditSchedule
from metering.server.grammar.dialects import EXTENSION
from metering.server.v1.resources import ResourceRoutes

_SCHEDULES = ResourceRoutes(
    path="/metering/v1/credit_schedules",
    retrieve=lambda m: m.credit_schedules.retrieve,
    dialect=EXTENSION,
    write=CreditSchedule.to_dict,
)

ROUTES = (
    _SCHEDULES.creates(
        "Grant a customer credits each period, at its instant.",
        lambda m: m.credit_schedules.create,
        takes=CreditScheduleCreate,
    ),
    _SCHEDULES.lists(
        "List credit schedules.",
        lambda m: m.credit_schedules.list,
        CreditScheduleList,
    ),
    _SCHEDULES.retrieves("Retrieve a credit schedule."),
    _SCHEDULES.changes(
        "Change what a schedule grants, from the next period on.",
        lambda m: m.credit_schedules.update,
        takes=CreditScheduleUpdate,
    ),
    _SCHEDULES.changes(
        "Grant nothing until the schedule is resumed.",
        lambda m: m.credit_schedules.pause,
        verb="pause",
    ),
    _SCHEDULES.changes(
        "Grant again, from the period that begins next.",
        lambda m: m.credit_schedules.resume,
        verb="resume",
    ),
    _SCHEDULES.changes(
        "Grant nothing any more.",
        lambda m: m.credit_schedules.cancel,
        verb="cancel",
    ),
)
