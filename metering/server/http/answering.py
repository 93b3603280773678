"""Answering: requests go to threads, and responses come back, many at a time.

Every request waits for the disk, and passing one between threads costs more than to
answer it. So requests that came together share a look at the keys, and responses that
are ready together wake the event loop once. Where a route answers calls together, all
that came while it was at the last ones are answered in one commit.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

from metering.connection import Metering
from metering.server.api.authentication import Keyring, Keys
from metering.server.api.requests import HttpRequest, HttpResponse
from metering.server.api.routes import Route
from metering.server.api.service import Service, ServiceOutcome

TOGETHER_MAX = 256
"""How many requests are answered in one commit at most."""
HEAVY_THREADS = 2
"""How many heavy requests are answered at the same time."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request, and the future of its response."""

    route: Route
    request: HttpRequest
    future: asyncio.Future[HttpResponse]


_AdmittedQueue = SimpleQueue[tuple[_Waiting, Keys] | None]


class Answering:
    """The threads that answer requests. For one event loop at a time.

    Args:
        service: answers one request.
        m: the store, which has the keys.
        routes: what is served.
        threads: how many requests are answered at the same time, beside a few that
            are heavy.
    """

    def __init__(
        self, service: Service, m: Metering, routes: Sequence[Route], threads: int
    ) -> None:
        self._service = service
        self._keyring = Keyring(m)
        self._inbox: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._admitted: _AdmittedQueue = SimpleQueue()
        self._heavy: _AdmittedQueue = SimpleQueue()
        self._lanes: dict[tuple[str, str], SimpleQueue[_Waiting | None]] = {
            (each.method, each.path): SimpleQueue()
            for each in routes
            if each.together is not None
        }
        self._outbox: deque[tuple[_Waiting, ServiceOutcome]] = deque()
        self._waking: asyncio.AbstractEventLoop | None = None
        self._queues = [self._admitted] * threads + [self._heavy] * HEAVY_THREADS
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads, where they do not run already.

        Without a lifespan nothing stops them, and they end with the process: what was
        acknowledged is committed.
        """
        if self._threads:
            return
        works: list[Callable[[], None]] = [
            self._look,
            *(partial(self._work_together, each) for each in self._lanes.values()),
            *(partial(self._work, each) for each in self._queues),
        ]
        self._threads = [
            threading.Thread(target=each, name=f"metering-server-{number}", daemon=True)
            for number, each in enumerate(works)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads when they have answered what they were given."""
        if not self._threads:
            return
        for queue in (self._inbox, *self._lanes.values()):
            queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    async def response(self, route: Route, request: HttpRequest) -> HttpResponse:
        """Answer a request, unless the log has not reached the position it asks for."""
        self.start()
        future: asyncio.Future[HttpResponse]
        future = asyncio.get_running_loop().create_future()
        waiting = _Waiting(route, request, future)
        self._lanes.get((route.method, route.path), self._inbox).put(waiting)
        return await future

    async def refusal(self, route: Route, request: HttpRequest) -> HttpResponse | None:
        """Refuse a request before its body is read, where that is clear."""
        return await asyncio.to_thread(
            lambda: self._service.refusal(route, request, self._keyring.look())
        )

    def _look(self) -> None:
        """Look at the keys for all requests that came before the look."""
        is_open = True
        while is_open:
            came = _what_came(self._inbox, TOGETHER_MAX)
            keys = self._keyring.look()
            for waiting in came:
                if waiting is None:
                    is_open = False
                else:
                    queue = self._heavy if waiting.route.is_heavy else self._admitted
                    queue.put((waiting, keys))
        for queue in self._queues:
            queue.put(None)

    def _work(self, queue: "_AdmittedQueue") -> None:
        while (given := queue.get()) is not None:
            waiting, keys = given
            outcome = self._service.answer(waiting.route, waiting.request, keys)
            self._hand_out([(waiting, outcome)])

    def _work_together(self, lane: "SimpleQueue[_Waiting | None]") -> None:
        is_open = True
        while is_open:
            came = _what_came(lane, TOGETHER_MAX)
            waiting = [each for each in came if each is not None]
            is_open = len(waiting) == len(came)
            if waiting:
                route, requests = waiting[0].route, [each.request for each in waiting]
                keys = self._look_for(route, requests)
                outcomes = self._service.answer_together(route, requests, keys)
                self._hand_out(list(zip(waiting, outcomes, strict=True)))

    def _look_for(self, route: Route, came: Sequence[HttpRequest]) -> Keys:
        if route.credential == "key":
            return self._keyring.look()
        return self._keyring.look_at_sessions(
            [request.headers.get("authorization") for request in came]
        )

    def _hand_out(self, done: Sequence[tuple[_Waiting, ServiceOutcome]]) -> None:
        self._outbox.extend(done)
        loop = done[0][0].future.get_loop()
        # Another loop may have been closed before it settled anything.
        if self._waking is not loop:
            self._waking = loop
            try:
                loop.call_soon_threadsafe(self._settle)
            except RuntimeError:  # The loop has ended, and with it the waiting task.
                self._waking = None

    def _settle(self) -> None:
        # First: a thread that finds it set later has put its response where it is seen.
        self._waking = None
        while self._outbox:
            waiting, outcome = self._outbox.popleft()
            future = waiting.future
            if future.done() or future.get_loop().is_closed():
                continue
            if isinstance(outcome, HttpResponse):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)


def _what_came(queue: "SimpleQueue[Item]", most: int) -> list[Item]:
    """Wait for something in a queue, and take all that is there."""
    came = [queue.get()]
    try:
        while len(came) < most:
            came.append(queue.get_nowait())
    except Empty:
        pass
    return came
