"""Own segment store that fails on purpose: a real one, but for what reading it meets."""

import os
from collections.abc import Callable
from io import SEEK_SET, BytesIO
from pathlib import Path

import pyarrow as pa

from ledger.segments.directory import DirectoryStore

Reading = Callable[[bytes], bytes]
"""Receives what is stored, and returns what is read, or raises."""


class FaultySegments(DirectoryStore):
    """A directory of segments whose next reads can be made to fail.

    Attributes:
        fault: what befalls a read.
        reads_left: how many reads it befalls.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.fault: Reading = bytes
        self.reads_left = 0

    def open(self, name: str) -> pa.NativeFile:
        return pa.PythonFile(_FaultyFile(self, self.path(name)), "r")

    def failing(self, number: int, *, times: int) -> None:
        """Let reads fail with an error of the system."""

        def fail(_: bytes) -> bytes:
            raise OSError(number, os.strerror(number))

        self.fault, self.reads_left = fail, times

    def flipping(self, *, times: int) -> None:
        """Let reads return other bytes than are stored."""

        def flip(content: bytes) -> bytes:
            return bytes([content[0] ^ 1]) + content[1:]

        self.fault, self.reads_left = flip, times

    def read(self, content: bytes) -> bytes:
        if not content or not self.reads_left:
            return content
        self.reads_left -= 1
        return self.fault(content)


class _FaultyFile:
    """What pyarrow reads as a file of Python's."""

    closed = False

    def __init__(self, store: FaultySegments, path: str) -> None:
        self._store = store
        self._file = BytesIO(Path(path).read_bytes())

    def read(self, byte_count: int = -1) -> bytes:
        return self._store.read(self._file.read(byte_count))

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self.closed = True
