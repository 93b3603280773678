"""The protocol of a connection: uvicorn's, with bounds on what comes before a body.

uvicorn bounds heads only where it parses them by itself, which is twice as slow, and it
waits for them as long as they take.
"""

from asyncio import BaseTransport, TimerHandle, Transport
from typing import cast

from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)

from metering.server.api.errors import BodyUnreadableError
from metering.server.api.failures import response_to_failure
from metering.server.grammar.dialects import V2

HEAD_MAX = 64 << 10
"""Of the line and the headers of a request; one read of a socket may exceed it."""


class BoundedProtocol(HttpToolsProtocol):
    """Hangs up on whoever sends headers without end, or does not come to their end.

    A head may take as long as an idle connection is kept.
    """

    _is_in_head = True
    _head_bytes = 0
    _deadline: TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # as uvicorn has it
        self, transport: Transport
    ) -> None:
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """Leave what follows to whoever reads the body."""
        self._is_in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        super().data_received(data)
        transport = cast("BaseTransport", self.transport)
        if transport.is_closing():
            return
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX:
                self.send_400_response("The request's head is too large.")
                return
        # For uvicorn whatever comes ends that a connection is idle, also what no head is
        # made of: blank lines, or the rest of a body that was refused.
        if self._deadline is None and (self._is_in_head or not self._is_answering):
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, in the words of all that is refused."""
        # Nobody knows the path, and errors of v2 are errors of v1 as well.
        body = response_to_failure(BodyUnreadableError(msg), V2).body
        lines = [
            b"HTTP/1.1 400 Bad Request",
            *(
                name + b": " + value
                for name, value in self.server_state.default_headers
            ),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.close()

    @property
    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def _wait_for_head(self) -> None:
        self._deadline = self.loop.call_later(self.timeout_keep_alive, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        if self._is_answering:
            # The head of the next request is late, but this one has its answer to come.
            self._wait_for_head()
        else:
            # To close would wait until a client that reads nothing has read it all.
            self.transport.abort()
