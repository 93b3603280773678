"""A value that holds a secret does not show it where it is printed."""

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import msgspec
import pytest
import rich.console
import rich.pretty

import ledger
import metering
import projections
from metering.bodies import ResourceObject
from metering.server.api.requests import HttpRequest, HttpResponse

# Names of fields that hold what opens something, or may.
_SECRET = re.compile("secrets?|password|.*token|authorization|headers|.*_secret")
# Headers of a response open nothing, and what finds a secret is none.
_HARMLESS = {"HttpResponse.headers", "Route.shown_secret"}


def values() -> Iterator[tuple[type, str, bool]]:
    """Each field of a value whose name is that of a secret, and whether it is shown."""
    for package in (ledger, projections, metering):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            for kind in vars(module).values():
                if issubclass(type(kind), type) and kind.__module__ == module.__name__:
                    yield from _fields(kind)


def _fields(kind: type) -> Iterator[tuple[type, str, bool]]:
    if dataclasses.is_dataclass(kind):
        for each in dataclasses.fields(kind):
            yield kind, each.name, each.repr
    elif issubclass(kind, msgspec.Struct):
        hidden = kind.hidden if issubclass(kind, ResourceObject) else ()
        for name in kind.__struct_fields__:
            yield kind, name, name not in hidden


def test_no_value_shows_a_field_that_is_named_as_a_secret() -> None:
    named = [each for each in values() if _SECRET.fullmatch(each[1])]

    shown = {f"{kind.__name__}.{name}" for kind, name, is_shown in named if is_shown}

    assert len(named) >= 5
    assert shown == _HARMLESS


def printed(value: object) -> list[str]:
    console = rich.console.Console(file=StringIO(), width=1000)
    console.print(value, [value])
    assert isinstance(console.file, StringIO)
    pretty = rich.pretty.pretty_repr([value])
    return [
        repr(value),
        str(value),
        f"{value}",
        repr([value]),
        pretty,
        console.file.getvalue(),
    ]


def made(store: metering.Metering) -> list[tuple[Any, str]]:
    key = store.api_keys.create(name="billing")
    endpoint = store.webhook_endpoints.create(
        url="https://example.com/", enabled_events=["*"]
    )
    session = store.meter_event_sessions.create(key_id=key.id)
    return [
        (key, "secret"),
        (endpoint, "secret"),
        (store.webhook_endpoints.rotate_secret(endpoint.id), "secret"),
        (session, "authentication_token"),
    ]


def test_what_returns_a_secret_once_does_not_print_it() -> None:
    with metering.connect(":memory:") as store:
        for value, name in made(store):
            secret = getattr(value, name)

            assert secret
            assert value.to_dict()[name] == secret
            for text in printed(value):
                assert secret not in text
                assert value.id in text


def test_a_resource_is_printed_as_the_code_that_makes_it() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    attempt = metering.WebhookAttempt(
        attempted_at=at, duration_ms=1, status_code=None, error="timeout"
    )

    assert repr(attempt) == (
        f"WebhookAttempt(attempted_at={at!r}, duration_ms=1, status_code=None,"
        " error='timeout')"
    )


@pytest.mark.parametrize(
    "value",
    [
        HttpRequest(
            method="POST",
            path="/v1/webhook_endpoints",
            query=b"",
            headers={"authorization": "Bearer hunter2"},
            ids={},
            body=b"hunter2",
            request_id="req_1",
        ),
        HttpResponse(body=b'{"secret": "hunter2"}'),
    ],
)
def test_requests_and_responses_print_no_content(value: object) -> None:
    for text in printed(value):
        assert "hunter2" not in text
