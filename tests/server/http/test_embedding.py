"""The application runs inside another: mounted, with or without a lifespan."""

import asyncio
import subprocess
import sys

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import metering
from metering.server import create_app
from tests.metering.usual_usage import create_meter
from tests.server.in_process import served
from tests.server.usage import event_form


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
