"""Which process builds runs: one at a time, unless that holds the others up for long.

The lock saves work and nothing more depends on it. Its holder takes the temporary files
that it finds for abandoned ones: a process that lost patience and builds as well may find
its own removed, and tries again.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ledger.database.directories import make_directory, open_private
from ledger.runs.files import working_in

_SECONDS_BETWEEN_LOOKS = 0.02


@contextmanager
def building(directory: Path, kind: str, *, patience: float) -> Iterator[bool]:
    """Become the builder of the runs of a kind in a directory.

    Args:
        directory: made if absent.
        kind: of the runs.
        patience: seconds to wait for another builder.

    Yields:
        Whether there is no other: False where another took longer, or was stopped.

    Raises:
        RunsDirectoryError: the directory cannot be written to.
    """
    with working_in(directory):
        make_directory(directory)
        lock = open_private(directory / f".{kind}.lock", os.O_RDWR)
    try:
        yield _is_locked(lock, time.monotonic() + patience)
    finally:
        with suppress(OSError):
            os.close(lock)


def _is_locked(lock: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Not every file system has locks.
            if error.errno != errno.EWOULDBLOCK or time.monotonic() >= deadline:
                return False
        else:
            return True
        time.sleep(_SECONDS_BETWEEN_LOOKS)
