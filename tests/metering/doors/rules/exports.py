"""Own the cells of exports: what a store wrote of its events comes back as what it was."""

from typing import Any

from tests.metering.doors.cells import Case, Rule, none_at
from tests.metering.doors.doors import CLOUD_EVENTS, SINGLE
from tests.metering.doors.sending import DUPLICATE, TIME, Event, Right

WROTE = {"position": "3", "recorded_at": TIME}
NO_ROW = "its payload is one of its own, beside which there are no columns"
NOWHERE = none_at((*SINGLE, *CLOUD_EVENTS), NO_ROW)


def exported(**payload: Any) -> Event:
    return Event(payload={**WROTE, **payload})


RULE = Rule(
    "an export comes back as what it was",
    (
        Case(
            name="what the store wrote is left out",
            events=(exported(model="large", cancelled="false"),),
            right=(Right(payload={"model": "large"}),),
            left_out={"position": 1, "recorded_at": 1},
            empty=NOWHERE,
        ),
        Case(
            name="a cancelled event does not come to life",
            events=(exported(cancelled="true"),),
            # Neither recorded nor refused.
            right=(DUPLICATE,),
            empty=NOWHERE,
        ),
    ),
    nowhere=NOWHERE,
)
