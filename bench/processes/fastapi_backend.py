"""A backend on FastAPI with two workers of uvicorn, which meters every request or none.

It prints its URL once it answers, and serves until it is stopped.
"""

import http.client
import logging
import os
import socket
import threading
from contextlib import suppress
from urllib.parse import parse_qsl

import uvicorn
from fastapi import FastAPI, Request
from uvicorn.supervisors import Multiprocess

from bench.processes.http_posts import V1_PATH
from metering.integrations.fastapi import MeterRequests, lifespan
from metering.integrations.processes import ProcessStore
from metering.integrations.requests import RequestMetering

METERED = "METERED"
"""A variable of the environment, which is set where requests are metered."""
EVENT_NAME = "requests"


def _payload(request: Request, status: int) -> dict[str, str] | None:
    if request["path"] != V1_PATH:
        return None
    return {
        "stripe_customer_id": request.headers["Authorization"],
        "value": "1",
        "path": request["path"],
        "status": str(status),
    }


def _backend() -> FastAPI:
    if METERED not in os.environ:
        return FastAPI()
    usage = ProcessStore()
    backend = FastAPI(lifespan=lifespan(usage))
    requests = RequestMetering(event_name=EVENT_NAME, payload=_payload)
    backend.add_middleware(MeterRequests, usage=usage, requests=requests)
    return backend


app = _backend()


@app.post(V1_PATH)
async def create(request: Request) -> dict[str, str]:
    """Answer with what the form says."""
    return dict(parse_qsl((await request.body()).decode()))


def _tell_when_it_answers(url: str) -> None:
    host = url.partition("//")[2]
    while True:
        with suppress(OSError):
            connection = http.client.HTTPConnection(host)
            connection.request("GET", "/openapi.json")
            if connection.getresponse().status == 200:
                print(url, flush=True)
                return
        threading.Event().wait(0.05)


def serve() -> None:
    """Serve on a free port of the loopback."""
    config = uvicorn.Config(
        "bench.processes.fastapi_backend:app",
        access_log=False,
        http="httptools",
        log_level=logging.ERROR,
        server_header=False,
        timeout_worker_healthcheck=60,  # A busy machine is no reason for new workers.
        workers=2,
        ws="none",
    )
    # As for the project: answers are delayed where the protocol is not named.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=_tell_when_it_answers, args=[url], daemon=True).start()
        Multiprocess(config, [listener]).run()


if __name__ == "__main__":
    serve()
