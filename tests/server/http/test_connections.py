"""Connections, with an application that answers when a test says so."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from prometheus_client import Counter
from uvicorn.server import ServerState

from metering.server.http.connections import Connections
from metering.server.http.idleness import Wasted
from metering.server.http.receiving import (
    AsgiApplication,
    AsgiReceive,
    AsgiScope,
    AsgiSend,
)

HEAD = {
    "type": "http.response.start",
    "status": 401,
    "headers": [(b"connection", b"close"), (b"content-length", b"1")],
}
# With a part of a body that is not wanted, nothing more is read.
REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\na=b"
# To close is to reset: nothing more is sent, nor is what came read.
RESET = struct.pack("ii", 1, 0)


@asynccontextmanager
async def connected(
    app: AsgiApplication,
) -> AsyncIterator[tuple[Connections, ServerState, socket.socket]]:
    """Connections to an application, what uvicorn has of them, and a client's socket."""
    wasted = Wasted(Counter("wasted", "Wasted.", registry=None), time.monotonic)
    connections, state = Connections(30, 10, wasted), ServerState()
    config = uvicorn.Config(connections.bounded(app), lifespan="off", log_config=None)
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: connections.protocol(config=config, server_state=state, app_state={}),
        "127.0.0.1",
    )
    async with server:
        with socket.create_connection(server.sockets[0].getsockname()) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            yield connections, state, client


def test_a_client_that_goes_before_it_is_refused_is_not_complained_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        is_answered, has_gone, ended = (asyncio.Event() for _ in range(3))

        async def refuse(_: AsgiScope, __: AsgiReceive, send: AsgiSend) -> None:
            await send(HEAD)
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            is_answered.set()
            await has_gone.wait()
            try:
                await send({"type": "http.response.body", "body": b""})
            finally:
                ended.set()

        async with connected(refuse) as (_, _, client):
            client.sendall(REQUEST)
            await is_answered.wait()
            client.close()
            has_gone.set()
            await ended.wait()

    asyncio.run(run())

    assert caplog.messages == []


def test_a_client_that_a_server_does_not_wait_for_is_not_complained_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> bytes:
        is_answered = asyncio.Event()

        async def begin(_: AsgiScope, __: AsgiReceive, send: AsgiSend) -> None:
            await send(HEAD)
            is_answered.set()
            await asyncio.Event().wait()

        async with connected(begin) as (connections, state, client):
            client.sendall(REQUEST)
            await is_answered.wait()
            connections.end()
            for task in list(state.tasks):
                task.cancel()
            await asyncio.gather(*state.tasks, return_exceptions=True)
            return client.recv(16)

    assert asyncio.run(run()) == b"HTTP/1.1 401 Una"
    assert caplog.messages == []
