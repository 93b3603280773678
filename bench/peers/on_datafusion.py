"""DataFusion, with its default of all cores."""

from pathlib import Path
from typing import Final

import pyarrow as pa
from datafusion import SessionContext

from bench.peers.result import MICROSECONDS_PER_DAY, reaggregate

_DAILY: Final = f"""
SELECT event_name,
    customer,
    arrow_cast(day * {MICROSECONDS_PER_DAY}, 'Timestamp(µs, "UTC")') AS window_start,
    value,
    event_count
FROM (
    SELECT event_name,
        customer,
        CAST(timestamp AS BIGINT) / {MICROSECONDS_PER_DAY} AS day,
        sum(value) AS value,
        count(*) AS event_count
    FROM event
    GROUP BY 1, 2, 3
)
ORDER BY event_name, customer, window_start
"""  # noqa: S608 (only a constant of ours goes into it)


def daily_usage(segments: Path) -> pa.Table:
    """Add up the events of all segments by day."""
    context = SessionContext()
    context.register_parquet("event", str(segments))
    return context.sql(_DAILY).to_arrow_table()


if __name__ == "__main__":
    reaggregate(daily_usage)
