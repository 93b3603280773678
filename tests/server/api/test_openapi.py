"""The document says of every route what the server does, and the page shows the same."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from metering.server.api.health import Health, KeptHealth
from metering.server.api.requests import FORM_LIMITS
from metering.server.api.routes import RowsBody
from metering.server.documents.front_page import front_page
from metering.server.documents.open_routes import OPEN_ROUTES
from metering.server.documents.openapi import document_of
from metering.server.table import ROUTES
from metering.server.v1.meters import ROUTES as METER_ROUTES
from tests.server.forms import form_of
from tests.server.running import FORM, JSON, Answered, Server

Node = dict[str, Any]
NO_KEY = {"Authorization": ""}
SERVED = sorted(
    [(each.method, each.path) for each in ROUTES]
    + [("GET", each.path) for each in OPEN_ROUTES]
)
MALFORMED = (
    "parameter_unknown",
    "parameter_missing",
    "parameter_invalid",
    "invalid_characters",
    "timestamp_invalid",
)
HOSTILE = "</code><script>alert('1')</script>&amp;"


class Lettered(msgspec.Struct):
    a: str


@pytest.fixture(scope="module")
def document(server: Server) -> Node:
    answered = server.ask("GET", "/openapi.json", **NO_KEY)
    assert answered.headers["content-type"] == "application/json"
    found: Node = answered.json
    return found


def operations(document: Node) -> Iterator[tuple[str, str, Node]]:
    for path, found in document["paths"].items():
        for method, operation in found.items():
            yield method.upper(), path, operation


def example(schema: Node, *, is_whole: bool) -> Any:
    """A value: with what must be in it, or with all that can be."""
    if "anyOf" in schema:
        return example(schema["anyOf"][-1 if is_whole else 0], is_whole=is_whole)
    match schema["type"]:
        case "object":
            return filled(schema, is_whole=is_whole)
        case "array":
            return [example(schema["items"], is_whole=is_whole)]
        case _:
            return one(schema, is_whole=is_whole)


def one(schema: Node, *, is_whole: bool) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "date-time":
        return "2026-01-31T12:00:00Z"
    if schema.get("pattern", "").startswith("^[0-9]"):
        return "1"  # a decimal
    match schema["type"]:
        case "integer":
            return schema.get("maximum" if is_whole else "minimum", 0)
        case "string":
            return "a" * (schema["maxLength"] if is_whole else 1)
        case _:
            return True


def filled(schema: Node, *, is_whole: bool) -> Node:
    """An object; no form can hold one without anything in it."""
    known: Node = schema.get("properties", {})
    if isinstance(others := schema["additionalProperties"], dict):
        known = {"a": others}
    named = known if is_whole else schema.get("required", list(known)[:1])
    return {name: example(known[name], is_whole=is_whole) for name in named}


def encode(media_type: str, value: Node) -> bytes:
    return form_of(value) if media_type == FORM else json.dumps(value).encode()


def queried(operation: Node, *, is_whole: bool) -> str:
    given: list[tuple[str, str]] = []
    for parameter in operation.get("parameters", []):
        if parameter.get("in") == "query" and (is_whole or parameter["required"]):
            value = example(parameter["schema"], is_whole=is_whole)
            values = value if isinstance(value, list) else [value]
            given += [(parameter["name"], str(each)) for each in values]
    return urlencode(given)


def asked_as_documented(
    server: Server, document: Node, *, is_whole: bool
) -> Iterator[tuple[str, Answered]]:
    """Ask for every operation, with each kind of body that it takes."""
    for method, path, operation in operations(document):
        at = path.replace("{id}", "none")
        if query := queried(operation, is_whole=is_whole):
            at = f"{at}?{query}"
        key = server.key
        if operation["security"] == [{"session": []}]:
            session = server.client().v2.billing.meter_event_session.create()
            key = session.authentication_token
        bodies = operation.get("requestBody", {}).get("content", {FORM: None})
        for media_type, body in bodies.items():
            sent = b""
            if body is not None and "schema" in body:
                value = example(body["schema"], is_whole=is_whole)
                sent = encode(media_type, value)
            yield (
                f"{method} {path} {media_type}",
                server.ask(method, at, sent, key=key, Content_Type=media_type),
            )


def test_the_document_is_valid(document: Node) -> None:
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_document_names_every_route_once(document: Node) -> None:
    named = [(method, path) for method, path, _ in operations(document)]
    ids = [each["operationId"] for _, _, each in operations(document)]

    assert sorted(named) == SERVED
    assert len(set(ids)) == len(ids)
    assert all(each["summary"].endswith(".") for _, _, each in operations(document))


def test_the_document_says_what_opens_a_route(document: Node) -> None:
    paths = document["paths"]

    assert paths["/v1/billing/meters"]["post"]["security"] == [
        {"bearer": ["admin"]},
        {"basic": ["admin"]},
    ]
    assert paths["/v2/billing/meter_event_stream"]["post"]["security"] == [
        {"session": []}
    ]
    assert paths["/readyz"]["get"]["security"] == []


def test_the_document_says_how_what_is_nested_is_named(document: Node) -> None:
    summary = document["paths"]["/v1/billing/credit_balance_summary"]["get"]
    events = document["paths"]["/v1/events"]["get"]
    meters = document["paths"]["/v1/billing/meters"]["post"]

    required = [each["name"] for each in summary["parameters"] if each.get("required")]
    assert required == ["customer", "filter[type]"]
    created = [
        each["name"]
        for each in events["parameters"]
        if each.get("name", "").startswith("created")
    ]
    assert created == [
        "created",
        "created[gt]",
        "created[gte]",
        "created[lt]",
        "created[lte]",
    ]
    assert meters["requestBody"]["content"][FORM]["encoding"] == {
        name: {"style": "deepObject", "explode": True}
        for name in ("customer_mapping", "default_aggregation", "value_settings")
    }


def test_the_document_says_in_what_extensions_are_asked_and_answer(
    document: Node,
) -> None:
    asked, posted = (
        document["paths"]["/metering/v1/reaggregate"][each] for each in ("get", "post")
    )
    metrics = document["paths"]["/metrics"]["get"]

    [filters] = [each for each in asked["parameters"] if each.get("name") == "filters"]
    assert (filters["style"], filters["explode"]) == ("deepObject", True)
    assert posted["requestBody"]["content"].keys() == {FORM, "application/json"}
    assert asked["responses"]["200"]["content"].keys() == {
        "application/json",
        "application/vnd.apache.arrow.stream",
    }
    assert metrics["responses"]["200"]["content"].keys() == {"text/plain"}


def test_the_document_explains_parameters_in_the_words_of_their_schemas(
    document: Node,
) -> None:
    path = document["paths"]["/v1/billing/credit_grants"]
    form = path["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    queried = {each.get("name"): each for each in path["get"]["parameters"]}

    properties = form["schema"]["properties"]
    assert properties["priority"] == {
        "type": "integer",
        "minimum": 0,
        "maximum": 100,
        "description": "Lower priorities are used first.",
    }
    words = "Only those of this customer."
    assert queried["customer"]["schema"]["description"] == words


def test_a_body_of_rows_leaves_the_query_to_the_parameters() -> None:
    rows = RowsBody(
        media_types=("application/x-ndjson", "application/cloudevents-batch+json"),
        limits=FORM_LIMITS,
    )
    route = replace(METER_ROUTES[0], rows=rows, takes=Lettered, needs=frozenset())

    document = document_of([route], OPEN_ROUTES)

    [operation] = document["paths"][route.path].values()
    assert operation["requestBody"] == {
        "required": True,
        "content": {each: {} for each in rows.media_types},
    }
    queried = [each for each in operation["parameters"] if each.get("in") == "query"]
    assert [(each["name"], each["required"]) for each in queried] == [("a", True)]
    assert "415" in operation["responses"]
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def malformed(
    server: Server, document: Node, *, is_whole: bool
) -> dict[str, tuple[str, str]]:
    return {
        asked: (answered.error["code"], answered.error.get("param"))
        for asked, answered in asked_as_documented(server, document, is_whole=is_whole)
        if answered.status >= 400
        and answered.error.get("code", "").startswith(MALFORMED)
    }


def test_what_the_document_requires_is_enough_for_a_route(
    server: Server, document: Node
) -> None:
    # What is needed because of what else is given, only the library knows.
    statements = "POST /metering/v1/statements"
    corrections = "POST /metering/v1/corrections"
    assert malformed(server, document, is_whole=False) == {
        f"{asked}": ("parameter_missing", param)
        for asked, param in (
            (f"{statements} {FORM}", "customer"),
            (f"{statements} {JSON}", "customer"),
            (f"{statements}/preview {FORM}", "customer"),
            (f"{statements}/preview {JSON}", "customer"),
            (f"{corrections} {FORM}", "changes[0][event_name]"),
            (f"{corrections} {JSON}", "changes[0][event_name]"),
            (f"{corrections}/preview {FORM}", "changes[0][event_name]"),
            (f"{corrections}/preview {JSON}", "changes[0][event_name]"),
            (f"POST /metering/v1/credit_holds {FORM}", "amount"),
            (f"POST /metering/v1/credit_holds {JSON}", "amount"),
            (f"POST /v1/billing/alerts {FORM}", "usage_threshold"),
            (
                f"GET /v1/billing/credit_balance_summary {FORM}",
                "filter[applicability_scope]",
            ),
            (f"GET /v1/billing/credit_balance_transactions {FORM}", "customer"),
            (
                f"POST /v1/billing/meter_event_adjustments {FORM}",
                "cancel[identifier]",
            ),
        )
    }


def test_all_that_the_document_has_is_known_to_a_route(
    server: Server, document: Node
) -> None:
    assert malformed(server, document, is_whole=True) == {}


class Read(HTMLParser):
    """What a page has: its text, and the names and attributes of its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_shows_every_route_and_the_health(server: Server) -> None:
    answered = server.ask("GET", "/", **NO_KEY)

    read = Read(answered.body.decode())
    assert answered.status == 200
    assert [each for each in SERVED if f"{each[0]} {each[1]}" not in read.text] == []
    assert "Ready" in read.text
    assert any("log at position " in each for each in read.text)


