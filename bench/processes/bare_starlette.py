"""Starlette routes that only parse the form, or the JSON: what HTTP costs without metering.

The same uvicorn with the same parser of HTTP serves it. It prints its URL, and serves
until it is stopped.
"""

import logging
import socket
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.processes.http_posts import STREAM_PATH, V1_PATH


async def create(request: Request) -> JSONResponse:
    """Answer with what the form says."""
    return JSONResponse(dict(parse_qsl((await request.body()).decode())))


async def accept(request: Request) -> JSONResponse:
    """Answer with nothing, as the stream does."""
    await request.json()
    return JSONResponse({})


def serve() -> None:
    """Serve on a free port of the loopback."""
    app = Starlette(
        routes=[
            Route(V1_PATH, create, methods=["POST"]),
            Route(STREAM_PATH, accept, methods=["POST"]),
        ]
    )
    config = uvicorn.Config(
        app,
        access_log=False,
        http="httptools",
        lifespan="off",
        log_config=None,
        log_level=logging.ERROR,
        server_header=False,
        ws="none",
    )
    # As for the project: answers are delayed where the protocol is not named.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    serve()
