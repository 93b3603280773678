"""Own death at a chosen step: a process counts what it changes in files and databases.

A step is a file opened to be written, renamed or removed through Python, a lock taken,
a connection made, or a statement that changes a database or commits. The process kills itself (SIGKILL)
before the chosen one, so that every state between two steps can be looked at. What
other languages write in between is cut off by the size that its files may have.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

from sqlalchemy import Engine, event

import metering
from tests.faults.copying import copied
from tests.faults.usage import open_store
from tests.processes import Child, said
from tests.profiles import steps

_FILE_STEPS = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.truncate",
    "os.link",
    "fcntl.flock",
    "socket.connect",
}
_WRITING = os.O_WRONLY | os.O_RDWR
_READ_ONLY = ("SELECT", "PRAGMA", "BEGIN", "SHOW", "SET")


class _Countdown:
    """Steps left to live."""

    def __init__(self, steps: int) -> None:
        self._left = steps
        sys.addaudithook(self._on_audit)
        event.listen(Engine, "before_cursor_execute", self._on_statement)
        event.listen(Engine, "commit", self._on_step)

    def _on_audit(self, name: str, arguments: tuple[object, ...]) -> None:
        if name == "open":
            flags = arguments[2]
            if isinstance(flags, int) and flags & _WRITING:
                self._on_step()
        elif name in _FILE_STEPS:
            self._on_step()

    def _on_statement(
        self, connection: object, cursor: object, statement: str, *_: object
    ) -> None:
        is_lock = "advisory" in statement
        if is_lock or not statement.lstrip().upper().startswith(_READ_ONLY):
            self._on_step()

    def _on_step(self, *_: object) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def die_before(
    deed: Callable[[metering.Metering], None],
    target: str,
    steps: int,
    pipe: Connection,
) -> None:
    """Do something to a store, and die before some step of it; or say that it is done."""
    with open_store(target) as store:
        _Countdown(steps)
        deed(store)
        pipe.send("done")


def die_opening(
    opening: Callable[[str], None], target: str, steps: int, pipe: Connection
) -> None:
    """Open a store, and die before some step of it; or say that it is done."""
    _Countdown(steps)
    opening(target)
    pipe.send("done")


def killed_at_each_step(
    original: str,
    deed: Callable[[metering.Metering], None],
    processes: ForkServerContext,
    *,
    steps_min: int,
) -> Iterator[str]:
    """Yield copies of a store to which something was done by a process that died.

    It died before another step in each copy; in the last one it lived to the end.
    """
    for step in steps():
        with copied(original) as target:
            child = Child(processes, die_before, deed, target, step)
            answers = list(said(child))
            assert child.exit_code() == (0 if answers else -9)
            yield target
        if answers:
            assert step > steps_min, "hardly anything was cut off"
            return


def die_writing(
    deed: Callable[[metering.Metering], None],
    target: str,
    bytes_at_most: int,
    pipe: Connection,
) -> None:
    """Do something to a store, and die when a file grows beyond a size."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open_store(target) as store:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        # Python would ignore it, and the write fail.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_at_most, hard))
        deed(store)
        pipe.send("done")


def seal(store: metering.Metering) -> None:
    """Seal, and make what is derived from segments."""
    store.seal()


def rebuild(store: metering.Metering) -> None:
    """Make anew what is derived from the log."""
    store.rebuild()


def catch_up(store: metering.Metering) -> None:
    """Evaluate alerts."""
    store.catch_up()


def deliver(store: metering.Metering) -> None:
    """Send to webhook endpoints."""
    store.deliver()
