"""Answering: requests go to threads, and replies come back, many at a time.

Every request waits for the disk, and threads that wait at the same time share a commit.
What it costs to pass a request between threads is more than what it costs to answer it:
so requests that came together share a look at the keys, and replies that are ready
together wake the event loop once. With a pool of `concurrent.futures` a request took two
thirds more of the processor.
"""

import asyncio
import threading
from collections import deque
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from metering.server.authentication import Keyring, Keys
from metering.server.requests import Asked, Reply
from metering.server.routes import Route
from metering.server.service import Service


@dataclass(frozen=True, slots=True)
class _Job:
    route: Route
    asked: Asked
    future: asyncio.Future[Reply]


@dataclass(frozen=True, slots=True)
class _Done:
    future: asyncio.Future[Reply]
    outcome: Reply | Exception


class Answering:
    """The threads that answer requests, between `start` and `stop`.

    Args:
        service: answers one request.
        keyring: looks at the keys.
        threads: how many requests are answered at the same time.
    """

    def __init__(self, service: Service, keyring: Keyring, *, threads: int) -> None:
        self._service = service
        self._keyring = keyring
        self._inbox: SimpleQueue[_Job | None] = SimpleQueue()
        self._jobs: SimpleQueue[tuple[_Job, Keys] | None] = SimpleQueue()
        self._outbox: deque[_Done] = deque()
        self._is_waking = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = [
            threading.Thread(target=self._look, name="metering-server-keys"),
            *(
                threading.Thread(target=self._work, name=f"metering-server-{at}")
                for at in range(threads)
            ),
        ]

    def start(self) -> None:
        """Start the threads, for the event loop that is running."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads, when they have answered what they were given."""
        self._inbox.put(None)
        for thread in self._threads:
            thread.join()

    async def reply(self, route: Route, asked: Asked) -> Reply:
        """Answer a request.

        Raises:
            PositionNotReachedError: the log does not go as far as it asks for, yet.
        """
        assert self._loop is not None, "it was started"
        job = _Job(route, asked, self._loop.create_future())
        self._inbox.put(job)
        return await job.future

    def _look(self) -> None:
        """Look at the keys for all requests that came before the look."""
        is_open = True
        while is_open:
            came = [self._inbox.get()]
            while True:
                try:
                    came.append(self._inbox.get_nowait())
                except Empty:
                    break
            keys = self._keyring.look()
            for job in came:
                if job is None:
                    is_open = False
                else:
                    self._jobs.put((job, keys))
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (given := self._jobs.get()) is not None:
            job, keys = given
            try:
                outcome: Reply | Exception = self._service.answer(
                    job.route, job.asked, keys
                )
            except Exception as error:  # noqa: BLE001  # it goes to who asked
                outcome = error
            self._outbox.append(_Done(job.future, outcome))
            if not self._is_waking:
                self._is_waking = True
                assert self._loop is not None, "it was started"
                self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        # First: whoever finds it set later has put a reply where it is seen below.
        self._is_waking = False
        while self._outbox:
            done = self._outbox.popleft()
            if done.future.done():
                continue
            if isinstance(done.outcome, Reply):
                done.future.set_result(done.outcome)
            else:
                done.future.set_exception(done.outcome)
