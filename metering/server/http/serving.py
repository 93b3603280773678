"""Serving: one process on one port, until it is told to stop.

Safe by default: it answers on the loopback only, unless it is said that something in
front of it speaks TLS; it writes no log of requests, and says nothing of itself.
"""

import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from metering.connection import Metering
from metering.errors import InvalidRequestError
from metering.server.http.app import PATIENCE_SECONDS, create_app
from metering.server.http.protocol import BoundedProtocol

_GRACE_SECONDS = 30
_BACKLOG = 2048
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """Where to serve.

    Attributes:
        host: a name or an address.
        port: 0 is any that is free.
        is_behind_tls: whether something in front of it speaks TLS.
    """

    host: str
    port: int
    is_behind_tls: bool


def serve(
    m: Metering,
    bind: Bind,
    *,
    rate_limit: int | None,
    started: Callable[[str], None],
    must_stop: Callable[[], bool],
    patience_seconds: int = PATIENCE_SECONDS,
) -> None:
    """Serve a store until SIGTERM or SIGINT; what was accepted by then is answered.

    Args:
        m: the store.
        bind: where.
        rate_limit: how many requests a second an API key may make; None is any number.
        started: is called with the URL when requests are taken.
        must_stop: whether to stop as a signal would; is asked ten times a second.
        patience_seconds: how long a client may take to send the head of a request, or
            the next part of its body, and how long an idle connection is kept.

    Raises:
        InvalidRequestError: the address is public, and nothing there speaks TLS; or it
            is not known, or cannot be bound.
    """
    listener = _listener(bind)
    config = uvicorn.Config(
        create_app(m, rate_limit=rate_limit, patience_seconds=patience_seconds),
        access_log=False,
        backlog=_BACKLOG,
        date_header=True,
        http=BoundedProtocol,
        lifespan="on",
        log_config=None,
        log_level=logging.ERROR,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=patience_seconds,
        ws="none",
    )
    host, port = listener.getsockname()[:2]
    with listener:
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{port}"
        _Server(config, lambda: started(url), must_stop).run([listener])


class _Server(uvicorn.Server):
    """Says when it has started, and asks whether to stop."""

    def __init__(
        self,
        config: uvicorn.Config,
        told: Callable[[], None],
        must_stop: Callable[[], bool],
    ) -> None:
        super().__init__(config)
        self._told = told
        self._must_stop = must_stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at the first signal, at once at the second; the process goes on then.

        The server's own would send itself the signal again, and end a process that has
        a store to close.
        """
        before = {each: signal.signal(each, self.handle_exit) for each in _SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to stop."""
        return await super().on_tick(counter) or self._must_stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take requests."""
        await super().startup(sockets)
        if self.started:
            self._told()


def _listener(bind: Bind) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise InvalidRequestError(
            f"Cannot serve on {bind.host}: no such host is known; give another --host",
            param="host",
        ) from error
    family, _, _, _, address = found[0]
    if not bind.is_behind_tls and not ipaddress.ip_address(address[0]).is_loopback:
        raise InvalidRequestError(
            f"Serving on {bind.host} would send API keys in the clear: serve on the"
            " loopback, or give --behind-tls where a proxy in front of it speaks TLS",
            param="host",
        )
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InvalidRequestError(
            f"Cannot serve on {bind.host}:{bind.port}: {reason}; give another --port or"
            " --host",
            param="port",
        ) from error
    return listener
