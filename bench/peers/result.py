"""What each of the peers leaves, and how it is timed."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa

from bench.processes.running import tell

MICROSECONDS_PER_DAY: Final = 86_400_000_000
COLUMNS: Final = ("event_name", "customer", "window_start", "value", "event_count")


def reaggregate(work: Callable[[Path], pa.Table]) -> None:
    """Do the work that the command line asks for, write its result and tell of it.

    Args:
        work: Takes the source, gives a table sorted by its first columns.
    """
    source, out = map(Path, sys.argv[1:3])
    started = time.perf_counter()
    write(work(source), out)
    tell(time.perf_counter() - started)


def write(table: pa.Table, out: Path) -> None:
    """Write a table as an Arrow IPC stream, which takes each peer's types as they are."""
    with (
        pa.OSFile(str(out), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as writer,
    ):
        writer.write_table(table)
