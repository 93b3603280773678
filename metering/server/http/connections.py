"""Connections: what a client may send before a request, and after its response.

uvicorn waits for a head for as long as it takes, reads ahead of the application, and
parses whatever else came. Here a protocol stands around uvicorn's and an application
around the server's: the second says when a request begins, reads and ends; the first
reads no more than that needs, so that the rest stays in the kernel, and hangs up on a
client that sends no head, or takes no response. Both go by what asyncio and ASGI promise.

Invariant: of a connection, this process holds a head and a trailer, one read of the socket,
what uvicorn holds of a body, and what is sent; and there are at most so many connections.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from metering.server.api.errors import BodyUnreadableError
from metering.server.http.head_parts import HeadParts
from metering.server.http.idleness import Idle, Wasted
from metering.server.http.receiving import (
    BYTES_PER_SECOND_MIN,
    AsgiApplication,
    AsgiMessage,
    AsgiReceive,
    AsgiScope,
    AsgiSend,
)
from metering.server.http.sending import last_response

CONNECTIONS_MAX = 1_000
"""Open connections, where the limit of open files allows as many."""
_READ_BYTES = 32 << 10
# A head that comes in more parts than networks make of it waits for each of the others.
_HEAD_READS_AT_ONCE, _HEAD_READ_SECONDS = 8, 1.0
# What is parsed until a part of a body comes of it: a parser keeps the trailers.
_BESIDE_BODY_MAX = 256 << 10
# A client that sends a body which was refused learns why when it has sent it.
_LINGERING_MAX, _LINGERING_BYTES_MAX = 16, 64 << 20
# Nobody knows the path, and errors of v2 are errors of v1 as well.
_TOO_LARGE = last_response(
    BodyUnreadableError("The request's head, or its trailer, is too large.")
)

PeerAddress = tuple[str, int]


class Connections:
    """The open connections of a server. For one event loop.

    Args:
        patience_seconds: how long a client may take to send a whole head, after it
            connected or its last request was answered.
        connections_max: how many may be open.
        wasted: counts those that end before their first request.

    Attributes:
        open: by the address of the client.
        idle: those that wait for a head.
        lingering: how many only wait until a client has sent what was refused.
        are_ending: whether the server takes no more.
    """

    def __init__(
        self, patience_seconds: float, connections_max: int, wasted: Wasted
    ) -> None:
        self.patience_seconds = patience_seconds
        self.connections_max = connections_max
        self.open: dict[PeerAddress, BoundedConnection] = {}
        self.idle = Idle(patience_seconds)
        self.wasted = wasted
        self.lingering = 0
        self.are_ending = False
        # What is read is parsed, or copied, before anything else is read.
        self.buffer = memoryview(bytearray(_READ_BYTES))
        self._slowed: list[BoundedConnection] = []

    def protocol(self, **keywords: object) -> "BoundedConnection":
        """Make the protocol of a connection, of what uvicorn gives to its own."""
        return BoundedConnection(self, **keywords)

    def end(self) -> None:
        """Take no more, and wait for nobody whose request was refused."""
        self.are_ending = True
        for connection in list(self.open.values()):
            connection.end_lingering()

    def slow_down(self, connection: "BoundedConnection") -> None:
        """Read on from a connection a little later, at the same time as from others."""
        if not self._slowed:
            asyncio.get_running_loop().call_later(_HEAD_READ_SECONDS, self._go_on)
        self._slowed.append(connection)

    def _go_on(self) -> None:
        slowed, self._slowed = self._slowed, []
        for connection in slowed:
            connection.go_on()

    def bounded(self, app: AsgiApplication) -> AsgiApplication:
        """Return an application that says when its requests begin, read and end."""

        async def answer(
            scope: AsgiScope, receive: AsgiReceive, send: AsgiSend
        ) -> None:
            client = scope.get("client")
            connection = self.open.get(tuple(client)) if client else None
            if connection is None:
                await app(scope, receive, send)
                return

            async def received() -> AsgiMessage:
                connection.read()
                message = await receive()
                connection.pass_on(message)
                return message

            connection.begin(scope)
            try:
                await app(scope, received, send)
            except asyncio.CancelledError:
                if not self.are_ending:
                    raise
                # Its client takes longer than a server that ends may wait.
                await connection.abandon()
            finally:
                connection.end()

        return answer


class BoundedConnection(asyncio.BufferedProtocol):
    """Reads what a request needs, and hangs up on a client that keeps it waiting.

    What it does not do itself is done by uvicorn's protocol.
    """

    def __init__(self, connections: Connections, **keywords: object) -> None:
        self._connections = connections
        self._inner = AutoHTTPProtocol(**keywords)
        self._loop = asyncio.get_running_loop()
        self._unread_deadline: asyncio.TimerHandle | None = None
        self._peer: PeerAddress | None = None
        # Those that were begun and have not ended; one more may have been parsed.
        self._requests, self._may_be_ahead = 0, False
        self._has_begun = False
        self._is_body_due = self._takes_body = False
        self._beside_body = 0
        self._waiting_bytes = bytearray()  # Read, and not parsed yet.
        self._is_paused_by_inner = self._is_slowed = self._is_reading_paused = False
        self._head = HeadParts()
        self._head_reads = 0
        self._lingering_bytes: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a head."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._peer = (str(peer[0]), int(peer[1]))
            self._connections.open[self._peer] = self
        self._wait()
        inner = _InnerTransport(self, self._transport)
        self._inner.connection_made(cast("asyncio.Transport", inner))
        if self._connections.are_ending:
            # Accepted just before; uvicorn has told the others already.
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._connections.idle.discard(self)
        if not self._has_begun:
            self._connections.wasted.count()
        self.resume_writing()
        if self._lingering_bytes is not None:
            self._lingering_bytes = None
            self._connections.lingering -= 1
        if self._peer is not None:
            self._connections.open.pop(self._peer, None)
        self._waiting_bytes.clear()
        self._inner.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to read to, for all connections the same."""
        return self._connections.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what came, or keep it until it is wanted."""
        if self._lingering_bytes is not None:
            self._lingering_bytes += nbytes
            if self._lingering_bytes > _LINGERING_BYTES_MAX:
                self.abort()
            return
        read = self._connections.buffer[:nbytes]
        is_first = not (self._requests or self._waiting_bytes)
        if is_first and (request := self._head.all_of(read)):
            self._inner.data_received(request)
            return
        self._waiting_bytes += read
        self._parse()
        if not self._requests and not self._head.is_whole:
            self._slow_down()
            self._regulate()

    def eof_received(self) -> bool | None:
        """Let the transport close, where uvicorn has nothing against it."""
        return None if self._lingering_bytes is not None else self._inner.eof_received()

    def pause_writing(self) -> None:
        """Begin to wait until the client takes what is being sent."""
        self._inner.pause_writing()
        left = self._transport.get_write_buffer_size() / BYTES_PER_SECOND_MIN
        patience = self._connections.patience_seconds + left
        self._unread_deadline = self._loop.call_later(patience, self.abort)

    def resume_writing(self) -> None:
        """Go on to send."""
        if self._unread_deadline is not None:
            self._unread_deadline.cancel()
            self._unread_deadline = None
            self._inner.resume_writing()

    def begin(self, scope: AsgiScope) -> None:
        """Take the head of a request for complete."""
        self._connections.idle.discard(self)
        self._requests += 1
        self._has_begun = True
        headers = dict(scope["headers"])
        is_sized = headers.get(b"content-length", b"0").strip(b"0") == b""
        self._is_body_due = b"transfer-encoding" in headers or not is_sized
        self._takes_body, self._beside_body = False, 0

    def read(self) -> None:
        """Pass on what has come of the body, and what comes."""
        self._takes_body = True
        if self._waiting_bytes:
            self._parse()

    def pass_on(self, message: AsgiMessage) -> None:
        """Take a part of the body for read, or all of it."""
        self._takes_body, self._beside_body = False, 0
        if not message.get("more_body", False):
            self._is_body_due = False

    def end(self) -> None:
        """Begin to wait for the next head, unless it has come already."""
        self._requests -= 1
        if self._may_be_ahead:
            # uvicorn has asked the loop before to begin the next request, if any.
            self._may_be_ahead = False
            self._loop.call_soon(self._wait_for_next)
        else:
            self._wait_for_next()

    def abort(self) -> None:
        """Hang up at once: to close waits until the client has read what is sent."""
        self._connections.idle.discard(self)
        self._transport.abort()

    async def abandon(self) -> None:
        """Hang up, and let uvicorn know before it misses the rest of a response."""
        self.abort()
        await asyncio.sleep(0)

    def pause_for_inner(self) -> None:
        """Read no more until uvicorn can take it."""
        self._is_paused_by_inner = True
        self._regulate()

    def resume_for_inner(self) -> None:
        """Read again, unless there is another reason not to."""
        self._is_paused_by_inner, self._may_be_ahead = False, True
        self._loop.call_soon(self._parse)

    def go_on(self) -> None:
        """Read on from a client that sends a head slowly."""
        self._is_slowed = False
        self._regulate()

    def is_closing(self) -> bool:
        """Whether nothing more is answered."""
        return self._lingering_bytes is not None or self._transport.is_closing()

    def close(self) -> None:
        """Close, once the client has sent what was refused of it."""
        connections = self._connections
        if self.is_closing():
            return
        if (
            not self._is_body_due
            or connections.are_ending
            or connections.lingering >= _LINGERING_MAX
            or not self._ends_response()
        ):
            self._transport.close()
            return
        connections.lingering += 1
        self._lingering_bytes = len(self._waiting_bytes)
        self._waiting_bytes.clear()
        self._wait()
        self._regulate()

    def end_lingering(self) -> None:
        """Hang up, where the response has been sent and only the client sends."""
        if self._lingering_bytes is not None:
            self.abort()

    def _ends_response(self) -> bool:
        """Send the client that no more comes, unless it has gone."""
        try:
            self._transport.write_eof()
        except (OSError, NotImplementedError):
            return False
        return True

    def _wait(self) -> None:
        self._head.restart()
        self._head_reads = 0
        self._connections.idle.add(self)

    def _wait_for_next(self) -> None:
        if not self._requests and not self.is_closing():
            self._wait()
            if self._waiting_bytes:
                self._parse()

    def _parse(self) -> None:
        """Give uvicorn what it can take of what came."""
        waiting = self._waiting_bytes
        while waiting and self._is_wanted():
            part = self._body_part() if self._requests else self._head_part()
            if part:
                self._inner.data_received(part)
        self._regulate()

    def _is_wanted(self) -> bool:
        if self._is_paused_by_inner or self.is_closing():
            return False
        if self._requests:
            return self._takes_body and self._is_body_due
        return not self._head.is_whole

    def _head_part(self) -> bytes:
        part = self._head.next_part(self._waiting_bytes)
        # Not passed on: uvicorn's parser would refuse a long URL in its own way.
        return self._refused() if self._head.is_too_large else part

    def _body_part(self) -> bytes:
        part = bytes(self._waiting_bytes)
        self._waiting_bytes.clear()
        self._beside_body += len(part)
        return self._refused() if self._beside_body > _BESIDE_BODY_MAX else part

    def _refused(self) -> bytes:
        self._waiting_bytes.clear()
        self._transport.write(_TOO_LARGE)
        self._transport.close()
        return b""

    def _slow_down(self) -> None:
        """Read on later where a head comes in many small parts."""
        self._head_reads += 1
        if self._head_reads > _HEAD_READS_AT_ONCE and not self._is_slowed:
            self._is_slowed = True
            self._connections.slow_down(self)

    def _regulate(self) -> None:
        """Read from the socket, or leave what comes to the kernel."""
        is_paused = self._lingering_bytes is None and (
            bool(self._waiting_bytes) or self._is_paused_by_inner or self._is_slowed
        )
        if is_paused == self._is_reading_paused or self._transport.is_closing():
            return
        self._is_reading_paused = is_paused
        if is_paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


class _InnerTransport:
    """The transport as uvicorn's protocol sees it: pauses and closes are requests."""

    def __init__(
        self, connection: BoundedConnection, transport: asyncio.Transport
    ) -> None:
        self._transport = transport
        self.write = transport.write
        self.pause_reading = connection.pause_for_inner
        self.resume_reading = connection.resume_for_inner
        self.is_closing = connection.is_closing
        self.close = connection.close

    def __getattr__(self, name: str) -> Any:
        """Pass on what else uvicorn calls."""
        return getattr(self._transport, name)
