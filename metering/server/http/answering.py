"""Answering: requests go to threads, and replies come back, many at a time.

Every request waits for the disk. What it costs to pass one between threads is more than
what it costs to answer it. So requests that came together share a look at the keys, and
replies that are ready together wake the event loop once. Where a route answers calls
together, all that came while it was at the last ones are answered in one commit.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

from metering.server.api.authentication import Keyring, Keys
from metering.server.api.requests import HttpRequest, HttpResponse
from metering.server.api.routes import Route
from metering.server.api.service import Outcome, Service

_TOGETHER_MAX = 256
_HEAVY_THREADS = 2

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _Job:
    route: Route
    asked: HttpRequest
    future: asyncio.Future[HttpResponse]


_Jobs = SimpleQueue[tuple[_Job, Keys] | None]


class Answering:
    """The threads that answer requests, between `start` and `stop`.

    Args:
        service: answers one request.
        keyring: looks at the keys.
        routes: what is asked for.
        threads: how many requests are answered at the same time, beside a few that
            are heavy.
    """

    def __init__(
        self,
        service: Service,
        keyring: Keyring,
        routes: Sequence[Route],
        *,
        threads: int,
    ) -> None:
        self._service = service
        self._keyring = keyring
        self._inbox: SimpleQueue[_Job | None] = SimpleQueue()
        self._jobs: _Jobs = SimpleQueue()
        self._heavy_jobs: _Jobs = SimpleQueue()
        self._lanes: dict[tuple[str, str], SimpleQueue[_Job | None]] = {
            (each.method, each.path): SimpleQueue()
            for each in routes
            if each.together is not None
        }
        self._outbox: deque[tuple[_Job, Outcome]] = deque()
        self._is_waking = False
        self._loop: asyncio.AbstractEventLoop | None = None
        lanes: list[Callable[[], None]] = [
            partial(self._work_together, lane) for lane in self._lanes.values()
        ]
        self._queues = [self._jobs] * threads + [self._heavy_jobs] * _HEAVY_THREADS
        works: list[Callable[[], None]] = [
            self._look,
            *lanes,
            *(partial(self._work, each) for each in self._queues),
        ]
        self._threads = [
            threading.Thread(target=each, name=f"metering-server-{number}")
            for number, each in enumerate(works)
        ]

    def start(self) -> None:
        """Start the threads, for the event loop that is running."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads, when they have answered what they were given."""
        for queue in (self._inbox, *self._lanes.values()):
            queue.put(None)
        for thread in self._threads:
            thread.join()

    async def reply(self, route: Route, asked: HttpRequest) -> HttpResponse:
        """Answer a request.

        Raises:
            PositionNotReachedError: the log does not go as far as it asks for, yet.
        """
        assert self._loop is not None, "it was started"
        job = _Job(route, asked, self._loop.create_future())
        self._lanes.get((route.method, route.path), self._inbox).put(job)
        return await job.future

    def _look(self) -> None:
        """Look at the keys for all requests that came before the look."""
        is_open = True
        while is_open:
            came = _what_came(self._inbox, _TOGETHER_MAX)
            keys = self._keyring.look()
            for job in came:
                if job is None:
                    is_open = False
                else:
                    jobs = self._heavy_jobs if job.route.is_heavy else self._jobs
                    jobs.put((job, keys))
        for jobs in self._queues:
            jobs.put(None)

    def _work(self, jobs: "_Jobs") -> None:
        while (given := jobs.get()) is not None:
            job, keys = given
            self._hand_out([(job, self._service.answer(job.route, job.asked, keys))])

    def _work_together(self, lane: "SimpleQueue[_Job | None]") -> None:
        is_open = True
        while is_open:
            came = _what_came(lane, _TOGETHER_MAX)
            jobs = [job for job in came if job is not None]
            is_open = len(jobs) == len(came)
            if jobs:
                route, asked = jobs[0].route, [job.asked for job in jobs]
                keys = self._look_for(route, asked)
                outcomes = self._service.answer_together(route, asked, keys)
                self._hand_out(list(zip(jobs, outcomes, strict=True)))

    def _look_for(self, route: Route, came: Sequence[HttpRequest]) -> Keys:
        if route.credential == "key":
            return self._keyring.look()
        return self._keyring.look_at_sessions(
            [asked.headers.get("authorization") for asked in came]
        )

    def _hand_out(self, done: Sequence[tuple[_Job, Outcome]]) -> None:
        self._outbox.extend(done)
        if not self._is_waking:
            self._is_waking = True
            assert self._loop is not None, "it was started"
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        # First: whoever finds it set later has put a reply where it is seen below.
        self._is_waking = False
        while self._outbox:
            job, outcome = self._outbox.popleft()
            if job.future.done():
                continue
            if isinstance(outcome, HttpResponse):
                job.future.set_result(outcome)
            else:
                job.future.set_exception(outcome)


def _what_came(queue: "SimpleQueue[Item]", most: int) -> list[Item]:
    """Wait for something in a queue, and take all that is there."""
    came = [queue.get()]
    try:
        while len(came) < most:
            came.append(queue.get_nowait())
    except Empty:
        pass
    return came
