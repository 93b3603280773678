"""What a request's headers may be, and which hosts a server answers to."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import metering
from metering.server.api.errors import (
    HeaderRepeatedError,
    HostInvalidError,
    HostRefusedError,
)
from metering.server.http.app import create_app
from metering.server.http.heads import Heads
from metering.server.http.serving import Bind
from tests.server.running import Server, running_server
from tests.server.sockets import connected, told

Pairs = Sequence[tuple[str, str]]


def scope_of(pairs: Pairs, version: str = "1.1") -> dict[str, Any]:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in pairs]
    return {"type": "http", "http_version": version, "headers": headers}


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "idempotency-key", "stripe-account", "stripe-context"),
        *("stripe-version", "content-length", "content-type", "host"),
        *("metering-min-position", "ce-id", "ce-specversion"),
    ],
)
@pytest.mark.parametrize("second", ["a", "b", ""])
def test_a_header_that_means_one_thing_is_refused_twice(name: str, second: str) -> None:
    with pytest.raises(HeaderRepeatedError, match=f"{name.title()} came twice"):
        Heads(None).read(scope_of([(name, "a"), ("accept", "*/*"), (name, second)]))


def test_parts_of_a_list_are_joined() -> None:
    sent = [
        ("accept", "text/csv"),
        ("content-encoding", "gzip"),
        ("accept", "application/json"),
        ("content-encoding", "gzip"),
    ]

    assert Heads(None).read(scope_of(sent)) == {
        "accept": "text/csv, application/json",
        "content-encoding": "gzip, gzip",
    }


def bound(host: str = "127.0.0.1", *allowed: str, behind_tls: bool = False) -> Heads:
    bind = Bind(host=host, port=0, is_behind_tls=behind_tls, allow_hosts=allowed)
    return Heads(bind.hosts)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LocalHost", "localhost.", "localhost:80", "localhost.:12111"),
        *("127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:12111", "[0:0::1]", " localhost"),
    ],
)
def test_the_loopback_is_reached_by_its_names(host: str) -> None:
    assert bound().read(scope_of([("host", host)])) == {"host": host}


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "127.0.0.1.nip.io",
        ),
        *("evil.example:12111", "[::2]", "10.0.0.1", "0.0.0.0", "127.0.0.2", "1"),
    ],
)
def test_the_loopback_is_not_reached_by_another_name(host: str) -> None:
    with pytest.raises(HostRefusedError, match="--allow-host"):
        bound().read(scope_of([("host", host)]))


@pytest.mark.parametrize(
    "host",
    [
        *("", " ", ":80", "a b", "localhost/", "http://localhost", "me@localhost"),
        *("localhost:x", "localhost:123456", "[::1", "::1", "[::1]x", "[:::1]", "[1]"),
        *("localhost..", "-a", "localhost,evil.example", "l\u00f6calhost", "a" * 300),
        *("localhost\x00", "localhost\n"),
    ],
)
@pytest.mark.parametrize("allowed", ["billing.example", "*"])
def test_a_host_without_its_form_is_malformed(host: str, allowed: str) -> None:
    with pytest.raises(HostInvalidError):
        bound("127.0.0.1", allowed).read(scope_of([("host", host)]))


@pytest.mark.parametrize("allowed", ["billing.example", "*"])
def test_a_request_of_today_names_its_host(allowed: str) -> None:
    with pytest.raises(HostInvalidError, match="missing"):
        bound("127.0.0.1", allowed).read(scope_of([]))
    assert bound("127.0.0.1", allowed).read(scope_of([], "1.0")) == {}


@pytest.mark.parametrize(
    ("heads", "answered", "refused"),
    [
        (bound("127.0.0.2"), "127.0.0.2:80", "127.0.0.3"),
        (bound("::1"), "[::1]", "[::2]"),
        (bound("127.0.0.1", "billing.example"), "Billing.Example.:8", "other.example"),
        (bound("127.0.0.1", "fd00::1"), "[fd00:0::1]", "[fd00::2]"),
        (bound("127.0.0.1", "*"), "any.example", None),
        (bound("0.0.0.0", behind_tls=True), "any.example", None),
        (bound("0.0.0.0", "a.example", behind_tls=True), "a.example", "b.example"),
        (bound("0.0.0.0", "a.example", behind_tls=True), "localhost", "b.example"),
        (Heads(None), "any.example", None),
    ],
)
def test_the_names_of_a_server_are_those_it_was_given(
    heads: Heads, answered: str, refused: str | None
) -> None:
    for _ in range(2):
        assert heads.read(scope_of([("host", answered)])) == {"host": answered}
    if refused is not None:
        with pytest.raises(HostRefusedError):
            heads.read(scope_of([("host", refused)]))


def test_what_is_inside_another_application_asks_for_no_host() -> None:
    assert Heads(None).read(scope_of([])) == {}


@pytest.mark.parametrize(
    "name", ["", "a b", "http://a.example", "a.example:80", "[::1]:80", "*.example"]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with (
        metering.connect(":memory:") as store,
        pytest.raises(
            metering.InvalidRequestError, match="scheme and a port"
        ) as raised,
    ):
        create_app(store, allow_hosts=[name])

    assert raised.value.param == "allow_hosts"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    target = str(tmp_path_factory.mktemp("heads") / "usage")
    with running_server(target, "--no-worker", "--allow-host", "a.example") as running:
        yield running


def raw(server: Server, line: str, *headers: str) -> tuple[int, str]:
    """Send a head as it is written here; return the status, and all that came."""
    head = "\r\n".join([line, *headers, "Connection: close", "", ""])
    with connected(server.url) as client:
        client.sendall(head.encode("latin-1"))
        answer = told(client).decode("latin-1")
    return int(answer.split(" ", 2)[1]), answer


METERS = "/v1/billing/meters"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "headers", "status", "words"),
    [
        (f"GET {METERS} HTTP/1.1", ["Host: localhost"], 200, '"list"'),
        (f"GET {METERS} HTTP/1.1", ["Host: a.example:1"], 200, '"list"'),
        (f"GET http://localhost{METERS} HTTP/1.1", ["Host: localhost"], 200, '"list"'),
        (f"GET {METERS} HTTP/1.0", [], 200, '"list"'),
        (f"GET {METERS} HTTP/1.1", [], 400, "Host is missing"),
        (f"GET {METERS} HTTP/1.1", ["Host: b.example"], 421, "--allow-host"),
        (f"GET http://localhost{METERS} HTTP/1.1", ["Host: b.example"], 421, "b.exa"),
        (f"GET {METERS} HTTP/1.1", ["Host: localhost"] * 2, 400, "Host came twice"),
        ("GET /healthz HTTP/1.1", ["Host: b.example"], 421, "invalid_request_error"),
        ("GET /v2/nothing HTTP/1.1", ["Host: b.example"], 421, "misdirected_request"),
    ],
)
def test_a_server_checks_the_host(
    server: Server, line: str, headers: list[str], status: int, words: str
) -> None:
    key = f"Authorization: Bearer {server.key}"

    found, answer = raw(server, line, key, *headers)

    assert (found, words in answer) == (status, True), answer
    assert status == 200 or "stripe-should-retry: false" in answer


@pytest.mark.slow
@pytest.mark.parametrize(
    "twice",
    [
        ["Authorization: Bearer sk_test_0"],
        ["Idempotency-Key: a", "Idempotency-Key: b"],
        ["Stripe-Account: acct_1", "Stripe-Account: "],
        ["Content-Type: application/json", "Content-Type: text/plain"],
    ],
)
def test_a_server_refuses_a_header_that_comes_twice(
    server: Server, twice: list[str]
) -> None:
    own = ["Host: localhost", f"Authorization: Bearer {server.key}"]

    for headers in ([*own, *twice], [*twice, *own]):
        status, answer = raw(server, f"GET {METERS} HTTP/1.1", *headers)

        assert (status, "came twice" in answer) == (400, True), answer
        assert server.key not in answer


@pytest.mark.slow
def test_a_length_that_comes_twice_is_refused(server: Server) -> None:
    own = ["Host: localhost", f"Authorization: Bearer {server.key}"]
    lengths = ["Content-Length: 0", "Content-Length: 5"]

    status, _ = raw(server, f"POST {METERS} HTTP/1.1", *own, *lengths)

    assert status == 400
