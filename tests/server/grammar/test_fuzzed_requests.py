"""Whatever bytes a request is made of, it is answered: done whole, or refused.

What is refused is one of Stripe's errors, and leaves nothing in the log.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.server.api.routes import Route
from metering.server.documents.openapi import taken_by
from metering.server.grammar.schemas import Schema, schema_of_all
from metering.server.table import ROUTES
from tests.server.forms import form_of
from tests.server.running import FORM, JSON, Answered
from tests.server.usage import now, one_of_each
from tests.server.witness import Witness, witnessed_server

pytestmark = pytest.mark.slow

EVENT_NAME = "tokens"
METER, GRANT, ALERT, ENDPOINT = "{m}", "{g}", "{a}", "{e}"
NOW, NOW_WRITTEN = "{n}", "{w}"
POSTS = [each for each in ROUTES if each.method == "POST" and each.rows is None]
FORMS = [each for each in POSTS if each.path.startswith("/v1/")]
JSONS = [each for each in POSTS if not each.path.startswith("/v1/")]
QUERIES = [each for each in ROUTES if each.method != "POST"]
IDS = {
    "/v1/billing/meters/": METER,
    "/v1/billing/alerts/": ALERT,
    "/v1/billing/credit_grants/": GRANT,
    "/v1/webhook_endpoints/": ENDPOINT,
}
SUITED: dict[str, list[Any]] = {
    "currency": ["usd", "jpy"],
    "credit_grant": [GRANT],
    "customer": ["cus_1"],
    "effective_at": [NOW],
    "enabled_events": [["*"], ["billing.meter.created"]],
    "event_name": [EVENT_NAME],
    "identifier": ["evt_1", "evt_2"],
    "meter": [METER],
    "payload": [
        {"stripe_customer_id": "cus_1", "value": "1"},
        {"stripe_customer_id": "cus_2", "value": "-0.5", "model": "a"},
    ],
    "timestamp": [NOW, NOW_WRITTEN],
    "type": ["cancel", "monetary", "customer"],
    "url": ["https://127.0.0.1:9/"],
    "value": [1, 1_000],
}
"""What is most often right under a name, wherever it is."""
KNOWN = [each for known in SUITED.values() for each in known if isinstance(each, str)]
ODD = [
    *("", "9" * 400, "\0", "a\0b", "\ud800", "\U0010ffff", "ä" * 600, "a" * 6_000),
    "'; --",
    *[
        "0",
        "-1",
        "1e400",
        "1e-400",
        "NaN",
        "true",
        "null",
        "../x",
        "%",
        "[]",
        "';",
        "--",
        "0000-00-00T00:00:00Z",
    ],
    "9999-12-31T23:59:60-99:99",
]
TOKENS = [
    *b"[ ] [] [0] [99999] [-1] = & && ; + % %0 %00 %FF %C3 %5B %ED%A0%80".split(),
    *rb"""expand payload metadata[ { } , : -0 1e999 NaN null true " \ """.split(),
    *rb""" "\ud800" "\u0000" """.split(),
    *(b"\xff", b"\0", b"\r\n", b"\xef\xbb\xbf", b"a" * 20_000, b"9" * 5_000),
    *(b"[a]" * 1_000, b'{"a":' * 3_000, b"[" * 3_000),
]

texts = st.sampled_from(KNOWN) | st.sampled_from(ODD) | st.text(max_size=20)
odd_values = st.one_of(
    texts,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.just({}),
    st.just([]),
    st.lists(texts, max_size=3),
    st.dictionaries(texts, texts, max_size=3),
)


def values(schema: Schema, name: str = "") -> st.SearchStrategy[Any]:
    """Values that a schema allows, or nearly, with odd ones among them."""
    suited = by_schema(schema)
    if name in SUITED:
        known = st.sampled_from(SUITED[name])
        suited = st.one_of(known, known, known, suited)
    # Odd in one of so many places: what is odd everywhere is refused at the first.
    return st.integers(0, 19).flatmap(lambda at: suited if at else odd_values)


