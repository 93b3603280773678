"""ClickHouse, embedded as chdb, with its default of all cores."""

from pathlib import Path
from typing import Final

import chdb
import pyarrow as pa

from bench.peers.result import MICROSECONDS_PER_DAY, reaggregate

_DAILY: Final = """
SELECT event_name,
    customer,
    fromUnixTimestamp64Micro(day * {day}, 'UTC') AS window_start,
    value,
    event_count
FROM (
    SELECT event_name,
        customer,
        intDiv(toUnixTimestamp64Micro(timestamp), {day}) AS day,
        sum(value) AS value,
        toInt64(count()) AS event_count
    FROM file('{files}', Parquet)
    GROUP BY event_name, customer, day
)
ORDER BY event_name, customer, window_start
SETTINGS output_format_arrow_string_as_string = 1
"""


def daily_usage(segments: Path) -> pa.Table:
    """Add up the events of all segments by day."""
    query = _DAILY.format(day=MICROSECONDS_PER_DAY, files=segments / "*.parquet")
    answer = chdb.query(query, "ArrowStream")  # type: ignore[no-untyped-call] # not typed
    with pa.ipc.open_stream(answer.bytes()) as reader:
        return reader.read_all()


if __name__ == "__main__":
    reaggregate(daily_usage)
