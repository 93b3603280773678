"""Descriptors: how many connections the limit of open files leaves to clients.

A database, its segments and an object store that cannot be opened fail every request, and
a connection that cannot be accepted fails one. So the store's come first. The limit of a
process is often a fraction of what the system allows it, and is raised as far as needed.
"""

import logging
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

from metering.errors import InvalidRequestError

_log = logging.getLogger(__name__)

# A connection to SQLite has the file, its write-ahead log and a journal at times.
_OF_EACH_THREAD = 3
# Segments that are scanned, deliveries, an object store, and what else comes and goes.
_OF_ALL_THREADS = 192
_CONNECTIONS_MIN = 8
_OPEN_FILES = Path("/proc/self/fd")


def descriptors_of_store(threads: int) -> int:
    """Return how many descriptors a store may need that so many threads ask."""
    return threads * _OF_EACH_THREAD + _OF_ALL_THREADS


def connections_within(wanted: int, *, threads: int) -> int:
    """Return how many connections may be open, as many as are wanted at the most.

    Args:
        wanted: how many are wanted.
        threads: how many threads ask the store.

    Raises:
        InvalidRequestError: the limit of open files leaves hardly any.
    """
    needed = _open_files() + descriptors_of_store(threads)
    limit = _limit_raised_to(needed + wanted)
    found = min(wanted, limit - needed)
    if found < min(wanted, _CONNECTIONS_MIN):
        raise InvalidRequestError(
            f"The limit of {limit} open files leaves no room for connections: the store"
            f" may need {needed}; raise it to {needed + wanted} (ulimit -n)",
            param="connections",
        )
    if found < wanted:
        _log.warning(
            "At most %d connections are open at a time, not %d: the limit of open files"
            " is %d, and the store may need %d of them",
            *(found, wanted, limit, needed),
        )
    return found


def _limit_raised_to(wanted: int) -> int:
    """Return the limit of open files, raised as far towards another as is allowed."""
    limit, allowed = (
        sys.maxsize if each == resource.RLIM_INFINITY else each
        for each in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    raised = min(wanted, allowed)
    if limit >= raised:
        return limit
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        return raised
    return limit


def _open_files() -> int:
    try:
        return len(os.listdir(_OPEN_FILES))  # noqa: PTH208  # names alone are cheaper
    except OSError:
        return 32
