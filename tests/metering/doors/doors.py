"""Own the list of doors, and the groups that answer alike."""

from tests.metering.doors.command import Command
from tests.metering.doors.door import Door
from tests.metering.doors.http import (
    BULK_ARROW,
    BULK_NDJSON,
    BULK_PARQUET,
    BinaryCloudEvent,
    CloudEvent,
    CloudEvents,
    Form,
    JsonBody,
    Stream,
)
from tests.metering.doors.library import (
    ARROW,
    CSV,
    NDJSON,
    PARQUET,
    Create,
    Dicts,
    Table,
)

DOORS: tuple[Door, ...] = (
    Command(),
    Create(),
    Dicts(),
    Table(),
    ARROW,
    PARQUET,
    CSV,
    NDJSON,
    Form(),
    JsonBody(),
    Stream(),
    BULK_ARROW,
    BULK_PARQUET,
    BULK_NDJSON,
    CloudEvent(),
    BinaryCloudEvent(),
    CloudEvents(),
)
BY_NAME = {door.name: door for door in DOORS}

STRIPE = ("v1", "v2", "stream")
"""Routes that answer as Stripe does."""
V2 = ("v2", "stream")
SINGLE = ("create", *STRIPE)
"""An event a call, judged as strictly as Stripe judges it."""
MANY = tuple(name for name in BY_NAME if name not in SINGLE)
FILES = ("arrow", "parquet", "csv", "ndjson", "command")
COLUMNS = ("table", "arrow", "parquet", "bulk-arrow", "bulk-parquet")
"""What has a type for each column."""
CLOUD_EVENT = ("cloudevent", "cloudevent-binary")
"""One CloudEvent a request."""
CLOUD_EVENTS = (*CLOUD_EVENT, "cloudevents")
HTTP = (*STRIPE, "bulk-arrow", "bulk-parquet", "bulk-ndjson", *CLOUD_EVENTS)
