"""Requests of Starlette and FastAPI are metered as an application says."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

import metering
from metering.integrations import fastapi, starlette
from metering.integrations.processes import ProcessStore
from metering.integrations.requests import RequestMetering
from tests.server.in_process import running


def payload_of(request: Request, status: int) -> dict[str, str] | None:
    customer = request.headers.get("X-Customer")
    if customer is None:
        return None
    return {
        "stripe_customer_id": customer,
        "value": "1",
        "path": request.url.path,
        "status": str(status),
    }


async def answer(request: Request) -> PlainTextResponse:
    del request
    return PlainTextResponse("done", 201)


async def fail(request: Request) -> PlainTextResponse:
    del request
    raise RuntimeError("a defect")


@pytest.fixture
def usage(tmp_path: Path) -> Iterator[ProcessStore]:
    def connect() -> metering.Metering:
        m = metering.connect(tmp_path / "usage")
        m.meters.ensure(
            display_name="Requests",
            event_name="requests",
            default_aggregation={"formula": "sum"},
        )
        return m

    usage = ProcessStore(connect)
    yield usage
    usage.close()


def backend(usage: ProcessStore, **requests: Any) -> Starlette:
    """A backend that meters its requests, here with other settings or the usual ones."""
    app = Starlette(
        routes=[
            Route("/answer", answer),
            Route("/fail", fail),
        ],
        lifespan=starlette.lifespan(usage),
    )
    usual: dict[str, Any] = {"event_name": "requests", "payload": payload_of}
    app.add_middleware(
        starlette.MeterRequests,
        usage=usage,
        requests=RequestMetering[Request](**usual | requests),
    )
    return app


def asked(app: Any, *paths: str, **headers: str) -> list[int]:
    """Ask in one life of an application; the statuses of its answers."""
    with running(app) as client:
        return [client.ask("GET", path, **headers).status for path in paths]


def metered(usage: ProcessStore) -> list[tuple[str, str]]:
    return [
        (each.payload["path"], each.payload["status"])
        for each in usage.m.meter_events.list()
    ]


@pytest.mark.parametrize("waits", [False, True])
def test_each_request_is_an_event_also_one_that_fails(
    usage: ProcessStore, *, waits: bool
) -> None:
    app = backend(usage, waits=waits)

    statuses = asked(app, "/answer", "/fail", "/nowhere", X_Customer="cus_1")

    assert statuses == [201, 500, 404]
    assert metered(usage) == [("/answer", "201"), ("/fail", "500"), ("/nowhere", "404")]


@pytest.mark.parametrize("waits", [False, True])
def test_a_request_without_a_payload_is_not_metered(
    usage: ProcessStore, *, waits: bool
) -> None:
    assert asked(backend(usage, waits=waits), "/answer") == [201]

    assert metered(usage) == []


def test_a_websocket_is_no_request(usage: ProcessStore) -> None:
    kinds: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        kinds.append(scope["type"])

    requests = RequestMetering[Request](event_name="requests", payload=payload_of)
    middleware = starlette.MeterRequests(app, usage=usage, requests=requests)
    unused: Any = None

    asyncio.run(middleware({"type": "websocket"}, unused, unused))

    assert kinds == ["websocket"]


def test_a_response_that_waits_begins_when_its_event_is_durable(
    usage: ProcessStore, tmp_path: Path
) -> None:
    with (
        running(backend(usage, waits=True)) as client,
        metering.connect(tmp_path / "usage") as other,
    ):
        client.ask("GET", "/answer", X_Customer="cus_1")

        assert len(list(other.meter_events.list())) == 1


def test_requests_of_one_identifier_count_once(usage: ProcessStore) -> None:
    app = backend(usage, identifier=lambda request: request.headers.get("X-Request-Id"))

    asked(app, "/answer", "/answer", X_Customer="cus_1", X_Request_Id="r-1")
    asked(app, "/answer", "/answer", X_Customer="cus_1")

    assert len(metered(usage)) == 3


@pytest.mark.parametrize(
    ("failing", "code"),
    [
        ({"event_name": "unknown", "waits": True}, "no_meter"),
        ({"event_name": 5}, "parameter_invalid"),
        ({"payload": lambda _request, _status: 1 / 0}, None),
        ({"identifier": lambda _request: 1 / 0, "waits": True}, None),
    ],
    ids=["no-meter", "no-name", "payload", "identifier"],
)
def test_what_fails_is_reported_and_fails_no_response(
    usage: ProcessStore, failing: dict[str, Any], code: str | None
) -> None:
    failures: list[Exception] = []
    app = backend(usage, failed=failures.append, **failing)

    assert asked(app, "/answer", X_Customer="cus_1") == [201]

    [failure] = failures
    assert getattr(failure, "code", None) == code
    assert metered(usage) == []


def test_what_fails_is_logged_by_default(
    usage: ProcessStore, caplog: pytest.LogCaptureFixture
) -> None:
    asked(backend(usage, event_name="unknown", waits=True), "/answer", X_Customer="c")

    [line] = caplog.messages
    assert line.startswith("A request was not metered: No active meter found")


def test_a_response_that_waits_can_be_refused_where_its_event_is(
    usage: ProcessStore,
) -> None:
    def refuse(error: Exception) -> None:
        raise error

    app = backend(usage, event_name="unknown", waits=True, failed=refuse)

    assert asked(app, "/answer", X_Customer="cus_1") == [500]


def test_an_endpoint_of_starlette_has_the_connection(usage: ProcessStore) -> None:
    async def positions(request: Request) -> PlainTextResponse:
        m = starlette.connection(request)
        return PlainTextResponse(str(await m.position))

    app = Starlette(
        routes=[Route("/position", positions)], lifespan=starlette.lifespan(usage)
    )

    with running(app) as client:
        assert client.ask("GET", "/position").body == b"1"


def test_an_endpoint_of_fastapi_has_the_connection(usage: ProcessStore) -> None:
    app = FastAPI(lifespan=fastapi.lifespan(usage))

    @app.get("/awaited")
    async def awaited(m: fastapi.Connection) -> int:
        return await m.position

    @app.get("/blocking")
    def blocking(m: fastapi.Connection) -> int:
        return m.sync.position

    with running(app) as client:
        assert client.ask("GET", "/awaited").json == 1
        assert client.ask("GET", "/blocking").json == 1


def test_a_lifespan_can_be_entered_again(usage: ProcessStore) -> None:
    app = backend(usage)

    for _ in range(2):
        asked(app, "/answer", X_Customer="cus_1")

    assert len(metered(usage)) == 2
