r"""Files of a spool: one event a line, each line with its checksum.

The first line names the format and the log that the events are for. A line is the CRC-32
of what follows, in eight hexadecimal digits, a blank, and JSON. What a process was writing
when it died is a line without an end, behind all that were acknowledged.

A file is locked (flock) for as long as its writer lives, from before it has its name: who
finds it unlocked knows that the writer is dead. It has its name, durably, before the
first event is written to it.
"""

import errno
import os
import secrets
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self
from weakref import WeakSet

import msgspec

from ledger.database.directories import open_private, sync_directory, take_lock
from ledger.errors import StoreFullError, StoreUnavailableError
from metering.recording.events import HeldEvent

SUFFIX = ".spool"
_NAMELESS = ".spool-new"
_DAMAGED = ".damaged"
_FORMAT = 1
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_encode = msgspec.json.Encoder().encode
_decode_event = msgspec.json.Decoder(HeldEvent).decode


class SpoolHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a file.

    Attributes:
        epoch: of the log that its events are for.
    """

    format: int
    epoch: str


_decode_header = msgspec.json.Decoder(SpoolHeader).decode


class SpoolUnreadableError(Exception):
    """A file is not one of this format."""


class SpoolFile:
    """A file that this process has locked.

    Attributes:
        path: its name.
        count: how many events this process has written to it.
        damaged_lines: how many lines the last reading could not read.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.count = 0
        self.damaged_lines = 0
        self._descriptor = descriptor
        self._size = 0
        _open_files.add(self)

    @classmethod
    def create(cls, directory: Path, epoch: str) -> Self:
        """Make a new file, locked and with its name.

        Raises:
            StoreError: it cannot be made.
        """
        header = line_of(SpoolHeader(format=_FORMAT, epoch=epoch))
        while True:
            token = secrets.token_hex(12)
            nameless, path = (
                directory / f"{token}{suffix}" for suffix in (_NAMELESS, SUFFIX)
            )
            try:
                flags = os.O_RDWR | os.O_EXCL | os.O_APPEND
                file = cls(path, open_private(nameless, flags))
                try:
                    if not take_lock(
                        file._descriptor
                    ):  # another took it for a dead one's
                        file.close()
                        continue
                    file._write(header)  # of this class
                    nameless.rename(path)
                except FileNotFoundError:
                    file.close()
                    continue
                except OSError:
                    file.close()
                    nameless.unlink(missing_ok=True)
                    raise
                sync_directory(directory)
            except OSError as error:
                raise refusal_of(error, directory) from error
            return file

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """Lock the file of a dead process; None where it lives, or another was faster.

        Raises:
            OSError: it cannot be opened.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        if take_lock(descriptor) and _is_still(path, descriptor):
            return cls(path, descriptor)
        os.close(descriptor)
        return None

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines, durably, or nothing.

        Raises:
            OSError: nothing was written; the file must not be written to any more where
                it is not a lack of room.
        """
        # What an interrupt broke off, nobody was told of. Left there, it would make the
        # file longer than is known, and another truncation would cut too much off.
        if os.fstat(self._descriptor).st_size != self._size:
            os.ftruncate(self._descriptor, self._size)
        try:
            self._write(b"".join(lines))
        except OSError:
            # Part of it may be there, which nobody was told either.
            os.ftruncate(self._descriptor, self._size)
            raise
        self.count += len(lines)

    def events(self) -> Iterator[HeldEvent]:
        """Read the events, but for what was never acknowledged or is damaged.

        Raises:
            OSError: the file cannot be read.
        """
        self.damaged_lines = 0
        with self.path.open("rb") as file:
            next(file, None)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # Its writer died while it wrote it.
                try:
                    yield _decode_event(_checked(line))
                except msgspec.DecodeError:
                    self.damaged_lines += 1

    def header(self) -> SpoolHeader:
        """Read the first line.

        Raises:
            SpoolUnreadableError: it is not one that this release wrote.
            OSError: the file cannot be read.
        """
        with self.path.open("rb") as file:
            line = file.readline()
        try:
            header = _decode_header(_checked(line))
        except msgspec.DecodeError as error:
            raise SpoolUnreadableError(str(error)) from error
        if header.format != _FORMAT:
            reason = f"its format is {header.format}, not {_FORMAT}"
            raise SpoolUnreadableError(reason)
        return header

    def remove(self) -> None:
        """Remove the file; where lines were damaged, only set it aside.

        Raises:
            OSError: it cannot be removed, and is let go of all the same.
        """
        try:
            if self.damaged_lines:
                self.path.rename(self.path.with_suffix(_DAMAGED))
            else:
                self.path.unlink()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file: another process may take it."""
        if self in _open_files:
            _open_files.discard(self)
            # It is closed whatever is said of it, and what was acknowledged was synced.
            with suppress(OSError):
                os.close(self._descriptor)

    def _write(self, content: bytes) -> None:
        written = 0
        while written < len(content):
            written += os.write(self._descriptor, content[written:])
        os.fsync(self._descriptor)
        self._size += len(content)


def line_of(value: HeldEvent | SpoolHeader) -> bytes:
    """Return the line of an event, or of a header."""
    content = _encode(value)
    return b"%08x %s\n" % (zlib.crc32(content), content)


def files_of(directory: Path) -> list[Path]:
    """Return the files of a directory, whoever writes to them.

    Raises:
        OSError: it cannot be read.
    """
    return sorted(directory.glob(f"*{SUFFIX}"))


def remove_nameless(directory: Path) -> None:
    """Remove what processes left that died before their file had its name.

    Raises:
        OSError: the directory cannot be read, or one cannot be removed.
    """
    for path in directory.glob(f"*{_NAMELESS}"):
        file = SpoolFile.adopt(path)
        if file is not None:
            file.path.unlink()
            file.close()


def refusal_of(
    error: OSError, directory: Path
) -> StoreFullError | StoreUnavailableError:
    """Return what a failure to write to a directory means."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return StoreFullError(str(directory), reason)
    return StoreUnavailableError(str(directory), reason)


def _checked(line: bytes) -> bytes:
    """Return what a line holds.

    Raises:
        msgspec.DecodeError: it is not what was written.
    """
    content = line[9:-1]
    if line != b"%08x %s\n" % (zlib.crc32(content), content):
        reason = "its checksum differs"
        raise msgspec.DecodeError(reason)
    return content


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether a name still names the file that was opened under it."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


_open_files: WeakSet[SpoolFile] = WeakSet()


def _forget_in_child() -> None:
    # A lock lasts as long as any process has the file open: the child of a fork must not
    # keep the file of a parent that died from being taken in.
    for file in list(_open_files):
        file.close()


os.register_at_fork(after_in_child=_forget_in_child)
