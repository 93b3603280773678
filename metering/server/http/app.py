"""The application: Starlette's routing, and the service on threads behind it.

Handlers wait for the disk, not for sockets, and threads that wait at the same time share
a commit: so every request is answered on a thread, and there are many.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count

from starlette.routing import Route as PathRoute
from starlette.routing import Router

from metering.bodies import encoded
from metering.connection import Metering
from metering.server.api.authentication import Keyring
from metering.server.api.errors import (
    PositionNotReachedError,
    RequestRefusedError,
    UnknownRouteError,
)
from metering.server.api.failures import response_to_failure
from metering.server.api.health import KeptHealth
from metering.server.api.metrics import Metrics
from metering.server.api.requests import (
    HttpRequest,
    HttpResponse,
)
from metering.server.api.routes import Route, RowsBody
from metering.server.api.service import IDEMPOTENCY_KEY, Service
from metering.server.documents.front_page import front_page
from metering.server.documents.open_routes import OPEN_ROUTES, OpenRoute, Site
from metering.server.documents.openapi import document_of
from metering.server.grammar.dialects import dialect_at
from metering.server.grammar.media_types import JSON
from metering.server.http.answering import Answering
from metering.server.http.large_bodies import LargeBodies
from metering.server.http.receiving import (
    AsgiMessage,
    AsgiReceive,
    AsgiScope,
    AsgiSend,
    ClientGoneError,
    headers_of,
    read_body,
)
from metering.server.table import ROUTES
from metering.webhooks.resources import API_VERSION

THREADS = 64
PATIENCE_SECONDS = 30
"""How long to wait for a head, for the next part of a body, and for another request."""
_PROCESS_ID = secrets.token_hex(6)
_NUMBERS = count(1)
_POLL_SECONDS = 0.02
_POSITION_SECONDS = 5.0


def create_app(
    m: Metering,
    *,
    rate_limit: int | None = None,
    threads: int = THREADS,
    patience_seconds: float = PATIENCE_SECONDS,
    routes: Sequence[Route] = ROUTES,
) -> Router:
    """Make the application that serves a store.

    Args:
        m: the store; whoever opened it closes it, after the application has ended.
        rate_limit: how many requests a second an API key may make; None is any number.
        threads: how many requests are answered at the same time.
        patience_seconds: how long to wait for the next part of a body.
        routes: what is served.
    """
    metrics = Metrics()
    service = Service(m, metrics, rate_limit=rate_limit)
    keyring = Keyring(m)
    answering = Answering(service, keyring, routes, threads=threads)
    large_bodies = LargeBodies(service, keyring, patience_seconds)
    site = Site(
        health=KeptHealth(service.health, time.monotonic),
        document=encoded(document_of(routes, OPEN_ROUTES)),
        page=front_page(routes, OPEN_ROUTES),
    )
    unknown = _Unknown(metrics)
    by_path: dict[str, dict[str, Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        answering.start()
        try:
            yield
        finally:
            # What was accepted is answered by now.
            answering.stop()

    return Router(
        [
            *(
                PathRoute(
                    path,
                    _Endpoint(
                        by_method,
                        answering,
                        large_bodies,
                        metrics,
                        unknown,
                        patience_seconds,
                    ),
                )
                for path, by_method in by_path.items()
            ),
            *(
                PathRoute(each.path, _OpenEndpoint(each, site, unknown))
                for each in OPEN_ROUTES
            ),
        ],
        default=unknown,
        redirect_slashes=False,
        lifespan=lifespan,
    )


class _Endpoint:
    """Answers what is asked at one path."""

    def __init__(
        self,
        by_method: Mapping[str, Route],
        answering: Answering,
        large_bodies: LargeBodies,
        metrics: Metrics,
        unknown: "_Unknown",
        patience_seconds: float,
    ) -> None:
        self._by_method = by_method
        self._counted = {
            each.method: metrics.of(each.method, each.path)
            for each in by_method.values()
        }
        self._unknown = unknown
        self._making = asyncio.Lock()
        self._answering = answering
        self._large_bodies = large_bodies
        self._patience_seconds = patience_seconds

    async def __call__(
        self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend
    ) -> None:
        """Answer one request."""
        route = self._by_method.get(scope["method"])
        if route is None:
            await self._unknown(scope, receive, send)
            return
        counted = self._counted[route.method]
        began, reply = counted.began(), None
        try:
            reply = await self._answer(route, scope, receive, send)
        finally:
            counted.ended(began, reply)

    async def _answer(
        self, route: Route, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend
    ) -> HttpResponse | None:
        """Answer, unless nobody is there any more."""
        request_id, headers = _new_request_id(), headers_of(scope)
        try:
            asked = HttpRequest(
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"],
                headers=headers,
                ids=scope["path_params"],
                body=b"" if route.rows else await self._body(receive, headers),
                request_id=request_id,
            )
            if route.rows is None:
                reply = await self._reply(route, asked)
            else:
                reply = await self._reply_to_rows(route, asked, receive, route.rows)
        except ClientGoneError:
            return None
        except RequestRefusedError as error:
            reply = response_to_failure(error, route.dialect)
        if reply.pieces is None:
            await _send(send, reply, request_id, headers)
        else:
            head = _head(reply, request_id, headers)
            await self._send_pieces(receive, send, reply.pieces, head)
        return reply

    async def _body(self, receive: AsgiReceive, headers: Mapping[str, str]) -> bytes:
        return await read_body(
            receive, headers, patience_seconds=self._patience_seconds
        )

    async def _send_pieces(
        self,
        receive: AsgiReceive,
        send: AsgiSend,
        pieces: Iterator[bytes],
        head: AsgiMessage,
    ) -> None:
        """Send what is made meanwhile, on another thread, until nobody listens."""
        await send(head)
        gone = asyncio.ensure_future(receive())
        try:
            while not gone.done():
                # One at a time: making them leaves little of the interpreter to others.
                async with self._making:
                    piece = await asyncio.to_thread(next, pieces, None)
                if piece is None:
                    await send({"type": "http.response.body", "body": b""})
                    return
                await send(
                    {"type": "http.response.body", "body": piece, "more_body": True}
                )
        finally:
            gone.cancel()

    async def _reply_to_rows(
        self, route: Route, asked: HttpRequest, receive: AsgiReceive, taken: RowsBody
    ) -> HttpResponse:
        """Answer a request whose body is read when it is clear that it may be sent."""
        refusal = await self._large_bodies.refusal(route, asked)
        if refusal is not None:
            return refusal
        async with self._large_bodies.whole(asked, receive, taken.limits) as whole:
            return await self._reply(route, whole)

    async def _reply(self, route: Route, asked: HttpRequest) -> HttpResponse:
        """Answer, as soon as the log goes as far as is asked for."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _POSITION_SECONDS
        while True:
            try:
                return await self._answering.reply(route, asked)
            except PositionNotReachedError:
                if loop.time() > deadline:
                    raise
            await asyncio.sleep(_POLL_SECONDS)


