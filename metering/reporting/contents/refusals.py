"""The report of rejected events: how often the stream refused some, and why.

Refusals lie beside the log and are kept for 30 days. They are counted by windows of ten
seconds; one that has ended does not change any more.
"""

from collections.abc import Iterator

import pyarrow as pa

from ledger.records.refusals import Refusals
from ledger.usage.columns import TIMESTAMP, rows_table
from metering.reporting.contents.asked import AskedReport, ReportProgress
from metering.store.engine import Engine
from projections.windows import DAY

REFUSALS = pa.schema(
    [
        pa.field("window_start", TIMESTAMP, nullable=False),
        pa.field("meter", pa.string()),
        pa.field("code", pa.string(), nullable=False),
        pa.field("error_count", pa.int64(), nullable=False),
        pa.field("sample_message", pa.string()),
        pa.field("sample_request", pa.string()),
    ]
)


def rejected_events(
    engine: Engine, asked: AskedReport, advance: ReportProgress
) -> Iterator[pa.RecordBatch]:
    """Yield a row for each window, meter and code, in this order, a day at a time.

    Windows that begin in the interval count. Of their errors the first is a sample.
    """
    livemode = engine.settings.livemode
    for at in range(asked.start, asked.end, DAY):
        end = min(at + DAY, asked.end)
        # A pool may have one connection, which whoever takes the rows needs.
        with engine.log.read() as connection:
            found = Refusals(connection).of_all_between(at, end, livemode=livemode)
        rows = [
            (
                start,
                meter_id or None,
                each.code,
                each.error_count,
                *(each.samples[0] if each.samples else (None, None)),
            )
            for start, meter_id, each in found
            if start >= at
        ]
        yield from rows_table(rows, REFUSALS).to_batches()
        advance(end - asked.start, asked.end - asked.start)
