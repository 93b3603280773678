"""CloudEvents as rows: usage that comes in the envelope of an event bus.

The type is the event name, the subject the customer, the time the timestamp, and the
data, a JSON object, the payload. Of its other attributes none matters here.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import hashlib
from collections.abc import Iterator, Mapping

from metering.arguments.strings import LONGEST_NAME
from metering.decoding.json_parsing import (
    JsonInvalidError,
    parse_json,
    parse_json_list,
)
from metering.errors import SourceError
from metering.usage.ingest.layout import Columns

CLOUD_EVENT_COLUMNS = Columns(customer="subject")
"""Where the rows have what."""

_VERSION = "1.0"
_REQUIRED = ("id", "source", "type")
_OPTIONAL = ("subject", "time")


def events_of(content: bytes, *, is_batch: bool) -> Iterator[object]:
    """Read CloudEvents as rows; a ValueError stands for one that is malformed.

    Args:
        content: JSON, of one or of a list of them.
        is_batch: whether it is a list.

    Raises:
        SourceError: it is not.
    """
    try:
        found = parse_json_list(content) if is_batch else [parse_json(content)]
    except JsonInvalidError as error:
        name = "a batch of CloudEvents" if is_batch else "a CloudEvent"
        raise SourceError(f"Cannot read the body as {name}: {error}") from error
    for each in found:
        try:
            yield each if isinstance(each, JsonInvalidError) else _row_of(each)
        except ValueError as error:
            yield error


def _row_of(event: object) -> Mapping[str, object]:
    if not isinstance(event, Mapping):
        reason = f"expected a CloudEvent, found {type(event).__name__}"
        raise ValueError(reason)  # noqa: TRY004  # it stands for the row
    version = event.get("specversion")
    if version != _VERSION:
        reason = f"expected specversion {_VERSION!r}, found {version!r:.60}"
        raise ValueError(reason)
    for name in _REQUIRED:
        if not _is_text(event.get(name)):
            reason = f"expected {name} to be a string that is not empty"
            raise ValueError(reason)
    for name in _OPTIONAL:
        if event.get(name) is not None and not _is_text(event[name]):
            reason = f"expected {name} to be a string that is not empty"
            raise ValueError(reason)
    data = event.get("data")
    if not isinstance(data, Mapping):
        reason = f"expected data to be a JSON object, found {type(data).__name__}"
        raise ValueError(reason)  # noqa: TRY004  # it stands for the row
    return {
        "event_name": event["type"],
        "identifier": identifier_of(event["source"], event["id"]),
        "timestamp": event.get("time"),
        "subject": event.get("subject"),
        "payload": data,
    }


def identifier_of(source: str, event_id: str) -> str:
    """Name a CloudEvent by its source and id, which are unique together.

    Another pair has another identifier: with a slash in the id, and where it would be
    too long, it is made of the SHA-256 of both.
    """
    plain = f"{source}/{event_id}"
    if "/" not in event_id and len(plain) <= LONGEST_NAME:
        return plain
    both = f"{len(source)}:{source}{event_id}".encode(errors="surrogatepass")
    return f"cloudevent-{hashlib.sha256(both).hexdigest()}"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
