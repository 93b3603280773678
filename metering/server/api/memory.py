"""Memory: what a large request took is given back to the system when it is answered.

So is what the work behind it took, such as sealing. Nobody waits for either. Allocators
keep what was freed for the next request: Arrow's of each thread, and the C library's. A
server that once received a large body would hold its peak for good.
"""

import os
from pathlib import Path

import pyarrow as pa

from metering.store.memory import function_of_glibc, give_back_memory

GROWN_BYTES = 32 << 20
"""By how much the process must have grown since memory was given back to give back more."""
_STATM = Path("/proc/self/statm")
# By the numbers that <malloc.h> of glibc gives them.
_TRIM_THRESHOLD, _MAPPED_FROM, _ARENAS = -1, -3, -8
_MAPPED_BYTES = 1 << 20
_KEPT_BYTES = 2 << 20
_ARENAS_MAX = 4


class SpareMemory:
    """Memory of this process that is in no use. Requests are noted by one thread."""

    def __init__(self) -> None:
        self._users = 0
        self._held = resident_bytes()

    def use(self) -> None:
        """Note a request that may take much memory, and ends with `end_use`."""
        self._users += 1

    def end_use(self) -> None:
        """Note the end of one."""
        self._users -= 1

    @property
    def is_there(self) -> bool:
        """Whether there is memory to give back.

        What one request leaves the next takes, so there is none before the last.
        """
        return not self._users and resident_bytes() >= self._held + GROWN_BYTES

    def give_back(self) -> None:
        """Give memory back, which takes long enough to be done on a thread of its own."""
        give_back_memory()
        self._held = resident_bytes()


def resident_bytes() -> int:
    """Return how much memory this process holds; 0 where the system does not say."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def use_system_allocator() -> None:
    """Have Arrow take memory from the C library, which gives back that of all threads.

    Arrow's own allocators keep what another thread freed. The C library is told to give
    back each large block as soon as it is free: after the first one it would keep up to
    64 MiB in each of its arenas, and have eight of them for a processor. For the process
    as a whole, so only a server that has it for itself does this.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    set_option = function_of_glibc("mallopt")
    if set_option is not None:
        set_option(_MAPPED_FROM, _MAPPED_BYTES)
        set_option(_TRIM_THRESHOLD, _KEPT_BYTES)
        set_option(_ARENAS, _ARENAS_MAX)
