"""The route of meter events in bulk: rows in, the outcome of each out.

Rows without identifiers get ones made of the API key, the idempotency key and the row's
number, where there is an idempotency key: sent again each row counts once. Another body
under the same key is refused while the server remembers the first; after that, its rows
contradict what was recorded, and are refused one by one. An answer is not kept: the
answer to a repetition counts duplicates.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import pyarrow as pa
from msgspec import Meta

from metering.arguments.ids import identifier_of
from metering.arguments.strings import LONGEST_TEXT
from metering.bodies import encoded
from metering.decoding.compression import Compression
from metering.errors import InvalidRequestError, SourceError, SourceTooLargeError
from metering.server.api.errors import (
    BodyTooLargeError,
    EventRejectedError,
    RowsTooLargeError,
    RowsUnreadableError,
)
from metering.server.api.requests import BodyLimits
from metering.server.api.routes import Answer, Call, Content, Route, RowsBody
from metering.server.grammar.cloud_events import takes_body_for_event
from metering.server.grammar.dialects import EXTENSION
from metering.server.grammar.media_types import ARROW, CLOUD_EVENT, JSON, prefers_arrow
from metering.usage.ingest.bodies import EventsBody, Format
from metering.usage.ingest.files import readable
from metering.usage.ingest.layout import Columns
from metering.usage.ingest.naming import NamingByText
from metering.usage.ingest.options import IngestOptions
from metering.usage.ingest.receipts import IngestProgress, IngestReceipt

REJECTIONS_MAX = 1_000
"""How many a JSON answer lists; an Arrow stream has all."""

_FORMATS = {
    ARROW: Format.ARROW,
    "application/vnd.apache.parquet": Format.PARQUET,
    "application/x-ndjson": Format.NDJSON,
    CLOUD_EVENT: Format.CLOUD_EVENT,
    "application/cloudevents-batch+json": Format.CLOUD_EVENTS,
}
# Parsed as a whole, JSON takes many times its length, and the interpreter meanwhile.
_CLOUD_EVENTS_MAX = 2 << 20
# Each is held until the answer; so many are one mistake that all rows share.
_REJECTED_MAX = 250_000
_LIMITS = BodyLimits(
    sent_max=64 << 20,
    decoded_max=512 << 20,
    compressions=(Compression.GZIP, Compression.ZSTD),
)
_OBJECT = "metering.ingest_receipt"
_COLUMNS = {
    "event_name_column": "event_name",
    "identifier_column": "identifier",
    "timestamp_column": "timestamp",
    "customer_column": "customer",
    "value_column": "value",
    "payload_column": "payload",
    "payload_columns": "payload_keys",
}

_ColumnName = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT)]


class BulkIngest(IngestOptions, frozen=True, kw_only=True):
    """How rows are recorded, and which columns they have.

    Attributes:
        event_name_column: name of the column of event names.
        identifier_column: name of the column of identifiers.
        timestamp_column: name of the column of timestamps.
        customer_column: name of the column of customers.
        value_column: name of the column of values.
        payload_column: name of the column of payloads.
        payload_columns: names of the only columns that are payload keys, those of the
            meter for the customer and the value among them unless they are named
            above; all others are if left out.
    """

    event_name_column: _ColumnName | None = None
    identifier_column: _ColumnName | None = None
    timestamp_column: _ColumnName | None = None
    customer_column: _ColumnName | None = None
    value_column: _ColumnName | None = None
    payload_column: _ColumnName | None = None
    payload_columns: Sequence[_ColumnName] | None = None


def _ingest(call: Call) -> Answer:
    body = _body(call)
    columns = _columns(call, body.format)
    reached: list[IngestProgress] = []

    def watch(progress: IngestProgress) -> None:
        reached.append(progress)
        if progress.rejected > _REJECTED_MAX:
            raise SourceError(f"More than {_REJECTED_MAX} rows were rejected")

    try:
        # Whatever else of Arrow's is broken in it shows when its rows are worked on.
        with readable(body.name):
            _check_length(body)
            receipt = call.m.meter_events.ingest(
                body,
                columns=columns,
                progress=watch,
                **_options(call),
            )
    except SourceError as error:
        kind = RowsUnreadableError
        if isinstance(error, SourceTooLargeError):
            kind = RowsTooLargeError
        raise kind(error, reached[-1] if reached else None) from error
    if body.format is Format.CLOUD_EVENT:
        _check_recorded(receipt)
        if takes_body_for_event(call.prefer):
            return Answer(content=Content(media_type=JSON, body=b""))
    if prefers_arrow(call.accept):
        return Answer(content=Content(media_type=ARROW, body=_stream_of(receipt)))
    return Answer(
        body={
            **_numbers_of(receipt),
            "rejections": receipt.rejections[:REJECTIONS_MAX].to_pylist(),
            "has_more_rejections": receipt.rejected > REJECTIONS_MAX,
        }
    )


def _check_recorded(receipt: IngestReceipt) -> None:
    """Refuse the one event of a body: its sender reads nothing but the status.

    Raises:
        EventRejectedError: it was rejected.
    """
    if receipt.rejected:
        [rejection] = receipt.rejections.to_pylist()
        raise EventRejectedError(rejection["code"], rejection["message"])


def _body(call: Call) -> EventsBody:
    assert call.rows is not None, "the route takes rows"
    rows = call.rows
    # Not of what is in the body: rows that were kept before a fault are the same ones
    # when it is mended.
    request = call.request
    naming = None if request is None else NamingByText(identifier_of(request))
    return EventsBody(
        content=rows.content,
        packed=rows.packed,
        format=_FORMATS[rows.media_type],
        attributes=rows.attributes,
        unpack_factor=rows.unpack_factor,
        naming=naming,
    )


def _check_length(body: EventsBody) -> None:
    """Check the length of what is parsed, or held, as a whole."""
    most = None
    if body.format.is_cloud_events:
        most = _CLOUD_EVENTS_MAX
    elif body.packed is not None and body.format is not Format.NDJSON:
        # Read in place, whole.
        most = _LIMITS.sent_max
    if most is not None and body.is_longer_than(most):
        raise BodyTooLargeError(most, body.format.value)


def _columns(call: Call, kind: Format) -> Columns:
    named = {param: call.given[param] for param in _COLUMNS if param in call.given}
    if named and kind.is_cloud_events:
        param = next(iter(named))
        raise InvalidRequestError(
            f"Invalid {param}: CloudEvents have no columns", param=param
        )
    if (kept := named.get("payload_columns")) is not None:
        named["payload_columns"] = tuple(kept)
    return Columns(**{_COLUMNS[param]: given for param, given in named.items()})


def _options(call: Call) -> dict[str, Any]:
    names = IngestOptions.__struct_fields__
    return {name: call.given[name] for name in names if name in call.given}


def _numbers_of(receipt: IngestReceipt) -> dict[str, Any]:
    return {
        "object": _OBJECT,
        "accepted": receipt.accepted,
        "duplicates": receipt.duplicates,
        "rejected": receipt.rejected,
        "cancelled": receipt.cancelled,
        "rounded": receipt.rounded,
        "first_position": receipt.first_position,
        "last_position": receipt.last_position,
        "left_out": dict(receipt.left_out),
    }


def _stream_of(receipt: IngestReceipt) -> bytes:
    """Write all rejections as an Arrow stream, the numbers in its schema's metadata."""
    numbers = {_OBJECT: encoded(_numbers_of(receipt))}
    table = receipt.rejections.replace_schema_metadata(numbers)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


ROUTES = (
    Route(
        method="POST",
        dialect=EXTENSION,
        path="/metering/v1/meter_events",
        scope="ingest",
        summary="Record many meter events, and report each row that was rejected.",
        handler=_ingest,
        takes=BulkIngest,
        keeps_answers=False,
        rows=RowsBody(
            media_types=tuple(_FORMATS), limits=_LIMITS, takes_binary_mode=True
        ),
    ),
)
