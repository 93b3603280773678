"""Own the cells of rows without identifiers: which are the same when they come again."""

from tests.metering.doors.cells import Case, Rule, none_at
from tests.metering.doors.doors import CLOUD_EVENTS, FILES, MANY, SINGLE
from tests.metering.doors.sending import ABSENT, DUPLICATE, Event, Right

ALIKE = (Event(identifier=ABSENT),) * 2
NO_FILE = "it has no file, so that a row without an identifier is new each time"
ALONE = "an event that comes alone is new where it has no identifier"
NAMED = "a CloudEvent has an id"

RULE = Rule(
    "a row without an identifier is known by what it says",
    (
        Case(
            name="by row, as often as one source has it",
            events=(*ALIKE, Event(identifier=ABSENT, value="2")),
            right=(Right(), Right(), Right(value="2")),
            options={"identity": "row"},
            again=(DUPLICATE, DUPLICATE, DUPLICATE),
        ),
        Case(
            name="by file, and its place in it",
            events=ALIKE,
            right=(Right(), Right()),
            again=(DUPLICATE, DUPLICATE),
            empty={
                **none_at(tuple({*MANY} - {*FILES}), NO_FILE),
                **none_at(SINGLE, ALONE),
                **none_at(CLOUD_EVENTS, NAMED),
            },
        ),
    ),
    nowhere={
        **none_at(SINGLE, ALONE),
        **none_at(CLOUD_EVENTS, NAMED),
    },
)
