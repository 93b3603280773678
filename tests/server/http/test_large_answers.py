"""Answers that are made while they are sent have a bound together."""

import asyncio
from typing import Any

import metering
from metering.server import create_app
from metering.server.api.routes import Answer, Call, Content, Route
from metering.server.grammar.dialects import EXTENSION
from metering.server.grammar.media_types import JSON
from metering.server.http.sending import LARGE_BYTES_MAX
from tests.server.in_process import served

PATH = "/metering/v1/large"


def large(_: Call) -> Answer:
    pieces = (each for each in (b"[", b"]"))
    content = Content(media_type=JSON, body=pieces, held_bytes=LARGE_BYTES_MAX + 1)
    return Answer(content=content, position=0)


LARGE = Route(
    method="GET",
    dialect=EXTENSION,
    path=PATH,
    scope="read",
    summary="Answer with much.",
    handler=large,
)


def test_a_client_that_takes_its_time_leaves_no_room_for_another_large_answer() -> None:
    async def read_slowly(app: Any, key: str, begun: asyncio.Event) -> None:
        async def send(message: Any) -> None:
            if message.get("more_body"):
                begun.set()
                await has_time.wait()

        came = iter([{"type": "http.request"}])

        async def receive() -> Any:
            return next(came, None) or await asyncio.Event().wait()

        headers = [(b"authorization", f"Bearer {key}".encode())]
        scope = {
            "type": "http",
            "method": "GET",
            "path": PATH,
            "query_string": b"",
            "headers": headers,
        }
        await app(scope, receive, send)

    has_time = asyncio.Event()
    with metering.connect(":memory:") as store:
        app = create_app(store, routes=[LARGE])
        with served(store, app) as server:

            def on_loop(coroutine: Any) -> Any:
                return asyncio.run_coroutine_threadsafe(coroutine, server.loop)

            begun = asyncio.Event()
            slow = on_loop(read_slowly(app, server.key, begun))
            on_loop(begun.wait()).result(60)
            refused = server.ask("GET", PATH)
            server.loop.call_soon_threadsafe(has_time.set)
            slow.result(60)
            taken = server.ask("GET", PATH)

    assert (refused.status, refused.error["code"]) == (503, "server_busy")
    assert refused.headers["retry-after"] == "1"
    assert (taken.status, taken.body) == (200, b"[]")
