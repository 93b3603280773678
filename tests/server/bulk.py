"""Own how these tests send rows in bulk, and in which formats."""

import io
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import metering
from tests.server.running import Answered, Askable, Server
from tests.server.usage import unique

PATH = "/metering/v1/meter_events"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
NDJSON = "application/x-ndjson"
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"
# All digits that a value can have: 18 before the point, 12 behind it.
LONGEST_VALUE = Decimal("123456789012345678.123456789012")


def new_event_name(server: Server, name: str | None = None) -> str:
    """A meter of its own, so that tests do not see each other's usage."""
    name = name or unique("event")
    with server.store() as store:
        store.meters.create(
            display_name="A meter",
            event_name=name,
            default_aggregation={"formula": "sum"},
        )
    return name


def table_of(name: str, values: Sequence[Any], **columns: Sequence[Any]) -> pa.Table:
    """Rows with identifiers, unless `columns` says otherwise."""
    rows = len(values)
    return pa.table(
        {
            "event_name": [name] * rows,
            "identifier": [f"{name}-{row}" for row in range(rows)],
            "stripe_customer_id": ["cus_1"] * rows,
            "value": pa.array(values, pa.decimal128(38, 12)),
            **columns,
        }
    )


def arrow_of(
    *tables: pa.Table,
    rows_per_batch: int | None = None,
    options: pa.ipc.IpcWriteOptions | None = None,
) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, tables[0].schema, options=options) as writer:
        for table in tables:
            writer.write_table(table, rows_per_batch)
    return bytes(sink.getvalue())


def with_fault(body: bytes) -> bytes:
    """Make a text of a later batch one that is no UTF-8: that of the customer `cus_2`."""
    assert body.count(b"cus_2") == 1
    return body.replace(b"cus_2", b"cus\xff2")


def parquet_of(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def ndjson_of(table: pa.Table) -> bytes:
    rows = [
        {key: str(each) if key == "value" else each for key, each in row.items()}
        for row in table.to_pylist()
    ]
    return b"\n".join(json.dumps(row).encode() for row in rows)


def cloud_event(name: str, event_id: str, **fields: object) -> dict[str, object]:
    event = {
        "specversion": "1.0",
        "type": name,
        "source": "/tests",
        "id": event_id,
        "subject": "cus_1",
        "data": {"value": "1"},
        **fields,
    }
    return {key: value for key, value in event.items() if value is not None}


def send(
    server: Askable, kind: str, body: bytes, query: str = "?now=true", **headers: str
) -> Answered:
    """Send rows, which happen now where they have no time."""
    return server.ask("POST", f"{PATH}{query}", body, Content_Type=kind, **headers)


def numbers_of(answered: Answered) -> tuple[int, int, int]:
    """How many rows were accepted, duplicates, and rejected."""
    assert answered.status == 200, answered.body
    told = answered.json
    return told["accepted"], told["duplicates"], told["rejected"]


def recorded(server: Server, name: str) -> list[metering.MeterEvent]:
    with server.store() as store:
        return list(store.meter_events.list(event_name=name))
