"""CloudEvents as rows: usage that comes in the envelope of an event bus.

The type is the event name, the subject the customer, the time the timestamp, and the
data, a JSON object, the payload. Other attributes are ignored. An event is the same
whether its attributes come beside the data or around it, and whether the data are JSON
or JSON in Base64, as some senders write what was bytes to them.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from metering.arguments.strings import LONGEST_NAME
from metering.decoding.json_parsing import (
    JsonInvalidError,
    parse_json,
    parse_json_list,
)
from metering.errors import SourceError
from metering.usage.ingest.layout import Columns

_COLUMNS = Columns(customer="subject")
_COLUMNS_WITHOUT_SUBJECT = Columns()

_VERSION = "1.0"
_REQUIRED = ("id", "source", "type")
_OPTIONAL = ("subject", "time")

T = TypeVar("T")


def event_in(content: bytes) -> Iterator[object]:
    """Read the one CloudEvent of a body as a row; a ValueError stands for a malformed one.

    Raises:
        SourceError: the body is not JSON.
    """
    yield from _rows_of([_parsed(content, parse_json, "a CloudEvent")])


def events_in(content: bytes) -> Iterator[object]:
    """Read a list of CloudEvents as rows; a ValueError stands for a malformed one.

    Raises:
        SourceError: the body is not a list in JSON.
    """
    yield from _rows_of(_parsed(content, parse_json_list, "a batch of CloudEvents"))


def event_of_data(attributes: Mapping[str, str], content: bytes) -> Iterator[object]:
    """Read a CloudEvent as a row whose attributes came beside its data.

    Raises:
        SourceError: the data are not JSON.
    """
    data = _parsed(content, parse_json, "the data of a CloudEvent") if content else None
    yield from _rows_of([{**attributes, "data": data}])


def _parsed(content: bytes, parse: Callable[[bytes], T], name: str) -> T:
    try:
        return parse(content)
    except JsonInvalidError as error:
        raise SourceError(f"Cannot read the body as {name}: {error}") from error


def _rows_of(events: Iterable[object]) -> Iterator[object]:
    for each in events:
        try:
            yield each if isinstance(each, JsonInvalidError) else _row_of(each)
        except ValueError as error:
            yield error


def cloud_event_columns(row: object) -> Columns:
    """Return where a row has what; one without a subject has its customer in its data."""
    is_without = isinstance(row, Mapping) and row.get("subject") is None
    return _COLUMNS_WITHOUT_SUBJECT if is_without else _COLUMNS


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
    return {
        "event_name": event["type"],
        "identifier": identifier_of(event["source"], event["id"]),
        "timestamp": event.get("time"),
        "subject": event.get("subject"),
        "payload": _data_of(event),
    }


def _data_of(event: Mapping[str, object]) -> Mapping[str, object]:
    data, encoded = event.get("data"), event.get("data_base64")
    if encoded is not None:
        if data is not None:
            reason = "expected data or data_base64, found both"
            raise ValueError(reason)
        data = _decoded(encoded)
    if not isinstance(data, Mapping):
        reason = f"expected data to be a JSON object, found {type(data).__name__}"
        raise ValueError(reason)  # noqa: TRY004  # it stands for the row
    return data


def _decoded(encoded: object) -> object:
    try:
        text = base64.b64decode(str(encoded), validate=True)
    except ValueError as error:
        reason = "expected data_base64 to be Base64"
        raise ValueError(reason) from error
    try:
        return parse_json(text)
    except JsonInvalidError as error:
        reason = f"expected data_base64 to be JSON: {error}"
        raise ValueError(reason) from error


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
