"""This project: the public door, with its default of all cores."""

from pathlib import Path

import pyarrow as pa

import metering
from bench.peers.result import COLUMNS, reaggregate


def daily_usage(store: Path) -> pa.Table:
    """Recompute all summaries of a store by day."""
    with metering.connect(store, create=False, seal_events=None) as engine:
        # The columns that all contestants write.
        return engine.reaggregate(window="day").select(COLUMNS)


if __name__ == "__main__":
    reaggregate(daily_usage)
