"""Turns: the processes that write to one file, one after the other as they came.

SQLite lets a writer that finds the file locked sleep and try again, ever later, so that
one that never sleeps takes the lock for seconds on end. Here each writer joins a queue
before it asks SQLite: it locks the byte of the next number in a side file and waits
until the byte of the number before is free. The kernel frees the bytes of a process
that ends, however it ends. Who ends a turn rings for the next one: it sends a message to
a socket that is named by the number. Nothing depends on it, since a bell can be lost, or
the next one live where it is not heard: who waits looks by itself as well.

The queue decides the order and nothing else. What keeps writers apart is SQLite's own
lock, taken after. So a writer passes a queue in which nothing moves, because a process
in it was stopped, and one that cannot open the side file goes without. Source: the queue
of Craig, and of Magnusson, Landin and Hagersten, which waits for the one before.
"""

import errno
import fcntl
import os
import socket
import struct
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Self

import msgspec

from ledger.database.connections import translated
from ledger.database.directories import open_private
from ledger.errors import StoreBusyError

# Locks of an open file, not of a process: two connections of one process queue as well,
# and closing one of them leaves the other its place.
_LOCK = struct.Struct("hhqqi0q")
_NUMBER, _HOLDER = struct.Struct("q"), struct.Struct("qqd")
_BOTH = struct.Struct("qqqd")
_HOLDER_AT = _NUMBER.size
_FIRST_PLACE = 1 << 32
"""Beyond what the file holds, so that a place is never one of its bytes."""

_NO_PLACE = 0
_LAST_NUMBER = 1 << 62
_TAKEN = {errno.EACCES, errno.EAGAIN}

PATIENCE_SECONDS = 1.0
_SHORTEST_PAUSE_SECONDS = 0.0001
_LONGEST_PAUSE_SECONDS = 0.002


class Holder(msgspec.Struct, frozen=True):
    """The writer that began the last turn.

    Attributes:
        number: its place in the queue.
        process: its id.
        began: when, by the machine's monotonic clock, in seconds.
    """

    number: int
    process: int
    began: float


