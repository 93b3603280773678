"""Admission: a request is let in by its head, and its body is read after that.

What a head can decide (key, scope, account, rate, length, media type and encoding) is
decided before a byte of the body is taken from the server, so that it stays in the
kernel. The bodies of all requests together have a bound. One exception: a small body is
read at once where a look has seen the key, since passing the request between threads a
second time would cost more than the body, which is counted all the same.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from metering.server.api.error_responses import response_to_refusal
from metering.server.api.errors import (
    PositionNotReachedError,
    RequestRefusedError,
    ServerBusyError,
    UnknownRouteError,
)
from metering.server.api.memory import SpareMemory
from metering.server.api.requests import (
    HttpRequest,
    HttpResponse,
    check_encoding,
    check_length,
    decompressed,
    has_body,
    length_of,
    unpacked_rows,
)
from metering.server.api.routes import Route
from metering.server.http.answering import Answering
from metering.server.http.bodies import Bodies, HeldBody
from metering.server.http.positions import POSITION_SECONDS, PositionWaits
from metering.server.http.receiving import AsgiReceive, ClientGoneError, read_sent
from metering.server.http.strangers import Line

SMALL_BODY_MAX = 16 << 10
"""Bytes of a body that is read before its key is looked at, where a look has seen it."""
ROWS_MAX = 4
"""How many bodies of rows are in memory at the same time.

Some formats begin at their end, so a body is held whole.
"""
ROWS_TAKEN_IN_MAX = 2
"""How many of them are unpacked and taken in at the same time; the others wait for it.

What a body unpacks to takes far more memory than the body. More at a time are no faster,
as the interpreter runs one thread at a time.
"""
ROWS_WAITING_MAX = 64
"""How many requests wait until theirs may be read; more are refused."""

AnswerT = TypeVar("AnswerT")


class Admission:
    """Lets requests in, reads their bodies, and has them answered.

    For one event loop at a time.

    Args:
        answering: what answers a request that is whole.
        bodies: those that are in memory.
        positions: the requests that wait for one.
        strangers: the line of those whose key no look has seen.
        patience_seconds: how long to wait for the next part of a body.
    """

    def __init__(
        self,
        answering: Answering,
        bodies: Bodies,
        positions: PositionWaits,
        strangers: Line,
        patience_seconds: float,
    ) -> None:
        self._answering = answering
        self._bodies = bodies
        self._positions = positions
        self._strangers = strangers
        self._patience_seconds = patience_seconds
        self._room = asyncio.Semaphore(ROWS_MAX)
        self._taking_in = asyncio.Semaphore(ROWS_TAKEN_IN_MAX)
        self.memory = SpareMemory()
        self._giving_back: asyncio.Future[None] | None = None
        self._rows_waiting = 0

    @property
    def is_flooded(self) -> bool:
        """Whether more requests without a known key come than may wait."""
        return self._strangers.has_refused

    async def response(
        self, route: Route | None, request: HttpRequest, receive: AsgiReceive
    ) -> HttpResponse | None:
        """Read the body and answer; None where the client has gone.

        Args:
            route: None where nothing is served at the path.
            request: without its body.
            receive: of the ASGI server.
        """
        are_rows = route is not None and route.rows is not None
        with self._bodies.held(are_rows=are_rows) as held:
            try:
                is_known = self._answering.has_seen_key_of(request)
                if not is_known:
                    await self._strangers.turn()
                if route is None:
                    error = UnknownRouteError(request.method, request.path)
                    response = response_to_refusal(error, request.path)
                elif is_known and _is_small(route, request):
                    response = await self._read_and_answered(
                        route, request, receive, held
                    )
                else:
                    response = await self._admitted(route, request, receive, held)
            except ClientGoneError:
                return None
            except RequestRefusedError as error:
                response = response_to_refusal(error, request.path)
        if held.is_read or not has_body(request.headers):
            return response
        # The rest of the body is not waited for, so no other request can follow it.
        return response.closing()

    async def _admitted(
        self, route: Route, request: HttpRequest, receive: AsgiReceive, held: HeldBody
    ) -> HttpResponse:
        """Answer a request whose head is judged first."""
        check_length(request.headers, route.body_limits)
        refusal = await self._reached(self._answering.refusal, route, request)
        if refusal is not None:
            return refusal
        request = request.admitted()
        if route.rows is None:
            return await self._read_and_answered(route, request, receive, held)
        async with self._room_for_rows():
            self.memory.use()
            try:
                return await self._read_and_answered(route, request, receive, held)
            finally:
                self.memory.end_use()
                if self.memory.is_there:
                    # Named, so that it is kept; the client has its answer meanwhile.
                    giving_back = asyncio.to_thread(self.memory.give_back)
                    self._giving_back = asyncio.ensure_future(giving_back)

    async def _read_and_answered(
        self, route: Route, request: HttpRequest, receive: AsgiReceive, held: HeldBody
    ) -> HttpResponse:
        answer = self._answering.response if route.rows is None else self._taken_in
        # Without a name here, the body goes as soon as it is answered.
        return await self._reached(
            answer, route, await self._whole(route, request, receive, held)
        )

    async def _taken_in(self, route: Route, request: HttpRequest) -> HttpResponse:
        """Answer a request with rows when it is its turn."""
        async with self._taking_in:
            return await self._answering.response(route, request)

    async def _whole(
        self, route: Route, request: HttpRequest, receive: AsgiReceive, held: HeldBody
    ) -> HttpRequest:
        """Read the body of a request, and decompress it."""
        limits, headers = route.body_limits, request.headers
        held.grow(length_of(headers) or 0)
        sent = await read_sent(
            receive, limits, held, patience_seconds=self._patience_seconds
        )
        held.is_read = True
        compression = check_encoding(headers, limits)
        if compression is None:
            return request.with_body(sent)
        if route.rows is not None:
            unpacked = await asyncio.to_thread(unpacked_rows, sent, compression, limits)
            return request.with_body(*unpacked)
        body = decompressed(sent, compression, limits)
        held.grow(len(body))
        return request.with_body(body)

    async def _reached(
        self,
        ask: Callable[[Route, HttpRequest], Awaitable[AnswerT]],
        route: Route,
        request: HttpRequest,
    ) -> AnswerT:
        """Ask as soon as the log has reached the position that is asked for."""
        deadline = asyncio.get_running_loop().time() + POSITION_SECONDS
        while True:
            try:
                return await ask(route, request)
            except PositionNotReachedError as error:
                # Kept, it would hold the frames that hold the body.
                asked = error.with_traceback(None)
            await self._positions.reached(asked, deadline)

    @asynccontextmanager
    async def _room_for_rows(self) -> AsyncIterator[None]:
        """Wait until one more body of rows may be in memory."""
        busy = ServerBusyError("other requests send it rows")
        if self._rows_waiting >= ROWS_WAITING_MAX:
            raise busy
        self._rows_waiting += 1
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._room.acquire()
        except TimeoutError:
            raise busy from None
        finally:
            self._rows_waiting -= 1
        try:
            yield
        finally:
            self._room.release()


def _is_small(route: Route, request: HttpRequest) -> bool:
    length = length_of(request.headers)
    return route.rows is None and length is not None and length <= SMALL_BODY_MAX
