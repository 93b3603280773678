"""Ingest a Parquet file and tell the peak memory: `python -m bench.processes.parquet_ingest`.

Runs in a process of its own, since the peak counts for the whole life of a process.
Prints one line of JSON.
"""

import sys
import time
from pathlib import Path

import msgspec

import metering
from bench.processes.running import peak_memory_bytes
from bench.stores import project


class ParquetIngest(msgspec.Struct, frozen=True, kw_only=True):
    """What the process reports; the seconds are those of the ingest alone."""

    accepted: int
    duplicates: int
    rejected: int
    seconds: float
    peak_memory_bytes: int


def ingest(store: Path, source: Path) -> ParquetIngest:
    """Ingest a Parquet file of the traffic into a new store."""
    with metering.connect(store) as engine:
        project.create_meters(engine)
        started = time.perf_counter()
        receipt = engine.meter_events.ingest(source, backfill=True)
        seconds = time.perf_counter() - started
    return ParquetIngest(
        accepted=receipt.accepted,
        duplicates=receipt.duplicates,
        rejected=receipt.rejected,
        seconds=seconds,
        peak_memory_bytes=peak_memory_bytes(),
    )


if __name__ == "__main__":
    outcome = ingest(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
