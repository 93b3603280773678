"""Own the life of the other processes: started, listened to, killed, waited for."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import ensure_running
from typing import Any

from tests.system_calls.interposer import preloading

# Far longer than anything takes that goes on at all.
PATIENCE_SECONDS = 120


def warm_processes() -> ForkServerContext:
    """Start processes that share nothing with this one, dozens in a second.

    They are forked from a server that has imported everything and opened nothing. Their
    system calls pass through a library that does nothing until one of them tells it to.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "pytest", "tests.preloaded"])
    with preloading():
        ensure_running()
    return context


class Child:
    """A process that says what it has done, until it ends or is killed."""

    def __init__(
        self, context: ForkServerContext, task: Callable[..., None], *arguments: object
    ) -> None:
        self.pipe, theirs = context.Pipe()
        self.process: ForkServerProcess = context.Process(
            target=task, args=(*arguments, theirs), daemon=True
        )
        self.process.start()
        # With the only other end in the child, its death ends the pipe.
        theirs.close()

    def kill(self) -> None:
        """End it at once, wherever it is (kill -9)."""
        self.process.kill()

    def exit_code(self) -> int | None:
        self.process.join(PATIENCE_SECONDS)
        return self.process.exitcode


def said(*children: Child, until: float | None = None) -> Iterator[Any]:
    """What children say, as they say it, until all have ended.

    Args:
        until: a moment of the monotonic clock to stop listening at; None is never.
    """
    pipes: list[Connection] = [child.pipe for child in children]
    while pipes:
        patience = PATIENCE_SECONDS if until is None else until - time.monotonic()
        ready = wait(pipes, max(0, patience))
        assert ready or until is not None, "the processes hang"
        if not ready:
            return
        for pipe in pipes:
            if pipe in ready:
                try:
                    yield pipe.recv()
                except (EOFError, ConnectionResetError):
                    # Killed while it spoke, or done.
                    pipes = [each for each in pipes if each is not pipe]


def forked(run: Callable[[], None]) -> int:
    """Fork this process, and return the id of the child, which ends when it has run."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            run()
            status = 0
        finally:
            os._exit(status)
    return child
