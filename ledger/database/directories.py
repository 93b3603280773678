"""Directories and files of a store: durable entries, and nothing for others to read.

A file is durable when it and the entry that names it are: the first is for the file's
writer, the second is here. Errors of the system leave as they come; callers, which know
what the directory is for, translate them.

What is made is its owner's alone, whatever the umask is, and at no instant another's. Who
shares a store with a group says so by the directory: in one that has the set-group-ID bit
and that its group may write to, the group may read and write what is made. What is there
keeps its mode, which may be meant.
Source: https://man7.org/linux/man-pages/man2/fsync.2.html
"""

import fcntl
import os
import sqlite3
import stat
from contextlib import closing, suppress
from itertools import takewhile
from pathlib import Path
from urllib.parse import quote

_DIRECTORY, _SHARED_DIRECTORY = 0o700, 0o2770
_FILE, _SHARED_FILE = 0o600, 0o660

LOG_FILE = "log.db"


def make_directory(directory: Path) -> None:
    """Make a directory and those above it, where they are absent, durably.

    Raises:
        OSError: one of them cannot be made, or brought to disk.
    """
    upwards = (directory, *directory.parents)
    absent = [*takewhile(lambda each: not each.exists(), upwards)]
    for each in reversed(absent):
        with suppress(FileExistsError):
            each.mkdir(_DIRECTORY)
            wanted = _SHARED_DIRECTORY if _is_shared(each.parent) else _DIRECTORY
            # The umask may have lessened it; and some file systems have no modes.
            if stat.S_IMODE(each.stat().st_mode) != wanted:
                with suppress(OSError):
                    each.chmod(wanted)
        sync_directory(each.parent)
    # Raises where a file is in its place.
    directory.mkdir(exist_ok=True)


def open_private(path: Path, flags: int) -> int:
    """Open a file, made where it is absent, and return its descriptor.

    A link is not followed: where others may write, it would choose what is written to.

    Args:
        path: of the file.
        flags: as those of `os.open`, beside what makes the file and closes it at an exec.

    Raises:
        OSError: it cannot be opened, or made.
    """
    flags |= os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags | os.O_EXCL, _FILE)
    except FileExistsError:
        if flags & os.O_EXCL:
            raise
        return os.open(path, flags, _FILE)
    wanted = _SHARED_FILE if _is_shared(path.parent) else _FILE
    # As above.
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != wanted:
        with suppress(OSError):
            os.fchmod(descriptor, wanted)
    return descriptor


def make_database(path: Path, like: Path) -> None:
    """Make an empty file for SQLite, durably, with the mode of one beside it.

    SQLite makes it and gives what it adds the mode of the file, so that at no instant is
    any of them open to others. To make it by other means would be to close it while
    another thread may have it open, and so to drop SQLite's locks.
    Source: https://sqlite.org/uri.html#urimodeof

    Args:
        path: of the file.
        like: is made where it is absent.

    Raises:
        OSError: one of them cannot be made, or brought to disk.
        sqlite3.Error: the same, for SQLite.
    """
    os.close(open_private(like, os.O_RDWR))
    named = f"file:{quote(str(path.resolve()))}?modeof={quote(str(like.resolve()))}"
    with closing(sqlite3.connect(named, uri=True)) as driver:
        # Opened, and made, by what first reads it.
        driver.execute("PRAGMA page_count").fetchone()
    sync_directory(path.parent)


def exposed_mode(path: Path) -> int | None:
    """Return the mode of a file that every user can read; None for any other.

    They can where each directory above it lets them pass.
    """
    with suppress(OSError):
        mode, above = path.stat().st_mode, path.resolve().parents
        if mode & stat.S_IROTH and all(
            each.stat().st_mode & stat.S_IXOTH for each in above
        ):
            return stat.S_IMODE(mode)
    return None


def _is_shared(directory: Path) -> bool:
    mode = directory.stat().st_mode
    return bool(mode & stat.S_ISGID and mode & stat.S_IWGRP)


def take_lock(descriptor: int) -> bool:
    """Take the lock of a file, and return whether it was free.

    Raises:
        OSError: it cannot be taken, free or not.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
