"""Connections, with an application that answers when a test says so."""

import asyncio
import socket
import struct
import time

import pytest
import uvicorn
from prometheus_client import Counter
from uvicorn.server import ServerState

from metering.server.http.connections import Connections
from metering.server.http.idleness import Wasted
from metering.server.http.receiving import AsgiReceive, AsgiScope, AsgiSend

HEAD = {
    "type": "http.response.start",
    "status": 401,
    "headers": [(b"connection", b"close"), (b"content-length", b"1")],
}
# To close is to reset: nothing more is sent, nor is what came read.
RESET = struct.pack("ii", 1, 0)


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

        wasted = Wasted(Counter("wasted", "Wasted.", registry=None), time.monotonic)
        connections = Connections(30, 10, wasted)
        config = uvicorn.Config(
            connections.bounded(refuse), lifespan="off", log_config=None
        )
        config.load()
        server = await asyncio.get_running_loop().create_server(
            lambda: connections.protocol(
                config=config, server_state=ServerState(), app_state={}
            ),
            "127.0.0.1",
        )
        async with server:
            with socket.create_connection(server.sockets[0].getsockname()) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                # With a part of a body that is not wanted, nothing more is read.
                client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\na=b")
                await is_answered.wait()
            has_gone.set()
            await ended.wait()

    asyncio.run(run())

    assert caplog.messages == []
