"""DuckDB, by hand: one statement over all segments, with its default of all cores.

Days are counted in integers, which is twice as fast as `date_trunc`, and made times of
once they are few. Months are those of times without a zone, which takes a third of the
time that those with one take.
"""

from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from bench.peers.result import MICROSECONDS_PER_DAY, reaggregate

_DAILY: Final = f"""
SELECT event_name,
    customer,
    make_timestamptz(day * {MICROSECONDS_PER_DAY}) AS window_start,
    value,
    event_count
FROM (
    SELECT event_name,
        customer,
        epoch_us(timestamp) // {MICROSECONDS_PER_DAY} AS day,
        sum(value) AS value,
        count(*) AS event_count
    FROM read_parquet($files)
    GROUP BY ALL
)
ORDER BY event_name, customer, window_start
"""  # noqa: S608 (only a constant of ours goes into it)


_MONTHLY: Final = """
SELECT event_name,
    customer,
    month AT TIME ZONE 'UTC' AS window_start,
    value,
    event_count
FROM (
    SELECT event_name,
        customer,
        date_trunc('month', make_timestamp(epoch_us(timestamp))) AS month,
        sum(value) AS value,
        count(*) AS event_count
    FROM read_parquet($files)
    GROUP BY ALL
)
ORDER BY event_name, customer, window_start
"""


def daily_usage(segments: Path) -> pa.Table:
    """Add up the events of all segments by day."""
    with duckdb.connect() as connection:
        return by_day(connection, segments)


def by_day(connection: duckdb.DuckDBPyConnection, segments: Path) -> pa.Table:
    """Do so on a connection that stands."""
    files = {"files": str(segments / "*.parquet")}
    return connection.sql(_DAILY, params=files).to_arrow_table()


def by_month(connection: duckdb.DuckDBPyConnection, segments: Path) -> pa.Table:
    """Add up the events of all segments by month."""
    files = {"files": str(segments / "*.parquet")}
    return connection.sql(_MONTHLY, params=files).to_arrow_table()


if __name__ == "__main__":
    reaggregate(daily_usage)
