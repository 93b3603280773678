"""Own the doors over HTTP: forms, JSON, the stream, bulk bodies and CloudEvents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, count
from urllib.parse import quote, urlencode

from tests.metering.doors.door import packed, refuse_options, refuse_wire
from tests.metering.doors.place import Place
from tests.metering.doors.sending import ABSENT, Event, Refused, Sending, Taken
from tests.metering.doors.writing import (
    CannotWriteError,
    Row,
    encoded,
    flat_rows,
    form_text,
    json_text,
    ndjson_bytes,
    parquet_bytes,
    payload_of,
    stream_bytes,
    table_of,
    time_text,
)
from tests.server.running import FORM, JSON, Answered

BULK = "/metering/v1/meter_events"
_REQUESTS = count(1)


@dataclass(frozen=True)
class Form:
    """A form of v1, an event a request."""

    name: str = "v1"

    def write(self, event_name: str, sending: Sending) -> list[bytes]:
        refuse_options(sending)
        return [packed(sending, _form(event, event_name)) for event in sending.events]

    def send(self, place: Place, sending: Sending, written: list[bytes]) -> Taken:
        path = "/v1/billing/meter_events"
        return _taken_one_by_one(
            [_post(place, path, FORM, body, sending) for body in written]
        )


@dataclass(frozen=True)
class JsonBody:
    """JSON of v2, an event a request."""

    name: str = "v2"

    def write(self, event_name: str, sending: Sending) -> list[bytes]:
        refuse_options(sending)
        return [packed(sending, _json(event, event_name)) for event in sending.events]

    def send(self, place: Place, sending: Sending, written: list[bytes]) -> Taken:
        path = "/v2/billing/meter_events"
        return _taken_one_by_one(
            [_post(place, path, JSON, body, sending) for body in written]
        )


@dataclass(frozen=True)
class Stream:
    """The stream of v2; what it refuses is reported afterwards.

    Each event is a request of its own, so that a report says which it was of.
    """

    name: str = "stream"

    def write(self, event_name: str, sending: Sending) -> list[bytes]:
        refuse_options(sending)
        return [
            packed(sending, b'{"events":[' + _json(event, event_name) + b"]}")
            for event in sending.events
        ]

    def send(self, place: Place, sending: Sending, written: list[bytes]) -> Taken:
        opened = place.http.ask("POST", "/v2/billing/meter_event_session")
        token = opened.json["authentication_token"]
        answers = []
        keys = {f"stream-{next(_REQUESTS)}": number for number in range(len(written))}
        for key, body in zip(keys, written, strict=True):
            headers = {
                "Authorization": f"Bearer {token}",
                "Idempotency_Key": key,
            }
            path = "/v2/billing/meter_event_stream"
            answers.append(_post(place, path, JSON, body, sending, headers))
        taken = _taken_one_by_one(answers)
        return Taken(
            refused={**taken.refused, **_reported(place, keys)},
            statuses=taken.statuses,
        )


@dataclass(frozen=True)
class Bulk:
    """A body of rows."""

    name: str
    media_type: str
    encode: Callable[[list[Row]], bytes]
    is_text: bool = False

    def write(self, event_name: str, sending: Sending) -> bytes:
        if not self.is_text:
            _refuse_text(sending)
        return packed(sending, self.encode(flat_rows(sending, event_name)))

    def send(self, place: Place, sending: Sending, written: bytes) -> Taken:
        return _posted_in_bulk(place, self.media_type, written, sending)


@dataclass(frozen=True)
class CloudEvent:
    """A CloudEvent in the structured mode, an event a request."""

    name: str = "cloudevent"

    def write(self, event_name: str, sending: Sending) -> list[bytes]:
        _refuse_columns(sending)
        return [
            packed(sending, json_text(_cloud_event(event, event_name)).encode())
            for event in sending.events
        ]

    def send(self, place: Place, sending: Sending, written: list[bytes]) -> Taken:
        kind = "application/cloudevents+json"
        return _each_alone(
            [_posted_in_bulk(place, kind, body, sending) for body in written]
        )


@dataclass(frozen=True)
class BinaryCloudEvent:
    """A CloudEvent in the binary mode: its attributes are headers, its data the body."""

    name: str = "cloudevent-binary"

    def write(
        self, event_name: str, sending: Sending
    ) -> list[tuple[dict[str, str], bytes]]:
        _refuse_columns(sending)
        written = []
        for event in sending.events:
            attributes = _cloud_event(event, event_name)
            data = packed(sending, json_text(attributes.pop("data")).encode())
            written.append((_headers(attributes), data))
        return written

    def send(
        self,
        place: Place,
        sending: Sending,
        written: list[tuple[dict[str, str], bytes]],
    ) -> Taken:
        return _each_alone(
            [
                _posted_in_bulk(place, JSON, body, sending, headers)
                for headers, body in written
            ]
        )


@dataclass(frozen=True)
class CloudEvents:
    """CloudEvents in the batched mode."""

    name: str = "cloudevents"

    def write(self, event_name: str, sending: Sending) -> bytes:
        _refuse_columns(sending)
        events = [_cloud_event(event, event_name) for event in sending.events]
        return packed(sending, json_text(events).encode())

    def send(self, place: Place, sending: Sending, written: bytes) -> Taken:
        kind = "application/cloudevents-batch+json"
        return _posted_in_bulk(place, kind, written, sending)


BULK_ARROW = Bulk(
    "bulk-arrow",
    "application/vnd.apache.arrow.stream",
    lambda rows: stream_bytes(table_of(rows)),
)
BULK_PARQUET = Bulk(
    "bulk-parquet",
    "application/vnd.apache.parquet",
    lambda rows: parquet_bytes(table_of(rows)),
)
BULK_NDJSON = Bulk("bulk-ndjson", "application/x-ndjson", ndjson_bytes, is_text=True)


def _post(
    place: Place,
    path: str,
    kind: str,
    body: bytes,
    sending: Sending,
    headers: Mapping[str, str] | None = None,
) -> Answered:
    sent = {**sending.headers, **(headers or {}), "Content_Type": kind}
    if sending.wire is not None and sending.wire.coding is not None:
        sent["Content_Encoding"] = sending.wire.coding
    return place.http.ask("POST", path, body, **sent)


def _form(event: Event, event_name: str) -> bytes:
    pairs: Row = {
        "event_name": event.event_name or event_name,
        **{f"payload[{key}]": each for key, each in payload_of(event).items()},
    }
    if event.identifier not in (None, ABSENT):
        pairs["identifier"] = event.identifier
    if event.time is not ABSENT:
        pairs["timestamp"] = _form_time(event.time)
    texts = {name: form_text(each) for name, each in pairs.items()}
    return urlencode(texts, errors="surrogatepass").encode()


def _form_time(time: object) -> str:
    """Write a time as v1 has them, in whole seconds."""
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return form_text(time)
    if isinstance(time, datetime):
        if time.microsecond or time.tzinfo is None:
            reason = "a form has whole seconds since 1970"
            raise CannotWriteError(reason)
        return str(int(time.timestamp()))
    return form_text(time)


def _json(event: Event, event_name: str) -> bytes:
    body: Row = {
        "event_name": event.event_name or event_name,
        "payload": payload_of(event),
    }
    if event.identifier not in (None, ABSENT):
        body["identifier"] = event.identifier
    if event.time is not ABSENT:
        body["timestamp"] = event.time
    return json_text(body).encode()


def _cloud_event(event: Event, event_name: str) -> Row:
    if not isinstance(event.identifier, str) or event.identifier.count("/") != 1:
        reason = "the identifier of a CloudEvent is its source and its id"
        raise CannotWriteError(reason)
    source, _, event_id = event.identifier.partition("/")
    data = {"value": event.value, **event.payload}
    envelope = {
        "specversion": "1.0",
        "type": event.event_name or event_name,
        "source": source,
        "id": event_id,
        "subject": event.customer,
        "time": event.time,
        "data": {key: each for key, each in data.items() if each is not ABSENT},
    }
    return {key: each for key, each in envelope.items() if each is not ABSENT}


def _headers(attributes: Row) -> dict[str, str]:
    """Write attributes in headers, as an SDK does; one that is null is none."""
    headers = {}
    for name, each in attributes.items():
        text = time_text(each) if isinstance(each, datetime) else each
        if text is None:
            continue
        if not isinstance(text, str) or not text:
            reason = "a header holds text"
            raise CannotWriteError(reason)
        encoded(text)
        headers[f"ce_{name}"] = quote(text)
    return headers


def _posted_in_bulk(
    place: Place,
    kind: str,
    content: bytes,
    sending: Sending,
    headers: Mapping[str, str] | None = None,
) -> Taken:
    query = {name: _query_text(given) for name, given in sending.options.items()} | {
        f"{role}_column": column for role, column in sending.columns.items()
    }
    path = f"{BULK}?{urlencode(query, doseq=True)}" if query else BULK
    answered = _post(place, path, kind, content, sending, headers)
    statuses = (answered.status,)
    if answered.status != 200:
        return Taken(source=_refusal(answered), statuses=statuses)
    receipt = answered.json
    return Taken(
        refused={
            each["row"]: Refused(each["code"], each["message"])
            for each in receipt["rejections"]
        },
        left_out=receipt.get("left_out", {}),
        rounded=receipt.get("rounded", 0),
        statuses=statuses,
    )


def _query_text(given: object) -> object:
    match given:
        case bool():
            return "true" if given else "false"
        case _:
            return given


def _each_alone(taken: list[Taken]) -> Taken:
    """Put together what was said of one event each."""
    refused: dict[int, Refused] = {}
    left_out: dict[str, int] = {}
    for number, each in enumerate(taken):
        if each.source is not None:
            refused[number] = each.source
        elif each.refused:
            refused[number] = each.refused[0]
        for key, times in each.left_out.items():
            left_out[key] = left_out.get(key, 0) + times
    return Taken(
        refused=refused,
        left_out=left_out,
        rounded=sum(each.rounded for each in taken),
        statuses=tuple(status for each in taken for status in each.statuses),
    )


def _taken_one_by_one(answers: list[Answered]) -> Taken:
    return Taken(
        refused={
            number: _refusal(answered)
            for number, answered in enumerate(answers)
            # What was recorded before is no refusal, though Stripe answers 400.
            if answered.status != 200 and not _is_repeated(answered)
        },
        statuses=tuple(answered.status for answered in answers),
    )


def _refusal(answered: Answered) -> Refused:
    error = answered.error
    return Refused(error.get("code", ""), error["message"])


def _is_repeated(answered: Answered) -> bool:
    return "already exists" in answered.error["message"]


def _reported(place: Place, keys: Mapping[str, int]) -> dict[int, Refused]:
    """Return what the stream refused, found by the names of its requests.

    Reports are of the log's time: that of the store, or the machine's once the command
    line has recorded something. One clock finds them too old, the other yet to come.
    """
    with place.at(place.clock.now() + timedelta(hours=1)):
        reports = [place.store.error_reports.list(limit=10).data]
    reports.append(place.ahead.error_reports.list(limit=10).data)
    return {
        keys[request]: Refused(errors.code, message)
        for report in chain.from_iterable(reports)
        for errors in report.error_types
        for message, request in errors.samples
        if request in keys
    }


def _refuse_columns(sending: Sending) -> None:
    if sending.columns or sending.written:
        reason = "CloudEvents have no columns"
        raise CannotWriteError(reason)


def _refuse_text(sending: Sending) -> None:
    """Say that a body is no text: it may be compressed, but not otherwise written."""
    if sending.wire is not None and sending.wire.coding is None:
        refuse_wire(sending)
