"""Accepting: connections are taken from the kernel as the server has room for them.

asyncio accepts until the kernel has no more, and where descriptors run out it tries that
thousands of times a second and logs each. Here a few are taken at a time, so that open
connections are served in between, and there is a bound below what descriptors there are:
beyond it the connection that has been idle longest makes room, as in nginx, or the new one
is answered with 503. Where descriptors run out nevertheless, accepting pauses.
"""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from metering.server.api.complaints import limit_complaints
from metering.server.api.errors import ServerBusyError
from metering.server.api.metrics import ConnectionCounters
from metering.server.http.connections import Connections
from metering.server.http.sending import last_response

BACKLOG = 512
"""How many connections the kernel keeps until they are accepted."""
_AT_ONCE = 4
_PAUSE_SECONDS = 0.1
# While a connection is closed for each that comes, or each that comes is refused, 200 come
# a second and others wait in the kernel: thousands would take the processor from open ones.
_PAUSE_SECONDS_IN_FLOOD = 0.02
_CLOSED_AT_ONCE = 16
_OUT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

_BUSY = last_response(ServerBusyError("it has as many connections as it may"))

_log = limit_complaints(logging.getLogger(__name__))


class Acceptor:
    """Accepts the connections of a socket that listens. For the running event loop.

    Args:
        listener: the socket.
        connections: those that are open.
        protocol: makes the protocol of a connection.
        must_stop: whether to accept no more.
        is_flooded: whether more requests of strangers come than may wait.
        counters: count those that are refused, or closed to make room.
    """

    def __init__(
        self,
        listener: socket.socket,
        connections: Connections,
        *,
        protocol: Callable[[], asyncio.BaseProtocol],
        must_stop: Callable[[], bool],
        is_flooded: Callable[[], bool],
        counters: ConnectionCounters,
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._protocol = protocol
        self._must_stop = must_stop
        self._is_flooded = is_flooded
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._is_accepting = False
        self._is_stopped = False
        # Given up for a moment, it lets one more be accepted, and told.
        self._spare: int | None = os.open(os.devnull, os.O_RDONLY)

    def start(self) -> None:
        """Accept from now on."""
        if not self._is_stopped and not self._is_accepting:
            self._is_accepting = True
            self._loop.add_reader(self._listener.fileno(), self._accept)

    def stop(self) -> None:
        """Accept no more, and let nobody wait in the kernel for it."""
        self._pause()
        self._is_stopped = True
        self._connections.end()
        self._listener.close()
        self._release_spare()

    def _pause(self) -> None:
        if self._is_accepting:
            self._is_accepting = False
            self._loop.remove_reader(self._listener.fileno())

    def _pause_for(self, seconds: float) -> None:
        self._pause()
        self._loop.call_later(seconds, self.start)

    def _accept(self) -> None:
        if self._must_stop():
            self.stop()
            return
        is_flooded = self._is_flooded() or self._connections.wasted.is_flood
        if is_flooded or self._is_full():
            self._pause_for(_PAUSE_SECONDS_IN_FLOOD)
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _OUT:
                    self._make_room(error)
                # Else it is the client's: it has gone, or its network has.
                return
            self._take(accepted)

    def _is_full(self) -> bool:
        taken = len(self._connections.open) + len(self._opening)
        return taken >= self._connections.connections_max

    def _take(self, accepted: socket.socket) -> None:
        if self._is_full():
            if not self._connections.idle.close_longest():
                self._refuse(accepted)
                return
            self._counters.closed_idle.inc()
        accepted.settimeout(0)
        opening = self._loop.create_task(self._open(accepted))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _open(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, accepted)
        except OSError:
            # The client has gone.
            accepted.close()

    def _refuse(self, accepted: socket.socket) -> None:
        self._counters.refused.inc()
        with accepted, suppress(OSError):
            accepted.settimeout(0)
            accepted.send(_BUSY)
            accepted.shutdown(socket.SHUT_WR)

    def _make_room(self, error: OSError) -> None:
        """Have fewer descriptors in use, and accept again a little later."""
        closed = 0
        while closed < _CLOSED_AT_ONCE and self._connections.idle.close_longest():
            closed += 1
            self._counters.closed_idle.inc()
        if not closed:
            self._release_spare()
            with suppress(OSError):
                self._refuse(self._listener.accept()[0])
            with suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY)
        self._pause_for(_PAUSE_SECONDS)
        _log.error(
            "No connection can be accepted: %s; %s idle ones were closed. Raise the limit"
            " of open files, or lower --connections",
            os.strerror(error.errno or 0),
            closed,
        )

    def _release_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
