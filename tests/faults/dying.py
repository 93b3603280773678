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
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from random import Random

from sqlalchemy import Engine, event

import metering
from ledger.database.connections import STATEMENT
from tests.faults.copying import copied
from tests.faults.usage import open_store
from tests.faults.writing import Task
from tests.figures import Figures
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
# More than anybody gets through in a life.
_NUMBERS = 100_000
_LONGEST_LIFE_SECONDS = 0.05
_READ_ONLY = ("SELECT", "PRAGMA", "BEGIN", "SHOW", "SET")


class Countdown:
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
        elif name == STATEMENT:
            self._on_statement(None, None, str(arguments[0]))

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
        Countdown(steps)
        deed(store)
        pipe.send("done")


def die_opening(
    opening: Callable[[str], None], target: str, steps: int, pipe: Connection
) -> None:
    """Open a store, and die before some step of it; or say that it is done."""
    Countdown(steps)
    opening(target)
    pipe.send("done")


def killed_at_each_step(
    original: str,
    deed: Callable[..., None],
    processes: ForkServerContext,
    figures: Figures,
    *,
    steps_min: int,
    dies: Callable[..., None] = die_before,
) -> Iterator[str]:
    """Yield copies of a store to which something was done by a process that died.

    It died before another step in each copy; in the last one it lived to the end.

    Args:
        dies: how, `die_before` or `die_opening`, which take different deeds.
    """
    for step in steps():
        with copied(original) as target:
            child = Child(processes, dies, deed, target, step)
            answers = list(said(child))
            assert child.exit_code() == (0 if answers else -9)
            yield target
            figures.add("kills", 1 - len(answers))
        if answers:
            assert step > steps_min, "hardly anything was cut off"
            return


def killed_again_and_again(
    task: Task,
    target: str,
    processes: ForkServerContext,
    acknowledged: set[int],
    figures: Figures,
    *,
    kills: int,
) -> Iterator[None]:
    """Kill a process that does a task, and yield; so many times.

    What it acknowledged is added; a few of it are sent again by the next one.
    """
    generator = Random(20260302)
    for _ in range(kills):
        # Some were sent before, some perhaps without an answer.
        numbers = range(max(0, len(acknowledged) - 5), _NUMBERS)
        child = Child(processes, task, target, numbers, generator.random())
        # A few die while they still open the store, most while they write.
        answers = [next(said(child))] if generator.random() < 0.8 else []
        death = time.monotonic() + generator.uniform(0, _LONGEST_LIFE_SECONDS)
        answers += said(child, until=death)
        child.kill()
        answers += said(child)
        assert child.exit_code() == -9
        for answer in answers:
            acknowledged.update(answer.numbers)
        yield
        figures.add("kills")
    assert acknowledged


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