class Turn:
    """A turn, which is waited for at the start of a block, and ends with it.

    Attributes:
        waited_seconds: how long it took to come.
    """

    __slots__ = ("_is_noted", "_number", "_timeout", "_turns", "waited_seconds")

    def __init__(self, turns: "Turns", timeout_seconds: float) -> None:
        self._turns = turns
        self._timeout = timeout_seconds
        self._number, self._is_noted = _NO_PLACE, False
        self.waited_seconds = 0.0

    def __enter__(self) -> Self:
        """Wait for the turn."""
        turns = self._turns
        turns.lock.acquire()
        try:
            began = monotonic()
            self._number, self._is_noted = turns.join(began, self._timeout)
            if not self._is_noted:
                turns.wait_for(self._number - 1, began + self._timeout)
                self.waited_seconds = monotonic() - began
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and wake who comes next."""
        turns = self._turns
        try:
            turns.free(self._number)
            if self.is_awaited:
                turns.ring(self._number + 1)
        finally:
            turns.lock.release()

    def begin(self) -> None:
        """Note who holds the write lock from now on."""
        if not self._is_noted:
            self._turns.note(self._number)

    @property
    def is_awaited(self) -> bool:
        """Whether another writer has joined the queue since."""
        return self._turns.last_number() > self._number


class Turns:
    """The queue of the writers of one file.

    Args:
        path: of the side file; made where it is absent.
        patience_seconds: after how long without any turn that begins or ends the queue
            is passed.
    """

    def __init__(self, path: Path, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.lock = threading.Lock()
        """Held in each turn of this queue: its threads wait for each other here."""
        self._patience = patience_seconds
        self._file: int | None = None
        self._ringing: socket.socket | None = None
        if hasattr(fcntl, "F_OFD_SETLK"):  # Linux has them, other systems may not.
            with suppress(OSError):
                self._file = open_private(path, os.O_RDWR)
        _OPENED.add(self)

    def taken(self, timeout_seconds: float) -> Turn:
        """Return a turn that is to be taken.

        Args:
            timeout_seconds: after how long the queue is passed in any case.
        """
        return Turn(self, timeout_seconds)

    def holder(self) -> Holder | None:
        """Return the writer whose turn it is, None where it is nobody's."""
        holder = self._last_holder()
        is_held = holder is not None and self._is_taken(holder.number)
        return holder if is_held else None

    def note(self, number: int) -> None:
        """Write down that the turn of a number begins."""
        if self._file is not None and number != _NO_PLACE:
            written = _HOLDER.pack(number, os.getpid(), monotonic())
            with suppress(OSError):
                os.pwrite(self._file, written, _HOLDER_AT)

    def last_number(self) -> int:
        """Return the number of the last writer that joined."""
        read = self._read(_NUMBER.size, 0)
        number = int(_NUMBER.unpack(read)[0]) if len(read) == _NUMBER.size else 0
        # Whatever a fault or a stranger wrote there, no write may fail for it.
        return number if 0 < number < _LAST_NUMBER else _NO_PLACE

    def close(self) -> None:
        """Close the side file; later turns come without a queue."""
        with self.lock:
            self.forget()

    def forget(self) -> None:
        """Close the side file without a look at who uses it."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                os.close(file)
        if self._ringing is not None:
            self._ringing.close()
            self._ringing = None

    def join(self, now: float, timeout_seconds: float) -> tuple[int, bool]:
        """Take a place, or none where that cannot be done in time, or at all.

        Returns:
            Its number, and whether it is the first, whose turn begins at once.
        """
        try:
            return self._next_place(now, now + min(timeout_seconds, self._patience))
        except OSError:
            # No room for the side file, or a file system without these locks.
            self.forget()
            return _NO_PLACE, False

    def _next_place(self, now: float, until: float) -> tuple[int, bool]:
        while self._file is not None and now < until:
            last = self.last_number()
            number = last + 1
            if self._take(number):
                # Another one may have had this number, and be done with it.
                if self.last_number() == last:
                    is_first = not self._is_taken(last)
                    written = _NUMBER.pack(number)
                    if is_first:
                        written = _BOTH.pack(number, number, os.getpid(), now)
                    os.pwrite(self._file, written, 0)
                    return number, is_first
                self.free(number)
            else:
                sleep(_SHORTEST_PAUSE_SECONDS)
            now = monotonic()
        return _NO_PLACE, False

    def wait_for(self, before: int, until: float) -> None:
        """Wait until the turn before has ended."""
        if not self._is_taken(before):
            return
        with self._bell_of(before + 1) as pause:
            holder, moved = self._last_holder(), monotonic()
            while self._is_taken(before):
                now, seen = monotonic(), self._last_holder()
                if seen != holder:
                    holder, moved = seen, now
                elif now > min(until, moved + self._patience):
                    return
                pause()

    @contextmanager
    def _bell_of(self, number: int) -> Iterator[Callable[[], None]]:
        """Hear when a number is rung for; yield what waits for it, for a short while."""
        with ExitStack() as opened:
            pause = partial(sleep, _SHORTEST_PAUSE_SECONDS)
            # No bell is heard where there is no room for one more socket.
            with suppress(OSError):
                bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                opened.enter_context(bell)
                bell.bind(self._address_of(number))
                bell.settimeout(_LONGEST_PAUSE_SECONDS)
                pause = partial(_heard, bell)
            yield pause

    def ring(self, number: int) -> None:
        """Wake the writer of a number, if it waits."""
        with suppress(OSError):
            if self._ringing is None:
                self._ringing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            address = self._address_of(number)
            self._ringing.sendto(b"\0", socket.MSG_DONTWAIT, address)

    def _address_of(self, number: int) -> bytes:
        """Return a name in Linux's abstract namespace, which needs no file."""
        assert self._file is not None, "there is a queue"
        found = os.fstat(self._file)
        return f"\0metering turn {found.st_dev} {found.st_ino} {number}".encode()

    def _last_holder(self) -> Holder | None:
        read = self._read(_HOLDER.size, _HOLDER_AT)
        return Holder(*_HOLDER.unpack(read)) if len(read) == _HOLDER.size else None

    def _read(self, size: int, start: int) -> bytes:
        """Read what the side file holds; nothing where it cannot be read."""
        if self._file is None:
            return b""
        try:
            return os.pread(self._file, size, start)
        except OSError:
            return b""

    def _take(self, number: int) -> bool:
        """Lock the byte of a number, and return whether it was free."""
        assert self._file is not None, "there is a queue"
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _lock(fcntl.F_WRLCK, number))
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            return False
        return True

    def _is_taken(self, number: int) -> bool:
        """Whether another one has locked the byte of a number."""
        if self._file is None or number <= _NO_PLACE:
            return False
        asked = _lock(fcntl.F_WRLCK, number)
        try:
            answer = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, asked)
        except OSError:  # Nobody is waited for who cannot be seen.
            return False
        return bool(_LOCK.unpack(answer)[0] != fcntl.F_UNLCK)

    def free(self, number: int) -> None:
        """End the turn of a number."""
        if self._file is not None and number != _NO_PLACE:
            try:
                fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _lock(fcntl.F_UNLCK, number))
            except OSError:  # What was written in the turn is written all the same.
                self.forget()


class naming_holder(translated):  # noqa: N801  # as what it derives from
    """Translates errors, and says of a lock that was not given who holds it."""

    __slots__ = ("_turns",)

    def __init__(self, address: str, turns: Turns) -> None:
        super().__init__(address)
        self._turns = turns

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise ours where it was one of theirs."""
        if error is None:
            return
        try:
            super().__exit__(_, error, __)
        except StoreBusyError as busy:
            if (holder := self._turns.holder()) is None:
                raise
            held = f"{busy.reason}; process {holder.process} began to write"
            reason = f"{held} {monotonic() - holder.began:.1f} seconds ago"
            raise StoreBusyError(self._address, reason) from busy


def _heard(bell: socket.socket) -> None:
    with suppress(TimeoutError):
        bell.recv(1)


def _lock(kind: int, number: int) -> bytes:
    """Return the argument that names the lock of a number's byte."""
    return _LOCK.pack(kind, os.SEEK_SET, _FIRST_PLACE + number, 1, 0)


_OPENED = weakref.WeakSet[Turns]()


def _forget_in_child() -> None:
    # A copy of the file would keep the locks of a parent that was killed.
    for turns in list(_OPENED):
        turns.forget()


os.register_at_fork(after_in_child=_forget_in_child)
