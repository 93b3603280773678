"""Memory: what a large request took is given back to the system when it is answered.

Allocators keep what was freed for the next request: Arrow's of each thread, and the C
library's. A server that once received a large body would hold its peak for good.
"""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

GROWN_BYTES = 32 << 20
"""By how much the process must have grown since memory was given back to give back more."""
_STATM = Path("/proc/self/statm")


class SpareMemory:
    """Memory of this process that is in no use. Requests are noted by one thread."""

    def __init__(self) -> None:
        self._users = 0
        self._held = resident_bytes()
        self._trim = _trimming()

    def use(self) -> None:
        """Note a request that may take much memory, and ends with `end_use`."""
        self._users += 1

    def end_use(self) -> bool:
        """Note the end of one, and return whether there is memory to give back.

        What one leaves the next takes, so there is nothing to give back before the last.
        """
        self._users -= 1
        return not self._users and resident_bytes() >= self._held + GROWN_BYTES

    def give_back(self) -> None:
        """Give memory back, which takes long enough to be done on a thread of its own."""
        pa.default_memory_pool().release_unused()
        if self._trim is not None:
            self._trim(0)
        self._held = resident_bytes()


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


def use_system_pool() -> None:
    """Have Arrow take memory from the C library, which gives back that of all threads.

    Arrow's own allocators keep what another thread freed. For the process as a whole, so
    only a server that has it for itself does this.
    """
    pa.set_memory_pool(pa.system_memory_pool())
