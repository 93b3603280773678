"""Requests of Django are metered as its settings say, and the settings are checked."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from asgiref.sync import markcoroutinefunction
from django.core import checks
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings

from metering.integrations.django import MeteringMiddleware, usage
from tests.metering.integrations.examples import django_backend

REQUESTS: dict[str, Any] = {
    "event_name": "requests",
    "payload": django_backend.payload_of,
    "identifier": django_backend.identifier_of,
}


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("METERING_STORE", str(tmp_path / "usage"))
    yield
    usage.close()


def with_requests(**settings: Any) -> Any:
    """Other settings, while a with statement lasts."""
    requests = REQUESTS | settings
    return override_settings(
        METERING={"CONNECT": django_backend.connect, "REQUESTS": requests}
    )


def metered() -> list[str]:
    usage.recorder.flush()
    return [
        each.identifier for each in usage.m.meter_events.list(event_name="requests")
    ]


@pytest.mark.parametrize("waits", [False, True])
def test_each_request_is_an_event(*, waits: bool) -> None:
    with with_requests(waits=waits):
        client = Client(headers={"X-Customer": "cus_1"})
        done = client.post("/completions", headers={"X-Request-Id": "r-1"})
        missing = client.get("/nowhere", headers={"X-Request-Id": "r-2"})

        assert (done.status_code, missing.status_code) == (200, 404)
        assert metered() == ["r-1"]


@pytest.mark.parametrize("waits", [False, True])
def test_each_request_of_asyncio_is_an_event(*, waits: bool) -> None:
    async def answer(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=204)

    with with_requests(waits=waits):
        middleware = MeteringMiddleware(markcoroutinefunction(answer))
        headers = {"X-Customer": "cus_1", "X-Request-Id": "r-1"}
        usage.open()

        async def ask() -> Any:
            return await middleware(RequestFactory().get("/", headers=headers))

        assert asyncio.run(ask()).status_code == 204
        assert metered() == ["r-1"]


def test_functions_are_named_by_their_paths() -> None:
    module = django_backend.__name__
    paths = {name: f"{module}.{name}_of" for name in ("payload", "identifier")}

    with (
        with_requests(**paths),
        override_settings(
            METERING={
                "CONNECT": f"{module}.connect",
                "REQUESTS": {"event_name": "requests", **paths},
            }
        ),
    ):
        Client().get(
            "/status", headers={"X-Customer": "cus_1", "X-Request-Id": "r-named"}
        )

        assert metered() == ["r-named"]


def test_what_fails_fails_no_response() -> None:
    failures: list[Exception] = []

    with with_requests(event_name="unknown", waits=True, failed=failures.append):
        answer = Client().get("/status", headers={"X-Customer": "cus_1"})

    assert answer.status_code == 200
    assert [getattr(each, "code", None) for each in failures] == ["no_meter"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"STORE": "usage"}, "no section 'STORE'"),
        ({"REQUESTS": {"event_name": "requests"}}, "'payload'"),
        ({"REQUESTS": REQUESTS | {"customer": "x"}}, "'customer'"),
        ({"REQUESTS": REQUESTS | {"payload": "shop.nothing"}}, "shop"),
        ({"CONNECT": "shop.nothing"}, "shop"),
    ],
)
def test_settings_that_are_wrong_are_found_by_the_check(
    settings: dict[str, Any], words: str
) -> None:
    django.setup()

    with override_settings(METERING=settings):
        [problem] = checks.run_checks()

    assert problem.id == "metering.E001"
    assert words in problem.msg


def test_settings_that_are_right_pass_the_check() -> None:
    django.setup()

    with with_requests():
        assert checks.run_checks() == []
