"""The application: Starlette's routing, and the service on threads behind it.

Handlers wait for the disk, not for sockets, and threads that wait at the same time share
a commit: so every request is answered on a thread, and there are many.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count

from starlette.routing import Route as PathRoute
from starlette.routing import Router

from metering.connection import Metering
from metering.server.answering import Answering
from metering.server.authentication import Keyring
from metering.server.errors import (
    PositionNotReachedError,
    RequestRefusedError,
    UnknownRouteError,
)
from metering.server.requests import (
    Asked,
    ClientGoneError,
    Receive,
    Reply,
    Scope,
    Send,
    headers_of,
    read_body,
)
from metering.server.routes import Route
from metering.server.service import IDEMPOTENCY_KEY, Service, reply_of
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
    service = Service(m, rate_limit=rate_limit)
    answering = Answering(service, Keyring(m), routes, threads=threads)
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
                PathRoute(path, _Endpoint(by_method, answering, patience_seconds))
                for path, by_method in by_path.items()
            ),
            PathRoute("/healthz", _Health(service, asks_store=False)),
            PathRoute("/readyz", _Health(service, asks_store=True)),
        ],
        default=_answer_unknown,
        redirect_slashes=False,
        lifespan=lifespan,
    )


class _Endpoint:
    """Answers what is asked at one path."""

    def __init__(
        self,
        by_method: Mapping[str, Route],
        answering: Answering,
        patience_seconds: float,
    ) -> None:
        self._by_method = by_method
        self._answering = answering
        self._patience_seconds = patience_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = self._by_method.get(scope["method"])
        if route is None:
            await _answer_unknown(scope, receive, send)
            return
        request_id, headers = _new_request_id(), headers_of(scope)
        try:
            body = await read_body(
                receive, headers, patience_seconds=self._patience_seconds
            )
            asked = Asked(
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"],
                headers=headers,
                ids=scope["path_params"],
                body=body,
                request_id=request_id,
            )
            reply = await self._reply(route, asked)
        except ClientGoneError:
            return
        except RequestRefusedError as error:
            reply = reply_of(error.failure, scope["path"])
        await _send(send, reply, request_id, headers)

    async def _reply(self, route: Route, asked: Asked) -> Reply:
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


class _Health:
    """Tells whether the server lives, or whether it can answer from its store."""

    def __init__(self, service: Service, *, asks_store: bool) -> None:
        self._service = service
        self._asks_store = asks_store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        del receive
        is_well = True
        if self._asks_store:
            is_well = await asyncio.to_thread(self._service.is_ready)
        status, word = (200, b"ok") if is_well else (503, b"unavailable")
        reply = Reply(status=status, body=b'{"status":"%s"}' % word)
        await _send(send, reply, _new_request_id(), headers_of(scope))


async def _answer_unknown(scope: Scope, receive: Receive, send: Send) -> None:
    del receive
    if scope["type"] == "http":
        error = UnknownRouteError(scope["method"], scope["path"])
        reply = reply_of(error.failure, scope["path"])
        await _send(send, reply, _new_request_id(), headers_of(scope))


async def _send(
    send: Send, reply: Reply, request_id: str, asked_headers: Mapping[str, str]
) -> None:
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(reply.body)),
        "Cache-Control": "no-store",
        "Request-Id": request_id,
        "Stripe-Version": asked_headers.get("stripe-version", API_VERSION)[:64],
        **reply.headers,
    }
    if idempotency_key := asked_headers.get(IDEMPOTENCY_KEY):
        headers["Idempotency-Key"] = idempotency_key[:255]
    start = {
        "type": "http.response.start",
        "status": reply.status,
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.items()
        ],
    }
    await send(start)
    await send({"type": "http.response.body", "body": reply.body})


def _new_request_id() -> str:
    # Counted, not drawn: a draw asks the system each time, and the event loop then waits
    # for the threads to let it go on.
    return f"req_{_PROCESS_ID}{next(_NUMBERS):06x}"
