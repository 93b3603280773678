"""Connections: what a client may send before a request, and after its response.

uvicorn waits for a head for as long as it takes, and bounds its size only with a parser
that is half as fast. Here a protocol stands around uvicorn's, and an application around
the server's: the second says when a request begins and ends, the first hangs up on a
client that sends none. Both go by what asyncio and ASGI promise.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from metering.server.api.error_responses import response_to_failure
from metering.server.api.errors import BodyUnreadableError
from metering.server.api.requests import LENGTH_DIGITS_MAX
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
# Behind a request that is being answered, others may have come whole.
_AHEAD_MAX = 512 << 10
# Of a body without a length that nobody reads.
_UNREAD_MAX = 8 << 20
_END_OF_HEAD = b"\r\n\r\n"
_TOO_LARGE = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b"
)

PeerAddress = tuple[str, int]


class Connections:
    """The open connections of a server.

    Args:
        patience_seconds: how long a client may take to send a whole head, after it
            connected or its last request was answered.
    """

    def __init__(self, patience_seconds: float) -> None:
        self.patience_seconds = patience_seconds
        self.open: dict[PeerAddress, BoundedConnection] = {}

    def protocol(self, **keywords: object) -> "BoundedConnection":
        """Make the protocol of a connection, of what uvicorn gives to its own."""
        return BoundedConnection(self, **keywords)

    def bounded(self, app: AsgiApplication) -> AsgiApplication:
        """Return an application that says when its requests begin and end."""

        async def answer(
            scope: AsgiScope, receive: AsgiReceive, send: AsgiSend
        ) -> None:
            client = scope.get("client")
            connection = self.open.get(tuple(client)) if client else None
            if connection is None:
                await app(scope, receive, send)
                return

            async def received() -> AsgiMessage:
                message = await receive()
                connection.pass_on(message)
                return message

            connection.begin(scope)
            try:
                await app(scope, received, send)
            finally:
                connection.end()

        return answer


class BoundedConnection:
    """Hangs up on a client that sends a head without end, or not to its end.

    What it does not do itself is done by uvicorn's protocol.
    """

    def __init__(self, connections: Connections, **keywords: object) -> None:
        self._connections = connections
        self._inner = AutoHTTPProtocol(**keywords)
        self._loop = asyncio.get_running_loop()
        self._deadline: asyncio.TimerHandle | None = None
        self._peer: PeerAddress | None = None
        self._bytes_left = HEAD_MAX
        self._ending = b""

    def __getattr__(self, name: str) -> Any:
        """Pass on what else asyncio calls."""
        return getattr(self._inner, name)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a head."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._peer = (str(peer[0]), int(peer[1]))
            self._connections.open[self._peer] = self
            self._wait()
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        if self._peer is not None:
            self._connections.open.pop(self._peer, None)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what came, unless too much has come before a request was complete."""
        if self._is_head_without_end(data):
            # Not passed on: uvicorn's parser would refuse a long URL in its own way.
            self._refuse_head()
            return
        self._inner.data_received(data)
        self._bytes_left -= len(data)
        self._ending = (self._ending + data)[-len(_END_OF_HEAD) + 1 :]
        if self._bytes_left < 0:
            # A request that this completed begins before.
            self._loop.call_soon(self._check_left)

    def begin(self, scope: AsgiScope) -> None:
        """Take the head of a request for complete."""
        self._stop_waiting()
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        is_told = length.isdigit() and len(length) <= LENGTH_DIGITS_MAX
        is_chunked = b"transfer-encoding" in headers or not is_told
        self._bytes_left = _AHEAD_MAX + (_UNREAD_MAX if is_chunked else int(length))

    def pass_on(self, message: AsgiMessage) -> None:
        """Take a part of the body for read, or all, and what comes then for a head."""
        if message.get("more_body", False):
            self._bytes_left += len(message.get("body", b""))
        else:
            self._bytes_left = _AHEAD_MAX

    def end(self) -> None:
        """Begin to wait for the next head."""
        self._bytes_left -= _AHEAD_MAX - HEAD_MAX
        self._wait()

    def _wait(self) -> None:
        # To close would wait until a client that reads nothing has read it all.
        patience, hang_up = self._connections.patience_seconds, self._transport.abort
        self._deadline = self._loop.call_later(patience, hang_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_head_without_end(self, data: bytes) -> bool:
        is_head = self._deadline is not None
        if not is_head or len(data) <= self._bytes_left:
            return False
        return _END_OF_HEAD not in self._ending + data[: self._bytes_left]

    def _check_left(self) -> None:
        if self._bytes_left < 0:
            self._refuse_head()

    def _refuse_head(self) -> None:
        if not self._transport.is_closing():
            # Nobody knows the path, and errors of v2 are errors of v1 as well.
            error = BodyUnreadableError("The request's head is too large.")
            body = response_to_failure(error, V2).body
            self._transport.write(_TOO_LARGE % (len(body), body))
            self._transport.close()
