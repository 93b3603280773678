"""A segment store in a directory, of a local file system or a shared one.

A file is written beside its place under a name with a dot, brought to disk, read back,
and renamed: at no instant is there half a file under its name. Its writer holds a lock
on it meanwhile, by which `DirectoryStore.sweep` tells it from one whose writer died.
"""

import fcntl
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path

import pyarrow as pa

from ledger.database.directories import make_directory, open_private, sync_directory
from ledger.errors import (
    SegmentDamagedError,
    SegmentMissingError,
    SegmentStoreUnavailableError,
)
from ledger.segments.names import check_name, is_name

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
_NEW_FILE = os.O_WRONLY | os.O_EXCL
# A pipe of that name must not make the sweep wait for its writer.
_ANY_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class DirectoryStore:
    """Files of one directory; what else is in it is left alone.

    Args:
        directory: made by the first put where it is absent.

    Raises:
        SegmentStoreUnavailableError: it is something else, or cannot be looked at.
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory).absolute()
        if not str(directory):
            raise SegmentStoreUnavailableError("''", "its path is empty")
        with self._translated():
            try:
                mode = self._directory.stat().st_mode
            except FileNotFoundError:
                return
        if not stat.S_ISDIR(mode):
            raise SegmentStoreUnavailableError(self.url, "it is not a directory")

    @property
    def url(self) -> str:
        """The directory, as an absolute path."""
        return str(self._directory)

    def put(self, name: str, content: pa.Buffer) -> None:
        """Store a file; it becomes visible as a whole or not at all."""
        path = self._path_of(name)
        with self._translated():
            make_directory(self._directory)
            temporary, file = self._begin(name)
            try:
                with file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    self._compare(file, temporary, name, content)
                    temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            sync_directory(self._directory)

    def open(self, name: str) -> pa.NativeFile:
        """Open a file for reading anywhere in it."""
        path = self.path(name)
        with self._translated():
            try:
                return pa.OSFile(path)
            except FileNotFoundError as error:
                raise SegmentMissingError(self.url, name) from error

    def path(self, name: str) -> str:
        """Find the local file of a name."""
        if self.size(name) is None:
            raise SegmentMissingError(self.url, name)
        return str(self._path_of(name))

    def address(self, name: str) -> str:
        """Return the path by which other programs read a file."""
        return self.path(name)

    def size(self, name: str) -> int | None:
        """Find how many bytes a file has; None where it is absent."""
        path = self._path_of(name)
        with self._translated():
            try:
                found = path.lstat()
            except FileNotFoundError:
                return None
        # Following a link would read whatever its maker chose, with our permissions.
        if not stat.S_ISREG(found.st_mode):
            raise SegmentDamagedError(name, f"{path} is a link or no file at all")
        return found.st_size

    def names(self, prefix: str) -> list[str]:
        """List the names with a prefix, sorted."""
        return sorted(
            name
            for name in self._file_names()
            if name.startswith(prefix) and is_name(name)
        )

    def remove(self, name: str) -> None:
        """Remove a file; it may be absent."""
        path = self._path_of(name)
        with self._translated():
            path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove the temporary files whose writers are dead."""
        with self._translated():
            for name in self._file_names():
                if _TEMPORARY.fullmatch(name):
                    _remove_unless_locked(self._directory / name)

    def _path_of(self, name: str) -> Path:
        check_name(name)
        return self._directory / name

    def _file_names(self) -> list[str]:
        with self._translated():
            try:
                entries = os.scandir(self._directory)
            except FileNotFoundError:
                return []
            with entries:
                return [
                    each.name for each in entries if each.is_file(follow_symlinks=False)
                ]

    def _begin(self, name: str) -> tuple[Path, BufferedWriter]:
        """Create an empty file that no sweep removes before it is closed."""
        while True:
            temporary = self._directory / f".{name}.{secrets.token_hex(8)}.tmp"
            file = os.fdopen(open_private(temporary, _NEW_FILE), "wb")
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                # A sweep may have come between: then the file is gone, and another one
                # is begun. Once it is locked and still there, it stays.
                if os.fstat(file.fileno()).st_nlink:
                    return temporary, file
            except BaseException:
                temporary.unlink(missing_ok=True)
                file.close()
                raise
            file.close()

    def _compare(
        self, file: BufferedWriter, path: Path, name: str, content: pa.Buffer
    ) -> None:
        """Read back from the disk, not from memory, what was written."""
        if sys.platform == "linux":
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with pa.OSFile(str(path)) as written:
            is_equal = written.read_buffer().equals(pa.py_buffer(content))
        if not is_equal:
            reason = f"of {name} something else was read back than was written"
            raise SegmentStoreUnavailableError(self.url, reason)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise SegmentStoreUnavailableError(self.url, words) from error


def _remove_unless_locked(path: Path) -> None:
    try:
        descriptor = os.open(path, _ANY_FILE)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        # Its writer lives.
        return
    finally:
        os.close(descriptor)
