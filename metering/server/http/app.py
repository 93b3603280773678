"""The application: an ASGI callable that serves a store, by itself or inside another.

It finds the route of a request, reads the body, and sends the response; what is between
is the service's, on threads.
"""

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from metering.connection import Metering
from metering.server.api.error_responses import response_to_failure
from metering.server.api.errors import (
    PositionNotReachedError,
    RequestRefusedError,
    UnknownRouteError,
)
from metering.server.api.health import KeptHealth
from metering.server.api.memory import SpareMemory
from metering.server.api.metrics import Metrics
from metering.server.api.requests import HttpRequest, HttpResponse, unpacked_rows
from metering.server.api.routes import Route
from metering.server.api.service import (
    IDEMPOTENCY_KEY,
    LONGEST_IDEMPOTENCY_KEY,
    Service,
)
from metering.server.documents.open_routes import OPEN_ROUTES, OpenRoute
from metering.server.documents.site import Site
from metering.server.grammar.dialects import dialect_at
from metering.server.grammar.media_types import JSON
from metering.server.http.answering import Answering
from metering.server.http.heads import Heads
from metering.server.http.receiving import (
    AsgiMessage,
    AsgiReceive,
    AsgiScope,
    AsgiSend,
    ClientGoneError,
    read_body,
    read_sent,
)
from metering.server.http.routing import Paths, path_within
from metering.server.table import ROUTES
from metering.webhooks.resources import API_VERSION

THREADS = 64
PATIENCE_SECONDS = 30
"""How long to wait for a head, for the next part of a body, and for another request."""
_PROCESS_ID = secrets.token_hex(6)
_NUMBERS = count(1)
_POLL_SECONDS = 0.02
POSITION_SECONDS = 5.0
"""How long a request waits for the position that it asks for."""
BODIES_MAX = 4
"""How many bodies of rows are in memory at the same time.

Some formats begin at their end, so a body is held whole.
"""


def create_app(
    m: Metering,
    *,
    rate_limit: int | None = None,
    threads: int = THREADS,
    patience_seconds: float = PATIENCE_SECONDS,
    allow_hosts: Sequence[str] | None = None,
    routes: Sequence[Route] = ROUTES,
) -> "StoreApplication":
    """Make the ASGI application that serves a store.

    It runs by itself under any ASGI server, or mounted in another application, such as
    one of FastAPI or Starlette: ``app.mount("/billing", create_app(m))``. Clients use
    the URL of the mount as their base address.

    Args:
        m: the store. Close it after the application has ended.
        rate_limit: how many requests a second an API key may make; None is any number.
        threads: how many requests are answered at the same time.
        patience_seconds: how long to wait for the next part of a body.
        allow_hosts: names and addresses by which clients reach it, without ports; a
            request whose `Host` is another one is refused. ``*`` among them is any.
            None leaves it to the application or the server around this one.
        routes: what is served.

    Raises:
        InvalidRequestError: `allow_hosts` holds something else.
    """
    metrics = Metrics()
    service = Service(m, metrics, rate_limit=rate_limit)
    return StoreApplication(
        service,
        Answering(service, m, routes, threads),
        metrics,
        patience_seconds,
        Heads(allow_hosts),
        routes,
    )


