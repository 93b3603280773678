"""Own the cells of repetitions: what is recorded is a duplicate, whatever is wrong by now."""

from datetime import timedelta

import metering
from tests.metering.doors.cells import Case, Rule, none_at
from tests.metering.doors.doors import SINGLE
from tests.metering.doors.place import Place
from tests.metering.doors.sending import DUPLICATE, Event, Refused, Right

NOT_BACKFILLED = "it takes events of the last 35 days alone, so it has no backfill"


def forty_days_pass(place: Place, meter: metering.Meter) -> None:
    del meter
    place.clock.advance(timedelta(days=40))


def meter_closes(place: Place, meter: metering.Meter) -> None:
    place.store.meters.deactivate(meter.id)


RULE = Rule(
    "a repetition is a duplicate",
    (
        Case(name="at once", again=(DUPLICATE,)),
        Case(
            name="when it is older than 35 days",
            meanwhile=forty_days_pass,
            again=(DUPLICATE,),
            again_options={"backfill": False},
        ),
        Case(
            name="when its meter is inactive",
            meanwhile=meter_closes,
            again=(DUPLICATE,),
        ),
        Case(
            name="without backfill when it was backfilled",
            events=(Event(time="2024-03-01T10:00:00Z"),),
            right=(Right(at="2024-03-01T10:00:00Z"),),
            options={"backfill": True},
            again=(DUPLICATE,),
            again_options={"backfill": False},
            empty=none_at(SINGLE, NOT_BACKFILLED),
        ),
        Case(
            name="and what is new is judged by the clock",
            events=(Event(time="2024-03-01T10:00:00Z"),),
            options={"backfill": False},
            right=(Refused("timestamp_too_far_in_past", "35 days"),),
        ),
    ),
)
