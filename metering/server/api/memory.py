"""Memory: what a large request took is given back to the system when it is answered.

Allocators keep what was freed for the next request: Arrow's of each thread, and the C
library's. A server that once received a large body would hold its peak for good.
"""

import ctypes
import os
import threading
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

GROWN_BYTES = 32 << 20
"""By how much the process must have grown since memory was given back to give back more."""
_STATM = Path("/proc/self/statm")


class SpareMemory:
    """Memory of this process that is in no use. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = resident_bytes()
        self._trim = _trimming()

    def give_back(self) -> None:
        """Give memory back, where the process has grown much since it last did."""
        if resident_bytes() < self._held + GROWN_BYTES:
            return
        # Where another thread is at it, it does it for all.
        if self._lock.acquire(blocking=False):
            try:
                pa.default_memory_pool().release_unused()
                if self._trim is not None:
                    self._trim(0)
                self._held = resident_bytes()
            finally:
                self._lock.release()


def resident_bytes() -> int:
    """Return how much memory this process holds; 0 where the system does not say."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _trimming() -> "ctypes._NamedFuncPointer | None":
    """Return the C library's function that returns free memory; only glibc has one."""
    with suppress(OSError, AttributeError):
        return ctypes.CDLL(None).malloc_trim
    return None
