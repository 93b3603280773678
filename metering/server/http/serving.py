"""Serving: one process on one port, until a signal.

Safe by default: it listens on the loopback only, unless a proxy in front of it speaks
TLS; it logs no requests, and says nothing of itself.
"""

import asyncio
import ipaddress
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import uvicorn

from metering.connection import Metering
from metering.errors import InvalidRequestError
from metering.server.api.complaints import limit_complaints
from metering.server.api.memory import SpareMemory, use_system_allocator
from metering.server.http.accepting import BACKLOG, Acceptor
from metering.server.http.app import PATIENCE_SECONDS, THREADS, create_app
from metering.server.http.bodies import BODY_BYTES_MAX
from metering.server.http.connections import CONNECTIONS_MAX, Connections
from metering.server.http.descriptors import connections_within
from metering.server.http.heads import ANY_HOST, LOOPBACK_HOSTS
from metering.server.http.idleness import Wasted
from metering.usage.ingest.bounds.limits import UNPACK_FACTOR

_GRACE_SECONDS = 30
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SPARE_SECONDS = 2.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What a server takes in hand at the same time.

    Attributes:
        rate_limit: how many requests a second an API key may make; None is any number.
        patience_seconds: how long a client may take to send the head of a request, or
            the next part of its body, and how long an idle connection is kept.
        connections_max: how many connections may be open; fewer where the limit of open
            files allows fewer beside what the store opens.
        body_bytes_max: how many bytes of bodies are in memory, as they are sent.
        unpack_factor: how many times as long as it was sent a body of rows may be.
    """

    rate_limit: int | None
    patience_seconds: int = PATIENCE_SECONDS
    connections_max: int = CONNECTIONS_MAX
    body_bytes_max: int = BODY_BYTES_MAX
    unpack_factor: int = UNPACK_FACTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """Where to serve.

    Attributes:
        host: a name or an address.
        port: 0 is any that is free.
        is_behind_tls: whether something in front of it speaks TLS.
        allow_hosts: names by which clients reach it beside its own; ``*`` is any.
    """

    host: str
    port: int
    is_behind_tls: bool
    allow_hosts: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """What `Host` may be: any, where a proxy stands before it and none is named."""
        if self.is_behind_tls and not self.allow_hosts:
            return (ANY_HOST,)
        # Without the zone of an address, which no Host has.
        own = self.host.partition("%")[0]
        return (*LOOPBACK_HOSTS, *filter(None, [own]), *self.allow_hosts)


def serve(
    m: Metering,
    bind: Bind,
    limits: ServerLimits,
    *,
    started: Callable[[str], None],
    must_stop: Callable[[], bool],
) -> None:
    """Serve a store until SIGTERM or SIGINT, and answer what was accepted by then.

    Args:
        m: the store.
        bind: where.
        limits: how much at the same time.
        started: is called with the URL when requests are taken.
        must_stop: whether to stop as a signal would; is called many times a second.

    Raises:
        InvalidRequestError: the address is public and nothing there speaks TLS, or it
            is not known, or cannot be bound.
    """
    connections_max = connections_within(limits.connections_max, threads=THREADS)
    use_system_allocator()
    app = create_app(
        m,
        rate_limit=limits.rate_limit,
        patience_seconds=limits.patience_seconds,
        body_bytes_max=limits.body_bytes_max,
        unpack_factor=limits.unpack_factor,
        allow_hosts=bind.hosts,
    )
    counters = app.metrics.watch_connections(are_open=lambda: len(connections.open))
    wasted = Wasted(counters.wasted, time.monotonic)
    connections = Connections(limits.patience_seconds, connections_max, wasted)
    listener = _listener(bind)
    config = uvicorn.Config(
        connections.bounded(app),
        access_log=False,
        date_header=True,
        http=cast("type[asyncio.Protocol]", connections.protocol),
        lifespan="on",
        log_config=None,
        log_level=logging.ERROR,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=limits.patience_seconds,
        ws="none",
    )
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    with listener, _stopping() as stop:
        server = uvicorn.Server(config)

        def protocol() -> asyncio.BaseProtocol:
            return connections.protocol(
                config=config,
                server_state=server.server_state,
                app_state=server.lifespan.state,
            )

        def acceptor() -> Acceptor:
            return Acceptor(
                listener,
                connections,
                protocol=protocol,
                must_stop=lambda: server.should_exit,
                is_flooded=lambda: app.is_flooded,
                counters=counters,
            )

        served = _serve(
            server,
            acceptor,
            lambda: started(url),
            lambda: stop() or must_stop(),
            app.memory,
        )
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(served)


async def _serve(
    server: uvicorn.Server,
    make_acceptor: Callable[[], Acceptor],
    started: Callable[[], None],
    must_stop: Callable[[], bool],
    memory: SpareMemory,
) -> None:
    _limit_complaints_of_others(asyncio.get_running_loop())
    # It accepts nothing itself.
    serving = asyncio.ensure_future(server.serve(sockets=[]))
    giving_back = asyncio.ensure_future(_give_back(memory))
    acceptor: Acceptor | None = None
    while not serving.done():
        if server.started and acceptor is None:
            acceptor = make_acceptor()
            acceptor.start()
            started()
        if must_stop():
            server.should_exit = True
        if server.should_exit and acceptor is not None:
            acceptor.stop()
        wait = _POLL_SECONDS if acceptor is None else 0.1
        await asyncio.wait([serving], timeout=wait)
    giving_back.cancel()
    await serving


async def _give_back(memory: SpareMemory) -> None:
    """Give back memory that no request took: sealing takes some, seconds after it."""
    while True:
        await asyncio.sleep(_SPARE_SECONDS)
        if memory.is_there:
            await asyncio.to_thread(memory.give_back)


def _limit_complaints_of_others(loop: asyncio.AbstractEventLoop) -> None:
    for name in ("asyncio", "uvicorn.error"):
        limit_complaints(logging.getLogger(name))

    def complain(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # Of a network that breaks off, asyncio logs a traceback for each connection.
        if not isinstance(context.get("exception"), OSError):
            loop.default_exception_handler(context)

    loop.set_exception_handler(complain)


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Note signals to stop, and survive them: the process has a store to close.

    uvicorn takes the signals while it serves, and sends them again when it has ended.
    """
    came = threading.Event()
    before = {each: signal.signal(each, lambda *_: came.set()) for each in _SIGNALS}
    try:
        yield came.is_set
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


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
        listener.listen(BACKLOG)
        listener.settimeout(0)
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InvalidRequestError(
            f"Cannot serve on {bind.host}:{bind.port}: {reason}; give another --port or"
            " --host",
            param="port",
        ) from error
    return listener
