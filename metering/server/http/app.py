"""The application: an ASGI callable that serves a store, by itself or inside another.

It finds the route of a request, reads the body, and sends the response; what is between
is the service's, on threads.
"""

import time
from collections.abc import Sequence

from metering.connection import Metering
from metering.errors import InvalidRequestError
from metering.server.api.error_responses import response_to_refusal
from metering.server.api.errors import RequestRefusedError, ServerBusyError
from metering.server.api.health import KeptHealth
from metering.server.api.metrics import Metrics
from metering.server.api.paths import Paths
from metering.server.api.requests import HttpRequest, HttpResponse, has_body
from metering.server.api.routes import Route
from metering.server.api.service import Service
from metering.server.documents.open_routes import OPEN_ROUTES, OpenRoute
from metering.server.documents.site import Site
from metering.server.http.admission import Admission
from metering.server.http.answering import Answering
from metering.server.http.bodies import BODY_BYTES_MAX, Bodies
from metering.server.http.heads import Heads
from metering.server.http.positions import PositionWaits
from metering.server.http.receiving import (
    AsgiReceive,
    AsgiScope,
    AsgiSend,
    path_within,
)
from metering.server.http.sending import LargeAnswers, Sending
from metering.server.http.strangers import (
    STRANGERS_PER_SECOND,
    STRANGERS_WAITING_MAX,
    VISITORS_PER_SECOND,
    Line,
)
from metering.server.table import ROUTES
from metering.usage.ingest.bounds.limits import UNPACK_FACTOR

THREADS = 64
PATIENCE_SECONDS = 30
"""How long to wait for a head, for the next part of a body, and for another request."""


def create_app(  # noqa: PLR0913  # its settings are its arguments
    m: Metering,
    *,
    rate_limit: int | None = None,
    threads: int = THREADS,
    patience_seconds: float = PATIENCE_SECONDS,
    allow_hosts: Sequence[str] | None = None,
    body_bytes_max: int = BODY_BYTES_MAX,
    unpack_factor: int = UNPACK_FACTOR,
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
        body_bytes_max: how many bytes of bodies, as they are sent, are in memory at the
            same time; what is above is answered with 503.
        unpack_factor: how many times as long as it was sent a body of rows may be,
            unpacked; 128 MiB are always allowed, and more than 2 GiB never.
        routes: what is served.

    Raises:
        InvalidRequestError: `body_bytes_max` is less than 80 MiB, which the largest body
            asks for, `unpack_factor` is less than 1, or `allow_hosts` holds something
            else.
    """
    if unpack_factor < 1:
        raise InvalidRequestError(
            f"Invalid unpack_factor: {unpack_factor}; must be at least 1",
            param="unpack_factor",
        )
    routes = [each.unpacking(unpack_factor) for each in routes]
    metrics = Metrics()
    service = Service(m, metrics, rate_limit=rate_limit)
    answering = Answering(service, m, routes, threads)
    largest = max((each.body_limits for each in routes), key=lambda each: each.sent_max)
    bodies, positions = (
        Bodies(body_bytes_max, largest),
        PositionWaits(lambda: m.position),
    )
    metrics.watch(
        body_bytes=lambda: bodies.bytes_held, waiting=lambda: positions.waiting
    )
    strangers = Line(STRANGERS_PER_SECOND, STRANGERS_WAITING_MAX)
    admission = Admission(answering, bodies, positions, strangers, patience_seconds)
    return StoreApplication(
        service, answering, admission, metrics, Heads(allow_hosts), routes
    )


class StoreApplication:
    """Answers HTTP requests from a store; see `create_app`.

    For one event loop at a time. Its threads start with the first request, or with the
    lifespan where a server has one, and end with that or with the process.
    """

    def __init__(  # `create_app` makes its parts
        self,
        service: Service,
        answering: Answering,
        admission: Admission,
        metrics: Metrics,
        heads: Heads,
        routes: Sequence[Route],
    ) -> None:
        self._answering = answering
        self._heads = heads
        self._admission = admission
        self.memory = admission.memory
        self._site = Site(routes, KeptHealth(service.health, time.monotonic))
        self._paths = Paths[Route | OpenRoute](
            [
                *((each.method, each.path, each) for each in routes),
                *(("GET", each.path, each) for each in OPEN_ROUTES),
                *(("HEAD", each.path, each) for each in OPEN_ROUTES),
            ]
        )
        self.metrics = metrics
        self._counted = {
            (each.method, each.path): metrics.of(each.method, each.path)
            for each in routes
        }
        # Clients make up methods and paths.
        self._counted_unknown = metrics.of("other", "unknown")
        # Those who ask for the health wait for no stranger who asks for more.
        self._visitors = Line(VISITORS_PER_SECOND, STRANGERS_WAITING_MAX)
        self._large = LargeAnswers()

    @property
    def is_flooded(self) -> bool:
        """Whether more requests without a known key come than may wait."""
        return self._admission.is_flooded or self._visitors.has_refused

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
            began, refused = self._counted_unknown.began(), None
            try:
                refused = await self._turned_away(refusal, path)
                await Sending(send, {}).whole(refused)
            finally:
                self._counted_unknown.ended(began, refused)
            return
        sending = Sending(send, headers)
        route, ids = self._paths.find(method, path)
        if isinstance(route, OpenRoute):
            response = await self._visited(route)
            await sending.whole(response.closing() if has_body(headers) else response)
            return
        counted = self._counted_unknown
        if route is not None:
            counted = self._counted[route.method, route.path]
        began, answered = counted.began(), None
        try:
            request = HttpRequest(
                method=method,
                path=path,
                query=scope["query_string"],
                headers=headers,
                ids=ids,
                body=b"",
                request_id=sending.request_id,
            )
            answered = await self._admission.response(route, request, receive)
            if answered is None:
                return
            if answered.pieces is None:
                await sending.whole(answered)
            else:
                answered = await self._sent_in_pieces(answered, path, sending, receive)
        finally:
            counted.ended(began, answered)

    async def _sent_in_pieces(
        self, answered: HttpResponse, path: str, sending: Sending, receive: AsgiReceive
    ) -> HttpResponse:
        """Send a large answer, or refuse it; return what was sent."""
        try:
            await sending.pieces(answered, receive, self._large)
        except ServerBusyError as error:
            refused = response_to_refusal(error, path)
            await sending.whole(refused)
            return refused
        return answered

    async def _visited(self, route: OpenRoute) -> HttpResponse:
        """Answer anyone, in turn."""
        try:
            await self._visitors.turn()
        except ServerBusyError as error:
            return response_to_refusal(error, route.path)
        return await self._site.response(route)

    async def _turned_away(
        self, refusal: RequestRefusedError, path: str
    ) -> HttpResponse:
        """Refuse what nothing is known of but its path, in turn."""
        try:
            await self._visitors.turn()
        except ServerBusyError as error:
            refusal = error
        return response_to_refusal(refusal, path).closing()
