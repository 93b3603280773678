"""Connections: what a client may send before a request, and after its response.

uvicorn waits for a head for as long as it takes, and bounds its size only with a parser
that is half as fast. Here a protocol stands around uvicorn's, and an application around
the server's: the second says when a request begins and ends, the first hangs up on who
sends none. Both go by what asyncio and ASGI promise, and know nothing of uvicorn inside.
"""

import asyncio
from typing import cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from metering.server.api.errors import BodyUnreadableError
from metering.server.api.failures import response_to_failure
from metering.server.grammar.dialects import V2
from metering.server.http.receiving import (
    AsgiApplication,
    AsgiMessage,
    AsgiReceive,
    AsgiScope,
    AsgiSend,
)

HEAD_MAX = 64 << 10
"""Bytes of a request's line and headers; one read of a socket may exceed it."""
# Behind a request that is being answered, whole requests may have come in one read.
_PIPELINED_MAX = 512 << 10

PeerAddress = tuple[str, int]


class Connections:
    """The open connections of a server, and how long they may keep it waiting.

    Args:
        patience_seconds: how long a client may take to send a whole head, after it
            connected or its last request was answered; and the rest of a body that was
            answered before it was read.
    """

    def __init__(self, patience_seconds: float) -> None:
        self.patience_seconds = patience_seconds
        self.by_address: dict[PeerAddress, BoundedConnection] = {}

    def protocol(self, **keywords: object) -> "BoundedConnection":
        """Make the protocol of a connection, of what uvicorn gives to its own."""
        return BoundedConnection(self, **keywords)

    def bounded(self, app: AsgiApplication) -> AsgiApplication:
        """Return an application that says when its requests begin and end."""

        async def answer(
            scope: AsgiScope, receive: AsgiReceive, send: AsgiSend
        ) -> None:
            client = scope.get("client")
            connection = self.by_address.get(tuple(client)) if client else None
            if connection is None:
                await app(scope, receive, send)
            else:
                await _Exchange(
                    connection, scope, receive, send, self.patience_seconds
                ).run(app)

        return answer


class BoundedConnection(asyncio.Protocol):
    """Hangs up on a client that sends a head without end, or not to its end."""

    def __init__(self, connections: Connections, **keywords: object) -> None:
        self._connections = connections
        self._inner = AutoHTTPProtocol(**keywords)
        self._loop = asyncio.get_running_loop()
        self._deadline: asyncio.TimerHandle | None = None
        self._address: PeerAddress | None = None
        self._is_answering = self._is_in_body = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a head."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._address = (str(peer[0]), int(peer[1]))
            self._connections.by_address[self._address] = self
            self._wait()
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        if self._address is not None:
            self._connections.by_address.pop(self._address, None)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what came, and count what belongs to a head."""
        self._inner.data_received(data)
        if not self._is_in_body:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX:
                # A request that this completed begins before.
                self._loop.call_soon(self._check_head)

    def eof_received(self) -> bool | None:
        """Pass on that nothing more comes."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass on that the client reads too slowly."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client reads again."""
        self._inner.resume_writing()

    def begin(self, *, has_body: bool) -> None:
        """Take the head of a request for complete."""
        self._stop_waiting()
        self._is_answering, self._is_in_body = True, has_body
        self._head_bytes = 0

    def end_body(self) -> None:
        """Take what comes next for another head."""
        self._is_in_body, self._head_bytes = False, 0

    def end(self) -> None:
        """Begin to wait for the next head."""
        self._is_answering = self._is_in_body = False
        self._wait()

    def hang_up(self) -> None:
        """Drop the connection; to close it would wait until the client has read all."""
        self._transport.abort()

    def _wait(self) -> None:
        self._stop_waiting()
        patience = self._connections.patience_seconds
        self._deadline = self._loop.call_later(patience, self.hang_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _check_head(self) -> None:
        limit = _PIPELINED_MAX if self._is_answering else HEAD_MAX
        if self._head_bytes <= limit or self._transport.is_closing():
            return
        # Nobody knows the path, and errors of v2 are errors of v1 as well.
        error = BodyUnreadableError("The request's head is too large.")
        body = response_to_failure(error, V2).body
        head = (
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n"
        )
        self._transport.write(head % len(body) + body)
        self._transport.close()


class _Exchange:
    """One request and its response, on a connection that is bounded."""

    def __init__(
        self,
        connection: BoundedConnection,
        scope: AsgiScope,
        receive: AsgiReceive,
        send: AsgiSend,
        patience_seconds: float,
    ) -> None:
        names = {name for name, _ in scope["headers"]}
        self._connection = connection
        self._scope, self._receive, self._send = scope, receive, send
        self._has_body_to_come = not names.isdisjoint(
            {b"content-length", b"transfer-encoding"}
        )
        self._patience_seconds = patience_seconds
        self._closes = False

    async def run(self, app: AsgiApplication) -> None:
        self._connection.begin(has_body=self._has_body_to_come)
        try:
            await app(self._scope, self.receive, self.send)
        finally:
            self._connection.end()

    async def receive(self) -> AsgiMessage:
        message = await self._receive()
        if self._has_body_to_come and not message.get("more_body", False):
            self._has_body_to_come = False
            self._connection.end_body()
        return message

    async def send(self, message: AsgiMessage) -> None:
        """Send, and end a response only when the request has ended.

        The rest of a body that was answered before it was read is taken and dropped: a
        server that closed on it would take the response from a client that still sends.
        """
        if message["type"] == "http.response.start":
            self._closes = (b"connection", b"close") in message["headers"]
        is_last = not message.get("more_body", False)
        is_early = self._has_body_to_come and not self._closes
        if message["type"] == "http.response.start" or not (is_last and is_early):
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        try:
            async with asyncio.timeout(self._patience_seconds):
                while self._has_body_to_come:
                    await self.receive()
        except TimeoutError:
            self._connection.hang_up()
        else:
            await self._send({"type": "http.response.body", "body": b""})
