"""Own events as segments: tables and small Parquet files in the layout of a segment."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ledger.segments.parts import LocalFile, checksums_of
from ledger.usage.columns import PAYLOAD, TIMESTAMP, WORD
from ledger.usage.quantities import QUANTITY
from tests.projections.scans.reaggregation.naive import Event

SCHEMA = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("recorded_at", TIMESTAMP, nullable=False),
        pa.field("event_name", WORD, nullable=False),
        pa.field("customer", WORD, nullable=False),
        pa.field("timestamp", TIMESTAMP, nullable=False),
        pa.field("value", QUANTITY),
        pa.field("identifier", pa.string(), nullable=False),
        pa.field("payload", PAYLOAD, nullable=False),
        pa.field("identifier_hash", pa.uint64(), nullable=False),
        pa.field("content_hash", pa.uint64(), nullable=False),
    ]
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROWS_IN_A_GROUP = 4


def instant(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def table_of(events: Sequence[Event]) -> pa.Table:
    """Make a table in the order of the events."""
    return pa.Table.from_pylist(
        [
            {
                "position": event.position,
                "recorded_at": event.timestamp,
                "event_name": event.event_name,
                "customer": event.customer,
                "timestamp": event.timestamp,
                "value": event.value,
                "identifier": str(event.position),
                "payload": sorted(event.payload.items()),
                "identifier_hash": 0,
                "content_hash": 0,
            }
            for event in events
        ],
        schema=SCHEMA,
    )


def write_segment(events: Sequence[Event], path: Path) -> LocalFile:
    """Write events as a segment, with few rows in a group."""
    in_order = sorted(
        events,
        key=lambda each: (
            each.event_name.encode(),
            each.customer.encode(),
            each.timestamp,
            each.position,
        ),
    )
    pq.write_table(
        table_of(in_order),
        path,
        row_group_size=ROWS_IN_A_GROUP,
        write_page_checksum=True,
    )
    content = pa.py_buffer(path.read_bytes())
    return LocalFile(
        path=str(path),
        name=path.name,
        checksums=checksums_of(content),
        metadata=pq.read_metadata(path),
    )
