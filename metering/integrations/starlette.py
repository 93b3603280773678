"""Starlette, and whatever speaks ASGI: a store while an application runs, and requests.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypedDict

from metering.aio import AsyncMetering
from metering.integrations.extras import needing
from metering.integrations.processes import ProcessStore
from metering.integrations.requests import RequestMetering

with needing("starlette"):
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import HTTPConnection, Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class MeteringState(TypedDict):
    """What a lifespan adds to the state of every request."""

    metering: AsyncMetering


def lifespan(
    usage: ProcessStore,
) -> Callable[[Any], AbstractAsyncContextManager[MeteringState]]:
    """Return a lifespan that opens a store, and closes it when requests have ended.

    A lifespan of the application's own enters it,
    ``async with lifespan(usage)(app) as state``, and yields this state with its own.
    """

    @asynccontextmanager
    async def opened(_app: Any) -> AsyncIterator[MeteringState]:
        opening = await run_in_threadpool(usage.open)
        try:
            yield {"metering": opening.awaited}
        finally:
            await run_in_threadpool(usage.close)

    return opened


def connection(request: HTTPConnection) -> AsyncMetering:
    """Return the connection that the lifespan opened; threads use its ``sync``."""
    m: AsyncMetering = request.state.metering
    return m


class MeterRequests:
    """Middleware that meters HTTP requests.

    Args:
        app: the application.
        usage: where to record.
        requests: how requests are metered.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        usage: ProcessStore,
        requests: RequestMetering[Request],
    ) -> None:
        self._app = app
        self._usage = usage
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and meter it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        requests, request = self._requests, Request(scope)
        status: int | None = None

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if requests.waits:
                    await requests.record_awaited(self._usage, request, status)
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            if status is None or not requests.waits:
                await requests.record_awaited(self._usage, request, status or 500)
