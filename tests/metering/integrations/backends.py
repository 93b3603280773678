"""Own the life of a backend's processes, and the clients that ask it all the while."""

import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import metering
from tests.segment_places import places_of
from tests.waiting import PATIENCE_SECONDS, eventually

ROOT = Path(__file__).parents[3]
EXAMPLES = "tests.metering.integrations.examples"


class Backend:
    """A program with processes below it, all of which end with the with statement.

    Args:
        arguments: of the interpreter.
        environment: beside that of this process.
    """

    def __init__(self, *arguments: str, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def workers(self) -> list[int]:
        """Find the processes that it has started itself, oldest first."""
        pid = self._process.pid
        return [int(each) for each in _children(pid) if _is_worker(int(each))]

    def kill_worker(self) -> None:
        """End one of its processes at once, wherever that is (kill -9)."""
        os.kill(self.workers()[-1], signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end, and wait until it has."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """End all of it at once (kill -9)."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE_SECONDS)

    def assert_runs(self) -> None:
        assert self._process.poll() is None, "it has ended"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@contextmanager
def serving(target: str, *arguments: str) -> Iterator[tuple[Backend, int]]:
    """Run a server on a port that takes the place of ``PORT``, until it is killed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    given = [each.replace("PORT", str(port)) for each in arguments]
    with Backend("-m", *given, environment=environment_of(target)) as backend:

        def answers() -> bool:
            backend.assert_runs()
            with suppress(OSError):
                return _asked(port, "GET", "/status", {}) == 200
            return False

        eventually(answers)
        yield backend, port


def environment_of(target: str) -> dict[str, str]:
    """What names a store to `metering.connect`."""
    places = {
        f"METERING_{name.upper()}": str(each)
        for name, each in places_of(target).items()
    }
    return {"METERING_STORE": target, "PYTHONWARNINGS": "default", **places}


class Clients:
    """Clients that ask for one completion after the other while a with statement lasts.

    A request that was not answered is sent again, under its identifier.

    Attributes:
        acknowledged: identifiers of the requests that were answered with success.
    """

    def __init__(self, port: int, name: str, clients: int = 4) -> None:
        self.acknowledged: list[str] = []
        self._port = port
        self._name = name
        self._numbers = itertools.count()
        self._is_stopping = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def wait_for(self, more: int) -> None:
        """Wait until so many more requests were acknowledged."""
        enough = len(self.acknowledged) + more
        eventually(lambda: len(self.acknowledged) >= enough)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._is_stopping.is_set():
            identifier = f"{self._name}-{next(self._numbers)}"
            headers = {"X-Request-Id": identifier, "X-Customer": "cus_1"}
            while not self._is_stopping.is_set():
                with suppress(OSError, http.client.HTTPException):
                    if _asked(self._port, "POST", "/completions", headers) == 200:
                        self.acknowledged.append(identifier)
                        break


def _asked(port: int, method: str, path: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, PATIENCE_SECONDS)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def recorded(target: str, event_name: str) -> Counter[str]:
    """How often each identifier is in a store."""
    with metering.connect(target, create=False, **places_of(target)) as m:
        assert m.verify().ok
        return Counter(
            each.identifier for each in m.meter_events.list(event_name=event_name)
        )


def assert_once(found: Counter[str], wanted: list[str]) -> None:
    """Check that all that was acknowledged is there, and nothing is there twice."""
    assert set(wanted) <= found.keys()
    assert set(found.values()) <= {1}


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _is_worker(pid: int) -> bool:
    # multiprocessing has a process of its own, which keeps count of semaphores.
    return b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
