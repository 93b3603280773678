"""DuckDB, by hand: one statement over all segments, with its default of all cores.

Days are counted in integers, which is twice as fast as `date_trunc`, and made times of
once they are few. Months are those of times without a zone, which takes a third of the
time that those with one take. A query is written as for one question only.
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

_ANSWERED: Final = """
SELECT event_name,
    customer,{model}
    {window_start} AS window_start,
    value,
    event_count
FROM (
    SELECT event_name,
        customer,{of_model}
        {since} AS since,
        {value} AS value,
        count(*) AS event_count
    FROM read_parquet($files)
    WHERE position <= $position
    GROUP BY ALL
)
ORDER BY event_name, customer,{in_order} window_start
"""
_UP_TO: Final = "    WHERE position <= $position\n"
_DAY: Final = f"epoch_us(timestamp) // {MICROSECONDS_PER_DAY}"
_OF_DAY: Final = f"make_timestamptz(since * {MICROSECONDS_PER_DAY})"
_LAST: Final = "arg_max(value, (timestamp, position))"
_BERLIN: Final = "date_trunc('day', timestamp AT TIME ZONE 'Europe/Berlin')"


def _written(
    since: str = _DAY,
    window_start: str = _OF_DAY,
    value: str = "sum(value)",
    *,
    has_model: bool = False,
    has_position: bool = False,
) -> str:
    query = _ANSWERED if has_position else _ANSWERED.replace(_UP_TO, "")
    return query.format(
        since=since,
        window_start=window_start,
        value=value,
        model="\n    model," if has_model else "",
        of_model="\n        payload['model'] AS model," if has_model else "",
        in_order=" model NULLS FIRST," if has_model else "",
    )


ANSWERS: Final = {
    "day": _written(),
    "month": _MONTHLY,
    "payload key": _written(has_model=True),
    "max": _written(value="max(value)"),
    "last": _written(value=_LAST),
    "Berlin": _written(_BERLIN, "since AT TIME ZONE 'Europe/Berlin'"),
    "as of a position": _written(has_position=True),
}
"""What answers the questions of a re-aggregation, by name."""


def answer(
    connection: duckdb.DuckDBPyConnection, segments: Path, name: str, position: int
) -> pa.Table:
    """Answer a question on a connection that stands, up to a position if it says so."""
    query = ANSWERS[name]
    given: dict[str, object] = {"files": str(segments / "*.parquet")}
    if _UP_TO in query:
        given["position"] = position
    return connection.sql(query, params=given).to_arrow_table()


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
