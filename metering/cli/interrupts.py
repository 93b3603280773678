"""Ctrl-C while the program loads: it ends at once, in one line.

An exception would not do. Some of what loads turns it into another one, and leaves
modules behind that are loaded by half. Nothing is open yet that has to be closed.
"""

import os
import signal
from importlib import import_module
from types import FrameType

INTERRUPTED = 130


def end_at_once() -> None:
    """Let Ctrl-C end this process, unless it is ignored, as in the background."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """Let Ctrl-C raise an exception again: there is something to be closed now."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def load_queries() -> None:
    """Load DuckDB, which takes a while, where Ctrl-C still ends this process."""
    import_module("projections.scans.sql")


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    os.write(2, b"metering: Interrupted\n")
    os._exit(INTERRUPTED)
