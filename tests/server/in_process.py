"""Own a served application without a process or a socket: its store is the test's."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import metering
from metering.server.http.app import create_app
from tests.server.running import Answered, Askable
from tests.waiting import PATIENCE_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Application(Askable):
    """An ASGI application between startup and shutdown, and a key of its store."""

    app: Any
    key: str
    loop: asyncio.AbstractEventLoop
    state: Mapping[str, Any]

    def _answered(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> Answered:
        scope = _scope(method, target, headers, self.state)
        asked = _answered(self.app, scope, body)
        return asyncio.run_coroutine_threadsafe(asked, self.loop).result(
            PATIENCE_SECONDS
        )


@contextmanager
def served(store: metering.Metering, app: Any = None) -> Iterator[Application]:
    """Serve a store on an event loop of its own; `app` is `create_app(store)`."""
    key = store.api_keys.create(name="tests").secret
    assert key is not None
    with running(create_app(store) if app is None else app, key) as application:
        yield application


@contextmanager
def running(app: Any, key: str = "") -> Iterator[Application]:
    """Run any application on an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        began, ending = asyncio.Event(), asyncio.Event()
        state: dict[str, Any] = {}
        living = _live(app, state, began, ending)
        life = asyncio.run_coroutine_threadsafe(living, loop)
        asyncio.run_coroutine_threadsafe(began.wait(), loop).result(PATIENCE_SECONDS)
        yield Application(app=app, key=key, loop=loop, state=state)
        loop.call_soon_threadsafe(ending.set)
        life.result(PATIENCE_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _live(
    app: Any, state: dict[str, Any], began: asyncio.Event, ending: asyncio.Event
) -> None:
    """Take an application through its lifespan."""
    events = iter(("startup", "shutdown"))

    async def receive() -> Any:
        name = next(events)
        if name == "shutdown":
            await ending.wait()
        return {"type": f"lifespan.{name}"}

    async def send(message: Any) -> None:
        assert message["type"].endswith(".complete"), message
        began.set()

    await app(
        {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}, receive, send
    )


def _scope(
    method: str, target: str, headers: Mapping[str, str], state: Mapping[str, Any]
) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in headers.items()
        ],
        "client": None,
        "server": None,
        "state": dict(state),
    }


async def _answered(app: Any, scope: Any, body: bytes) -> Answered:
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])
    head: dict[str, Any] = {}
    parts: list[bytes] = []

    async def receive() -> Any:
        if (message := next(messages, None)) is not None:
            return message
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            head.update(message)
        else:
            parts.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except Exception:
        # A server logs what is raised after the response has begun.
        if not head:
            raise
    return Answered(
        status=head["status"],
        headers={name.decode(): value.decode() for name, value in head["headers"]},
        body=b"".join(parts),
    )
