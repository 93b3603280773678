"""Own the command line as a process: started warm, listened to, stopped, waited for."""

import os
import signal
import sys
from multiprocessing.connection import Connection
from typing import Self, TextIO

from metering.cli.entry import main
from tests.processes import warm_processes
from tests.waiting import PATIENCE_SECONDS


class Program:
    """``metering`` with some arguments, killed where the with statement ends.

    It has an interpreter, streams and signals of its own, like one that a shell starts;
    only its imports were done before.

    Args:
        arguments: of the command line.
        terminal: the device that it reads and prints on; None is a pipe.
    """

    def __init__(self, *arguments: str, terminal: str | None = None) -> None:
        processes = warm_processes()
        streams = [processes.Pipe(duplex=False) for _ in range(2)]
        written = [theirs for _, theirs in streams]
        place = dict(os.environ), os.getcwd()  # noqa: PTH109  # pickled as it is
        self._process = processes.Process(
            target=_run, args=(arguments, place, written, terminal)
        )
        self._process.start()
        for theirs in written:
            # With the only other end in the process, its end is theirs.
            theirs.close()
        self.stdout, self.stderr = (_text(ours) for ours, _ in streams)

    @property
    def pid(self) -> int:
        """The process, where it has started."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; the negative of the signal that killed it; None if it runs."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int:
        """Wait for its end; return the exit code."""
        self._process.join(PATIENCE_SECONDS)
        assert self.returncode is not None, "it does not end"
        return self.returncode

    def communicate(self) -> tuple[str, str]:
        """Wait for its end; return what it had still to say, on both streams."""
        said = self.stdout.read(), self.stderr.read()
        self.wait()
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        self.stdout.close()
        self.stderr.close()


def _run(
    arguments: tuple[str, ...],
    place: tuple[dict[str, str], str],
    streams: list[Connection],
    terminal: str | None,
) -> None:
    environment, directory = place
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    for descriptor, pipe in enumerate(streams, 1):
        os.dup2(pipe.fileno(), descriptor)
        pipe.close()
    if terminal is not None:
        device = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
        for descriptor in (0, 1):
            os.dup2(device, descriptor)
    # As those of an interpreter: a line of errors is written at once.
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  # as long as the process
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115  # the same
    sys.argv = ["metering", *arguments]
    main()


def _text(pipe: Connection) -> TextIO:
    descriptor = os.dup(pipe.fileno())
    pipe.close()
    return os.fdopen(descriptor)
