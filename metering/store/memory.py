"""Memory that was freed: allocators keep it for their thread until they are told.

Arrow's allocator keeps it, and the C library's. A bulk load is read, sealed and taken in
anew by threads of which none finds what another one freed: it would take its memory
twice.
"""

import ctypes
from collections.abc import Callable
from contextlib import suppress

import pyarrow as pa


def give_back_memory() -> None:
    """Give what is free back to the system, which takes a tenth of a second a gigabyte."""
    pa.default_memory_pool().release_unused()
    trim = function_of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def function_of_glibc(name: str) -> Callable[..., int] | None:
    """Return a function of the C library that only glibc has."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        # Others have functions of these names that mean something else.
        if hasattr(library, "gnu_get_libc_version"):
            found: Callable[..., int] = getattr(library, name)
            return found
    return None