def test_the_page_is_of_one_piece_and_runs_nothing(server: Server) -> None:
    answered = server.ask("GET", "/", **NO_KEY)

    read = Read(answered.body.decode())
    assert "script" not in read.names
    assert [value for name, value in read.attributes if name in {"src", "href"}] == [
        "openapi.json"
    ]
    assert [
        name for name, _ in read.attributes if name.startswith(("on", "style"))
    ] == []
    assert answered.headers["content-type"] == "text/html; charset=utf-8"
    assert answered.headers["x-content-type-options"] == "nosniff"
    policy = answered.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_no_text_of_the_page_is_markup() -> None:
    route = replace(METER_ROUTES[0], path=f"/v1/{HOSTILE}/x", summary=HOSTILE)

    page = front_page(document_of([route], OPEN_ROUTES))(Health(position=None))

    read = Read(page)
    assert "script" not in read.names
    assert page.count("<script") == 0
    for text in (f"POST /v1/{HOSTILE}/x", f"{HOSTILE} Needs a key"):
        assert any(each.startswith(text) for each in read.text)
    assert "Not ready" in read.text


def test_a_store_is_asked_for_its_health_once_a_second_at_most() -> None:
    seconds, looks = [10.0], iter(range(10))
    kept = KeptHealth(lambda: Health(position=next(looks)), lambda: seconds[0])

    async def ask_at(time: float) -> int | None:
        seconds[0] = time
        return (await kept.latest()).position

    async def ask() -> list[int | None]:
        return [await ask_at(time) for time in (10.0, 10.5, 10.99, 11.0, 11.5, 99.0)]

    assert asyncio.run(ask()) == [0, 0, 0, 1, 1, 2]


def test_a_store_that_hangs_is_asked_once() -> None:
    goes_on, looks = threading.Event(), iter(range(10))
    seconds = iter(range(0, 1_000, 10))

    def look() -> Health:
        assert goes_on.wait(60)
        return Health(position=next(looks))

    async def ask() -> list[Health]:
        kept = KeptHealth(look, lambda: float(next(seconds)))
        asking = [asyncio.ensure_future(kept.latest()) for _ in range(5)]
        # One that hangs up does not take the answer from the others.
        await asyncio.sleep(0)
        asking.pop(0).cancel()
        goes_on.set()
        return await asyncio.gather(*asking)

    assert asyncio.run(ask()) == [Health(position=0)] * 4
