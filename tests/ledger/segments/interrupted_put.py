"""A process that puts a file into a directory store and does not get far.

Run as a module with the directory, the size of the file and what stops it:
``killed-at N``, at the Nth thing that it asks of the operating system;
``killed-beyond N`` or ``refused-beyond N``, when a file grows beyond N bytes.
"""

import os
import resource
import signal
import sys

from ledger.errors import SegmentStoreUnavailableError
from ledger.segments.store import open_segment_store

NAME = "epoch-000000000000000-000000000000012-0123456789abcdef.parquet"
EVENTS = {"open", "fcntl.flock", "os.mkdir", "os.rename", "os.remove"}


def main(directory: str, size: int, how: str, limit: int) -> None:
    store = open_segment_store(directory)
    content = content_of_size(size)
    if how == "killed-at":
        kill_at(limit)
    else:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    if how == "killed-beyond":
        # Python ignores it, and then a write fails instead.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        store.put(NAME, content)
    except SegmentStoreUnavailableError as error:
        print(error.message)  # noqa: T201  # how the test hears of it


def content_of_size(size: int) -> bytes:
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


def kill_at(number: int) -> None:
    seen = 0

    def count(event: str, _: tuple[object, ...]) -> None:
        nonlocal seen
        seen += event in EVENTS
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
