"""Forks: while this process forks, it has no connection to a SQLite file.

SQLite notes in memory what this process has locked, by file. A child inherits the notes
and not the locks: what it opens then takes none, so another process may take itself for
the last one and remove the write-ahead log, and what the child acknowledges after that
is lost. So a fork waits for those who use a file, keeps others out, and has the
connections closed before it goes on. Where that takes too long, or where the thread that
forks uses the file itself, the child refuses to open it.
Source: https://sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_
"""

# Both hold a lock of theirs while a process forks. Imported before, they take it after
# the connections are closed, and no thread waits for it that is waited for here.
import concurrent.futures.thread  # noqa: F401
import logging  # noqa: F401
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_PATIENCE_SECONDS = 5.0


class _File(NamedTuple):
    device: int
    number: int


class ForkGate:
    """What every use of a file passes. Thread-safe.

    Args:
        path: of the file.
        disconnect: closes all connections to it, none of which is in use.
    """

    def __init__(self, path: Path, disconnect: Callable[[], None]) -> None:
        self._path = path
        self._disconnect = disconnect
        self._is_disconnected = False
        self._changed = threading.Condition(threading.Lock())
        self._users: list[int] = []
        self._is_shut = False
        _GATES.add(self)

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Use the file; a use within another one passes at once."""
        user = threading.get_ident()
        with self._changed:
            while self._is_shut and user not in self._users:
                self._changed.wait()
            self._users.append(user)
        try:
            yield
        finally:
            with self._changed:
                self._users.remove(user)
                if self._is_shut:
                    self._changed.notify_all()

    def shut(self) -> None:
        """Close the connections, once nobody uses the file; keep others out until then."""
        with self._changed:
            if threading.get_ident() in self._users:
                return
            self._is_shut = True
            if self._changed.wait_for(lambda: not self._users, _PATIENCE_SECONDS):
                self._disconnect()
                self._is_disconnected = True

    def open(self) -> None:
        """Let users pass again."""
        with self._changed:
            self._is_shut = self._is_disconnected = False
            self._changed.notify_all()

    def leave_to_parent(self) -> None:
        """Note in a child whose file its parent was using."""
        if not self._is_disconnected and self._path.exists():
            _LEFT.add(_file_at(self._path))


def is_left_to_parent(path: Path) -> bool:
    """Whether a file was in use when this process was forked."""
    return bool(_LEFT) and path.exists() and _file_at(path) in _LEFT


def _file_at(path: Path) -> _File:
    found = path.stat()
    return _File(found.st_dev, found.st_ino)


def _before_fork() -> None:
    for gate in list(_GATES):
        gate.shut()


def _after_fork() -> None:
    for gate in list(_GATES):
        gate.open()


def _after_fork_in_child() -> None:
    for gate in list(_GATES):
        gate.leave_to_parent()
    # What is open of them is the parent's, to be closed by nobody else.
    _GATES.clear()


_GATES = weakref.WeakSet[ForkGate]()
_LEFT: set[_File] = set()

os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork,
    after_in_child=_after_fork_in_child,
)
