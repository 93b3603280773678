"""Directories whose entries survive a power cut.

A file is durable when it and the entry that names it are: the first is for the file's
writer, the second is here. Errors of the system leave as they come; callers, which know
what the directory is for, translate them.
Source: https://man7.org/linux/man-pages/man2/fsync.2.html
"""

import os
from pathlib import Path


def make_directory(directory: Path) -> None:
    """Make a directory and those above it, where they are absent, durably.

    Raises:
        OSError: one of them cannot be made, or brought to disk.
    """
    absent = [each for each in (directory, *directory.parents) if not each.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for each in reversed(absent):
        sync_directory(each.parent)


def sync_directory(directory: Path) -> None:
    """Bring to disk which entries a directory has.

    Raises:
        OSError: it cannot be opened, or brought to disk.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