class StoreApplication:
    """Answers HTTP requests from a store; see `create_app`.

    For one event loop at a time. Its threads start with the first request, or with the
    lifespan where a server has one, and end with that or with the process.
    """

    def __init__(
        self,
        service: Service,
        answering: Answering,
        metrics: Metrics,
        patience_seconds: float,
        heads: Heads,
        routes: Sequence[Route],
    ) -> None:
        self._service = service
        self._answering = answering
        self._patience_seconds = patience_seconds
        self._heads = heads
        self._site = Site(routes, KeptHealth(service.health, time.monotonic))
        self._paths = Paths[Route | OpenRoute](
            [
                *((each.method, each.path, each) for each in routes),
                *(("GET", each.path, each) for each in OPEN_ROUTES),
                *(("HEAD", each.path, each) for each in OPEN_ROUTES),
            ]
        )
        self._counted = {
            (each.method, each.path): metrics.of(each.method, each.path)
            for each in routes
        }
        # Clients make up methods and paths.
        self._counted_unknown = metrics.of("other", "unknown")
        self._room = asyncio.Semaphore(BODIES_MAX)
        self._making = asyncio.Lock()
        self._spare = SpareMemory()

    async def __call__(
        self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend
    ) -> None:
        """Answer a request, or start and stop with the server."""
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "lifespan":
                await self._live(receive, send)
            case _:
                await receive()
                await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: AsgiReceive, send: AsgiSend) -> None:
        while True:
            match (await receive())["type"]:
                case "lifespan.startup":
                    self._answering.start()
                    await send({"type": "lifespan.startup.complete"})
                case _:
                    # What was accepted is answered by now.
                    self._answering.stop()
                    await send({"type": "lifespan.shutdown.complete"})
                    return

    async def _answer(
        self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend
    ) -> None:
        method, path = scope["method"], path_within(scope)
        try:
            headers = self._heads.read(scope)
        except RequestRefusedError as refusal:
            began = self._counted_unknown.began()
            refused = response_to_failure(refusal, dialect_at(path))
            await _Sending(send, {}).whole(refused)
            self._counted_unknown.ended(began, refused)
            return
        sending = _Sending(send, headers)
        route, ids = self._paths.find(method, path)
        if isinstance(route, OpenRoute):
            await sending.whole(await self._site.response(route))
            return
        counted = self._counted_unknown
        if route is not None:
            counted = self._counted[route.method, route.path]
        began, response = counted.began(), None
        try:
            if route is None:
                error = UnknownRouteError(method, path)
                response = response_to_failure(error, dialect_at(path))
            else:
                request = HttpRequest(
                    method=method,
                    path=path,
                    query=scope["query_string"],
                    headers=headers,
                    ids=ids,
                    body=b"",
                    request_id=sending.request_id,
                )
                response = await self._response(route, request, receive)
            if response is None:
                return
            if response.pieces is None:
                await sending.whole(response)
            else:
                await sending.pieces(response, receive, self._making)
        finally:
            counted.ended(began, response)

    async def _response(
        self, route: Route, request: HttpRequest, receive: AsgiReceive
    ) -> HttpResponse | None:
        """Read the body and answer; None where the client has gone."""
        patience = self._patience_seconds
        try:
            if route.rows is None:
                body = await read_body(
                    receive, request.headers, patience_seconds=patience
                )
                return await self._reached(route, request.with_body(body))
            # A client that may not send such a body learns it before it does.
            refusal = await self._answering.refusal(route, request)
            if refusal is not None:
                return refusal
            limits = route.rows.limits
            async with self._room:
                sent = await read_sent(receive, limits, patience_seconds=patience)
                body, packed = await asyncio.to_thread(
                    unpacked_rows, sent, request.headers, limits
                )
                del sent
                self._spare.use()
                try:
                    return await self._reached(route, request.with_body(body, packed))
                finally:
                    del body
                    await asyncio.to_thread(self._spare.give_back)
        except ClientGoneError:
            return None
        except RequestRefusedError as error:
            return response_to_failure(error, route.dialect)

    async def _reached(self, route: Route, request: HttpRequest) -> HttpResponse:
        """Answer as soon as the log has reached the position that is asked for."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + POSITION_SECONDS
        while True:
            try:
                return await self._answering.response(route, request)
            except PositionNotReachedError:
                if loop.time() > deadline:
                    raise
            await asyncio.sleep(_POLL_SECONDS)


class _Sending:
    """Sends the response to one request."""

    def __init__(self, send: AsgiSend, asked_headers: Mapping[str, str]) -> None:
        # Counted, not drawn: a draw asks the system each time, and the event loop then
        # waits for the threads to let it go on.
        self.request_id = f"req_{_PROCESS_ID}{next(_NUMBERS):06x}"
        self._send = send
        self._asked_headers = asked_headers

    async def whole(self, response: HttpResponse) -> None:
        await self._send(self._head(response))
        await self._send({"type": "http.response.body", "body": response.body})

    async def pieces(
        self, response: HttpResponse, receive: AsgiReceive, making: asyncio.Lock
    ) -> None:
        """Send what is made meanwhile, on another thread, until the client goes."""
        pieces: Iterator[bytes] | None = response.pieces
        assert pieces is not None, "it comes in pieces"
        await self._send(self._head(response))
        gone = asyncio.ensure_future(receive())
        try:
            while not gone.done():
                # One at a time: making them leaves little of the interpreter to others.
                async with making:
                    piece = await asyncio.to_thread(next, pieces, None)
                if piece is None:
                    await self._send({"type": "http.response.body", "body": b""})
                    return
                await self._send(
                    {"type": "http.response.body", "body": piece, "more_body": True}
                )
        finally:
            gone.cancel()

    def _head(self, response: HttpResponse) -> AsgiMessage:
        asked = self._asked_headers
        headers = {
            "content-type": JSON,
            "cache-control": "no-store",
            "request-id": self.request_id,
            "stripe-version": asked.get("stripe-version", API_VERSION)[:64],
            **{name.lower(): value for name, value in response.headers.items()},
        }
        if response.pieces is None:
            headers["content-length"] = str(len(response.body))
        if idempotency_key := asked.get(IDEMPOTENCY_KEY):
            headers["idempotency-key"] = idempotency_key[:LONGEST_IDEMPOTENCY_KEY]
        return {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in headers.items()
            ],
        }
