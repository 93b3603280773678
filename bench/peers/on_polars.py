"""Polars, lazy and streaming, with its default of all cores."""

from pathlib import Path

import polars as pl
import pyarrow as pa

from bench.peers.result import COLUMNS, MICROSECONDS_PER_DAY, reaggregate


def daily_usage(segments: Path) -> pa.Table:
    """Add up the events of all segments by day."""
    keys = list(COLUMNS[:3])
    day = pl.col("timestamp").to_physical() // MICROSECONDS_PER_DAY
    totals = (
        pl.scan_parquet(segments / "*.parquet")
        .group_by("event_name", "customer", day.alias("window_start"))
        .agg(pl.col("value").sum(), pl.len().cast(pl.Int64).alias("event_count"))
        .with_columns(
            (pl.col("window_start") * MICROSECONDS_PER_DAY).cast(
                pl.Datetime("us", "UTC")
            )
        )
        .sort(keys)
        .collect(engine="streaming")
    )
    return totals.to_arrow()


if __name__ == "__main__":
    reaggregate(daily_usage)
