"""Answering: requests go to threads, and responses come back, many at a time.

Every request waits for the disk, and passing one between threads costs more than to
answer it. So requests that came together share a look at the keys, and responses that
are ready together wake the event loop once. Where a route answers calls together, all
that came while it was at the last ones are answered in one commit.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import NamedTuple

from metering.aio.lanes import HandOut, Lane, what_came
from metering.connection import Metering
from metering.server.api.authentication import Keyring, Keys
from metering.server.api.requests import HttpRequest, HttpResponse
from metering.server.api.routes import Credential, Route
from metering.server.api.service import Service, ServiceOutcome

TOGETHER_MAX = 256
"""How many requests are answered in one commit at most."""
HEAVY_THREADS = 2
"""How many heavy requests are answered at the same time."""


class _Waiting(NamedTuple):
    """A request, and the future of its response."""

    route: Route
    request: HttpRequest
    future: asyncio.Future[HttpResponse]


_AdmittedQueue = SimpleQueue[tuple[_Waiting, Keys] | None]


class Answering:
    """The threads that answer requests. For any event loop.

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
        self._lanes = {
            (each.method, each.path): Lane[HttpRequest, HttpResponse](
                partial(self._answer_together, each),
                name=f"metering-server-{each.path}",
                most=TOGETHER_MAX,
            )
            for each in routes
            if each.together is not None
        }
        self._admission = Lane[tuple[Route, HttpRequest], HttpResponse | None](
            self._refuse_together, name="metering-server-admission", most=TOGETHER_MAX
        )
        self._hand_out = HandOut[HttpResponse]()
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
        self._admission.close()
        for lane in self._lanes.values():
            lane.close()
        if not self._threads:
            return
        self._inbox.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    async def response(self, route: Route, request: HttpRequest) -> HttpResponse:
        """Answer a request, unless the log has not reached the position it asks for."""
        if (lane := self._lanes.get((route.method, route.path))) is not None:
            return await lane.submit(request)
        self.start()
        future: asyncio.Future[HttpResponse]
        future = asyncio.get_running_loop().create_future()
        self._inbox.put(_Waiting(route, request, future))
        return await future

    def has_seen_key_of(self, request: HttpRequest) -> bool:
        """Whether a look has found the key of a request; see `Keyring.has_seen`."""
        return self._keyring.has_seen(request.headers.get("authorization"))

    async def refusal(self, route: Route, request: HttpRequest) -> HttpResponse | None:
        """Return what a request is answered before its body is read; None admits it.

        Raises:
            PositionNotReachedError: the log has not reached the position it asks for.
        """
        return await self._admission.submit((route, request))

    def _refuse_together(
        self, came: Sequence[tuple[Route, HttpRequest]]
    ) -> list[ServiceOutcome | None]:
        keys = {
            credential: self._look_for(
                credential,
                [request for route, request in came if route.credential == credential],
            )
            for credential in {route.credential for route, _ in came}
        }
        return [
            self._service.refusal(route, request, keys[route.credential])
            for route, request in came
        ]

    def _look(self) -> None:
        """Look at the keys for all requests that came before the look."""
        is_open = True
        while is_open:
            came = what_came(self._inbox, TOGETHER_MAX)
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
            self._hand_out.settle([(waiting.future, outcome)])

    def _answer_together(
        self, route: Route, requests: Sequence[HttpRequest]
    ) -> Sequence[ServiceOutcome]:
        keys = self._look_for(route.credential, requests)
        return self._service.answer_together(route, requests, keys)

    def _look_for(self, credential: Credential, came: Sequence[HttpRequest]) -> Keys:
        if credential == "key":
            return self._keyring.look()
        return self._keyring.look_at_sessions(
            [request.headers.get("authorization") for request in came]
        )
