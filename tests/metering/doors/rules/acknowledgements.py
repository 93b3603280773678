"""Own the cells of acknowledgements: a status of 200 says that nothing was lost."""

from tests.metering.doors.cells import Case, Rule
from tests.metering.doors.doors import BY_NAME, CLOUD_EVENT, HTTP
from tests.metering.doors.sending import DUPLICATE, Event, Refused

NOT_HTTP = "only HTTP has statuses"
# The body of a batch says what became of each row, as the stream's reports do later.
MANY = (*(name for name in HTTP if name.startswith("bulk")), "cloudevents", "stream")
REFUSED = dict.fromkeys(("v1", "v2", *CLOUD_EVENT), 400) | dict.fromkeys(MANY, 200)

RULE = Rule(
    "the status is the acknowledgement",
    (
        Case(
            name="of an event that is recorded, and of its repetition",
            statuses=dict.fromkeys(HTTP, 200),
            # Stripe refuses what it has, though nothing of it was lost.
            again=(DUPLICATE,),
        ),
        Case(
            name="of an event that has no meter",
            events=(Event(event_name="nothing"),),
            right=(Refused("no_meter", v1="resource_missing"),),
            statuses=REFUSED,
        ),
        Case(
            name="of an event that is too old",
            events=(Event(time="2020-01-01T00:00:00Z"),),
            options={"backfill": False},
            right=(Refused("timestamp_too_far_in_past"),),
            statuses=REFUSED,
        ),
    ),
    nowhere={name: NOT_HTTP for name in BY_NAME if name not in HTTP},
)
