"""Own the cells of columns that are not there: times, and names that nearly are."""

from tests.metering.doors.cells import Case, Rule, at, none_at
from tests.metering.doors.doors import CLOUD_EVENTS, SINGLE
from tests.metering.doors.place import NOW
from tests.metering.doors.sending import ABSENT, Event, Refused, Right

ARRIVED = Right(at=NOW.isoformat().replace("+00:00", "Z"))
BY_THE_MACHINE = "the command records by the machine's clock"
NONE = Refused("parameter_missing", "now=True")
ALONE = (*SINGLE, *CLOUD_EVENTS)


def nearly(role: str, column: str) -> Case:
    """Say that a column is not taken for another thing than it was meant to be."""
    return Case(
        name=f"{column!r} for the {role}",
        written={role: column},
        source=Refused("", column),
    )


RULE = Rule(
    "a column that is not there is missed",
    (
        Case(
            name="no times at all",
            events=(Event(time=ABSENT),),
            source=Refused("", "a missing time is not taken for now"),
            # Stripe takes it, and a CloudEvent need not have a time.
            but=at(ALONE, ARRIVED),
        ),
        Case(
            name="no times, and now is meant",
            events=(Event(time=ABSENT),),
            options={"now": True},
            right=(ARRIVED,),
            empty={"command": BY_THE_MACHINE},
        ),
        Case(
            name="one row without a time",
            events=(Event(), Event(time=ABSENT, identifier="sender/2")),
            right=(Right(), NONE),
            but=at(ALONE, Right(), ARRIVED),
        ),
        Case(
            name="one row whose time is null",
            events=(Event(), Event(time=None, identifier="sender/2")),
            right=(Right(), NONE),
            but=at(("create", *CLOUD_EVENTS), Right(), ARRIVED),
            empty=none_at(("v1", "v2", "stream"), "Stripe's JSON has no null there"),
        ),
        Case(
            name="a row without a time in the past",
            events=(Event(), Event(time=ABSENT, identifier="sender/2")),
            options={"backfill": True},
            right=(Right(), NONE),
        ),
        Case(
            name="one row without a time, and now is meant",
            events=(Event(), Event(time=ABSENT, identifier="sender/2")),
            options={"now": True},
            right=(Right(), ARRIVED),
            empty={"command": BY_THE_MACHINE},
        ),
        Case(
            name="a column that looks like one of times",
            written={"timestamp": "created_at"},
            source=Refused("", "'created_at' looks like one"),
        ),
        Case(
            name="a column of times that is named",
            written={"timestamp": "TIMESTAMP"},
            columns={"timestamp": "TIMESTAMP"},
        ),
        nearly("timestamp", "TIMESTAMP"),
        nearly("timestamp", " timestamp"),
        nearly("identifier", "Identifier"),
        nearly("event_name", "event name"),
        nearly("event_name", "Event-Name"),
        nearly("customer", "Stripe_Customer_ID"),
        nearly("value", " value"),
        Case(
            name="a name that is nearly another, beside that one",
            events=(Event(payload={"Identifier": "7"}),),
            right=(Right(payload={"Identifier": "7"}),),
        ),
    ),
)