def by_schema(schema: Schema) -> st.SearchStrategy[Any]:
    suited: st.SearchStrategy[Any] = texts
    match schema:
        case {"anyOf": [*schemas]}:
            suited = st.one_of([values(each) for each in schemas])
        case {"enum": [*words]}:
            suited = st.sampled_from(words)
        case {"type": "integer", "minimum": least, "maximum": most}:
            suited = st.integers(least - 1, most + 1)
        case {"type": "array", "items": items}:
            suited = st.lists(values(items), max_size=3)
        case {"type": "object", "properties": properties}:
            needed = schema.get("required", [])
            by_name = {name: values(each, name) for name, each in properties.items()}
            suited = st.fixed_dictionaries(
                {name: by_name[name] for name in needed},
                optional={name: by_name[name] for name in by_name.keys() - needed},
            )
        case {"type": "object"}:
            suited = st.dictionaries(texts, texts, max_size=3)
        case _:
            pass
    return suited


@st.composite
def broken(draw: st.DrawFn, whole: bytes) -> bytes:
    """What is whole, with some tokens put into it, or pieces of it taken or doubled."""
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2, 5]))):
        start = draw(st.integers(0, len(whole)))
        end = min(len(whole), start + draw(st.integers(0, 12)))
        token = draw(
            st.sampled_from(TOKENS) | st.just(whole[start:end] * 2) | st.just(b"")
        )
        whole = whole[:start] + token + whole[end:]
    return whole


def written(value: Any, media_type: str) -> bytes:
    if media_type == JSON:
        return json.dumps(value).encode()
    return form_of(value if isinstance(value, dict) else {"a": value})


def wild() -> st.SearchStrategy[bytes]:
    tokens = st.sampled_from(TOKENS) | st.binary(max_size=8)
    return st.lists(tokens, max_size=12).map(b"".join)


@st.composite
def asked(
    draw: st.DrawFn, routes: list[Route], media_type: str
) -> tuple[Route, str, bytes]:
    """A route, its path, and bytes for it."""
    route = draw(st.sampled_from(routes))
    path = route.path
    known = next((IDS[each] for each in IDS if path.startswith(each)), "evt_none")
    path = path.replace("{id}", draw(st.sampled_from([known, known, known, "none"])))
    whole = draw(values(schema_of_all(taken_by(route))))
    whole = written(whole, media_type)
    return route, path, draw(broken(whole) | broken(whole) | broken(whole) | wild())


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuzzed:
    """A server with something of each kind, for which known ids stand in what is sent."""

    witness: Witness
    token: str
    ids: dict[str, str]

    def ask(
        self, route: Route, path: str, query: bytes, body: bytes, media_type: str
    ) -> Answered:
        for name, each in {**self.ids, **times()}.items():
            path = path.replace(name, each)
            query = query.replace(quoted(name), each.encode())
            body = body.replace(name.encode(), each.encode())
            body = body.replace(quoted(name), each.encode())
        if query:
            path = f"{path}?{quote_from_bytes(query, safe='%&=[]+;')}"
        server = self.witness.server
        before = self.witness.look()

        answered = server.ask(
            route.method,
            path,
            body,
            key=self.token if route.credential == "session" else None,
            Content_Type=media_type,
        )

        self.witness.check(answered, route.path, before)
        return answered


def times() -> dict[str, str]:
    seconds = now()
    written = datetime.fromtimestamp(seconds, UTC).isoformat()
    return {NOW: str(seconds), NOW_WRITTEN: written.replace("+00:00", "Z")}


def quoted(name: str) -> bytes:
    return quote_from_bytes(name.encode()).encode()


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    with witnessed_server(tmp_path_factory.mktemp("server")) as witness:
        ids, token = one_of_each(witness.server, event_name=EVENT_NAME)
        known = {name: ids[beginning] for beginning, name in IDS.items()}
        yield Fuzzed(witness=witness, token=token, ids=known)


many = settings(max_examples=10 * settings().max_examples)


@many
@given(asked=asked(FORMS, FORM))
def test_any_form_is_done_or_refused(
    fuzzed: Fuzzed, asked: tuple[Route, str, bytes]
) -> None:
    route, path, body = asked

    fuzzed.ask(route, path, b"", body, FORM)


@many
@given(asked=asked(QUERIES, FORM))
def test_any_query_is_answered_or_refused(
    fuzzed: Fuzzed, asked: tuple[Route, str, bytes]
) -> None:
    route, path, query = asked

    fuzzed.ask(route, path, query, b"", FORM)


@many
@given(asked=asked(JSONS, JSON))
def test_any_json_is_done_or_refused(
    fuzzed: Fuzzed, asked: tuple[Route, str, bytes]
) -> None:
    route, path, body = asked

    fuzzed.ask(route, path, b"", body, JSON)
