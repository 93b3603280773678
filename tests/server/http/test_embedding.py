"""The application runs inside another: mounted, with or without a lifespan."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import metering
from metering.server import create_app
from metering.server.api.paths import Paths
from tests.metering.usual_usage import create_meter
from tests.server.in_process import served
from tests.server.usage import event_form
from tests.waiting import PATIENCE_SECONDS


def test_a_mounted_application_answers_below_its_path() -> None:
    with metering.connect(":memory:") as store:
        meter = create_meter(store)
        backend = Starlette(
            routes=[
                Route("/", lambda _: PlainTextResponse("the backend's own")),
                Mount("/billing", create_app(store)),
            ]
        )
        with served(store, backend) as server:
            own = server.ask("GET", "/")
            listed = server.ask("GET", "/billing/v1/billing/meters")
            retrieved = server.ask("GET", f"/billing/v1/billing/meters/{meter.id}")
            recorded = server.ask(
                "POST", "/billing/v1/billing/meter_events", event_form("tokens")
            )
            ready = server.ask("GET", "/billing/readyz")
            unknown = server.ask("GET", "/billing/v2/none")

    assert own.body == b"the backend's own"
    assert [each["id"] for each in listed.json["data"]] == [meter.id]
    # Clients append it to their base address, which is that of the mount.
    assert listed.json["url"] == "/v1/billing/meters"
    assert retrieved.json["id"] == meter.id
    assert recorded.status == ready.status == 200
    assert unknown.error["message"] == "Unrecognized request URL (GET: /v2/none)."


def test_an_application_outlives_an_event_loop() -> None:
    with metering.connect(":memory:") as store:
        app = create_app(store)
        statuses = []
        for _ in range(2):
            with served(store, app) as server:
                statuses.append(server.ask("GET", "/v1/billing/meters").status)

    assert statuses == [200, 200]


Ts = TypeVarTuple("Ts")


class LateLoop(asyncio.SelectorEventLoop):
    """An event loop that is woken when it may be, after it has run for the last time."""

    def __init__(self) -> None:
        super().__init__()
        self.may_be_woken, self.is_woken = threading.Event(), threading.Event()

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        assert self.may_be_woken.wait(PATIENCE_SECONDS)
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        self.is_woken.set()
        return handle


def test_a_response_that_an_event_loop_left_behind_holds_up_no_other() -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(_: Any) -> None:
        raise AssertionError("a response")

    with metering.connect(":memory:") as store:
        app, loop = create_app(store), LateLoop()
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/v1/billing/meters",
            "query_string": b"",
            "headers": [],
        }
        request = asyncio.wait_for(app(scope, receive, send), timeout=0.1)
        with pytest.raises(TimeoutError):
            loop.run_until_complete(request)
        loop.may_be_woken.set()
        assert loop.is_woken.wait(PATIENCE_SECONDS)
        loop.close()

        with served(store, app) as server:
            assert server.ask("GET", "/v1/billing/meters").status == 200


@pytest.mark.parametrize(
    ("length", "status"),
    [("9" * 5_000, 413), ("1" + "0" * 18, 413), ("0" * 5_000, 400)],
    ids=["longer than a number", "19 digits", "zeros"],
)
def test_a_length_is_read_to_its_last_digit(length: str, status: int) -> None:
    with metering.connect(":memory:") as store, served(store) as server:
        answered = server.ask("POST", "/v1/billing/meters", Content_Length=length)

    assert answered.status == status


def test_a_path_of_a_million_segments_is_no_path() -> None:
    routes = Paths([("GET", "/v1/billing/meters/{id}", "meter")])

    assert routes.find("GET", "/v1/billing/meters" + "/a" * 1_000_000) == (None, {})


def test_a_slash_within_an_id_leads_to_no_other_route() -> None:
    with metering.connect(":memory:") as store, served(store) as server:
        meter = create_meter(store)
        changed = server.ask("POST", f"/v1/billing/meters/{meter.id}%2Fdeactivate")

        assert store.meters.retrieve(meter.id).status == "active"

    assert (changed.status, changed.error["code"]) == (404, "resource_missing")


def test_other_protocols_are_turned_away() -> None:
    sent = []

    async def ask(app: object) -> None:
        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        async def send(message: dict[str, object]) -> None:
            sent.append(message["type"])

        await app({"type": "websocket", "path": "/"}, receive, send)  # type: ignore[operator]  # any ASGI application

    with metering.connect(":memory:") as store:
        asyncio.run(ask(create_app(store)))

    assert sent == ["websocket.close"]


@pytest.mark.parametrize("name", ["starlette", "uvicorn"])
def test_an_application_needs_no_server_of_its_own(name: str) -> None:
    program = f"import sys; sys.modules[{name!r}] = None; import metering.server"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
