"""Ingest a Parquet file and tell the peak memory: `python -m bench.parquet_ingest`.

Runs in a process of its own, since the peak counts for the whole life of a process.
Prints one line of JSON.
"""

import resource
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

import metering
from bench import project

_STATUS: Final = Path("/proc/self/status")


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
        peak_memory_bytes=_peak_memory_bytes(),
    )


def _peak_memory_bytes() -> int:
    # Linux hands the peak that getrusage tells from the parent process to its child,
    # so it would include the batches of other benchmarks.
    if _STATUS.exists():
        peaks = [
            line.split()[1]
            for line in _STATUS.read_text().splitlines()
            if line.startswith("VmHWM:")
        ]
        return int(peaks[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    outcome = ingest(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
