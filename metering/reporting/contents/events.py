"""The report of events: each as it was recorded, in the order of the log."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from ledger.usage.columns import PAYLOAD, TIMESTAMP, column_of
from ledger.usage.quantities import QUANTITY
from metering.reporting.contents.asked import AskedReport, ReportProgress
from metering.store.engine import Engine
from metering.usage.listing import EventQuery, recorded_batches

EVENTS = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("recorded_at", TIMESTAMP, nullable=False),
        pa.field("event_name", pa.string(), nullable=False),
        pa.field("identifier", pa.string(), nullable=False),
        pa.field("customer", pa.string(), nullable=False),
        pa.field("timestamp", TIMESTAMP, nullable=False),
        pa.field("value", QUANTITY),
        pa.field("payload", PAYLOAD, nullable=False),
        pa.field("is_cancelled", pa.bool_(), nullable=False),
    ]
)

_ROWS_AT_A_TIME = 16_384


def events(
    engine: Engine, asked: AskedReport, advance: ReportProgress
) -> Iterator[pa.RecordBatch]:
    """Yield the events whose timestamps lie in the interval, cancelled ones marked.

    A segment is in memory at a time, or a commit of the tail.
    """
    engine.log.catch_up()
    view, cancelled = engine.usage.view(), engine.usage.cancelled(asked.position)
    wanted = EventQuery(None, None, asked.start, asked.end, 0)
    for batch, positions, recorded_at in recorded_batches(engine.log, view, wanted):
        count = int(np.searchsorted(positions, asked.position, side="right"))
        for start in range(0, count, _ROWS_AT_A_TIME):
            rows = slice(start, min(start + _ROWS_AT_A_TIME, count))
            piece = batch.slice(start, rows.stop - start)
            yield _batch(piece, positions[rows], recorded_at[rows], cancelled)
            advance(int(positions[rows.stop - 1]), asked.position)
        if count < len(positions):
            return


def _batch(
    events: pa.RecordBatch,
    positions: np.ndarray,
    recorded_at: np.ndarray,
    cancelled: np.ndarray,
) -> pa.RecordBatch:
    columns = {
        **dict(zip(events.schema.names, events.columns, strict=True)),
        "position": column_of(positions),
        "recorded_at": column_of(recorded_at).view(TIMESTAMP),
        "is_cancelled": pa.array(np.isin(positions, cancelled).tolist()),
    }
    return pa.RecordBatch.from_arrays(
        [columns[each.name].cast(each.type) for each in EVENTS], schema=EVENTS
    )
