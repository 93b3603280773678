"""Contestants that run as processes of their own: started, timed and listened to.

The time is that of the whole process, from its start to its end: what is wanted once a
night is not asked of a process that is warm. The process itself reports
what it took without the start of Python and the imports, and its peak memory: Linux
hands the peak of getrusage from a parent process to its child.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

_COMPILES_ALWAYS: Final = "PYTHONDONTWRITEBYTECODE"
_STATUS: Final = Path("/proc/self/status")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a process tells when it is done, as one line of JSON."""

    work_seconds: float
    peak_memory_bytes: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a process took.

    Attributes:
        seconds: From its start to its end.
        work_seconds: Without the start of Python and the imports.
        peak_memory_bytes: Of the whole process.
    """

    seconds: float
    work_seconds: float
    peak_memory_bytes: int


def run(module: str, *arguments: object) -> Outcome:
    """Run a module in a fresh process; it ends with `tell`."""
    started = time.perf_counter()
    told = msgspec.json.decode(output_of(module, *arguments), type=Told)
    return Outcome(
        seconds=time.perf_counter() - started,
        work_seconds=told.work_seconds,
        peak_memory_bytes=told.peak_memory_bytes,
    )


def output_of(module: str, *arguments: object) -> bytes:
    """Run a module in a fresh process, and read what it prints."""
    done = subprocess.run(  # noqa: S603 (the command is our own, no shell reads it)
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        env=compiling_once(),
        check=True,
        stdout=subprocess.PIPE,
    )
    return done.stdout


def compiling_once() -> dict[str, str]:
    """Return the environment of processes that keep what they compile.

    The first one compiles the modules of a checkout; those of the peers were compiled
    when they were installed, as this project's are where it is.
    """
    return {key: each for key, each in os.environ.items() if key != _COMPILES_ALWAYS}


def tell(work_seconds: float) -> None:
    """Print what this process took; the last thing that it does."""
    told = Told(work_seconds=work_seconds, peak_memory_bytes=peak_memory_bytes())
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")


def peak_memory_bytes() -> int:
    """Return how much memory this process has held at once."""
    if _STATUS.exists():
        peaks = [
            line.split()[1]
            for line in _STATUS.read_text().splitlines()
            if line.startswith("VmHWM:")
        ]
        return int(peaks[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