class _OpenEndpoint:
    """Answers whoever asks at one path."""

    def __init__(self, route: OpenRoute, site: Site, unknown: "_Unknown") -> None:
        self._route = route
        self._site = site
        self._unknown = unknown

    async def __call__(
        self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend
    ) -> None:
        """Answer one request."""
        if scope["method"] not in {"GET", "HEAD"}:
            await self._unknown(scope, receive, send)
            return
        reply = await self._route.handler(self._site)
        await _send(send, reply, _new_request_id(), headers_of(scope))


class _Unknown:
    """Answers what is asked where nothing is served."""

    def __init__(self, metrics: Metrics) -> None:
        # Whoever asks makes up methods and paths.
        self._counted = metrics.of("other", "unknown")

    async def __call__(
        self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend
    ) -> None:
        """Answer one request."""
        del receive
        if scope["type"] == "http":
            error = UnknownRouteError(scope["method"], scope["path"])
            reply = response_to_failure(error, dialect_at(scope["path"]))
            began = self._counted.began()
            try:
                await _send(send, reply, _new_request_id(), headers_of(scope))
            finally:
                self._counted.ended(began, reply)


async def _send(
    send: AsgiSend,
    reply: HttpResponse,
    request_id: str,
    asked_headers: Mapping[str, str],
) -> None:
    await send(_head(reply, request_id, asked_headers))
    await send({"type": "http.response.body", "body": reply.body})


def _head(
    reply: HttpResponse, request_id: str, asked_headers: Mapping[str, str]
) -> AsgiMessage:
    headers = {
        "Content-Type": JSON,
        "Cache-Control": "no-store",
        "Request-Id": request_id,
        "Stripe-Version": asked_headers.get("stripe-version", API_VERSION)[:64],
        **reply.headers,
    }
    if reply.pieces is None:
        headers["Content-Length"] = str(len(reply.body))
    if idempotency_key := asked_headers.get(IDEMPOTENCY_KEY):
        headers["Idempotency-Key"] = idempotency_key[:255]
    return {
        "type": "http.response.start",
        "status": reply.status,
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.items()
        ],
    }


def _new_request_id() -> str:
    # Counted, not drawn: a draw asks the system each time, and the event loop then waits
    # for the threads to let it go on.
    return f"req_{_PROCESS_ID}{next(_NUMBERS):06x}"
