"""Whoever stalls is hung up on: in a head, in a body, and between requests."""

import socket
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

import metering
from metering.server.http.serving import Bind, ServerLimits, serve
from tests.processes import Child, said, warm_processes
from tests.server.sockets import connected, told
from tests.waiting import eventually

pytestmark = pytest.mark.slow

HEAD = (
    b"POST /v1/billing/meter_events HTTP/1.1\r\n"
    b"Host: localhost\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n"
)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def serve_impatiently(target: str, pipe: Connection) -> None:
    """Serve a store to clients that may stall for a second, and say a key of it."""
    with metering.connect(target) as store:
        pipe.send(store.api_keys.create(name="tests").secret)
        serve(
            store,
            Bind(host="127.0.0.1", port=0, is_behind_tls=False),
            ServerLimits(rate_limit=None, patience_seconds=1),
            started=pipe.send,
            must_stop=lambda: False,
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server's URL, and a head with a key that opens it."""
    target = str(tmp_path_factory.mktemp("impatient") / "usage")
    child = Child(warm_processes(), serve_impatiently, target)
    says = said(child)
    key = next(says)
    yield next(says), key
    child.kill()
    child.exit_code()


@pytest.fixture
def url(server: tuple[str, str]) -> str:
    return server[0]


@pytest.fixture
def keyed_head(server: tuple[str, str]) -> bytes:
    return HEAD + f"Authorization: Bearer {server[1]}\r\n".encode()


def is_hung_up_on(client: socket.socket) -> bool:
    """Whether the server takes no more, not a byte."""
    try:
        client.sendall(b"x")
    except OSError:
        return True
    return False


@pytest.mark.parametrize(
    "sent", [b"", b"\r\n", b"POST /v1", HEAD], ids=["nothing", "blank", "line", "head"]
)
def test_a_head_that_stalls_is_hung_up_on(url: str, sent: bytes) -> None:
    with connected(url) as client:
        client.sendall(sent)

        assert told(client) == b""


@pytest.mark.parametrize("part", [b"", b"event_name=to"], ids=["nothing", "a part"])
@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 100\r\n\r\n%b", b"Transfer-Encoding: chunked\r\n\r\n20\r\n%b"],
    ids=["sized", "chunked"],
)
def test_a_body_that_stalls_is_answered_and_the_connection_closed(
    url: str, keyed_head: bytes, framing: bytes, part: bytes
) -> None:
    with connected(url) as client:
        client.sendall(keyed_head + framing % part)

        head, body = told(client).split(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"stripe-should-retry: true" in head
    assert b"did not come to its end" in body


@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 1000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"],
    ids=["sized", "chunked"],
)
@pytest.mark.parametrize(
    "key", [b"", b"Authorization: Bearer sk_test_unknown\r\n"], ids=["none", "unknown"]
)
def test_a_body_of_a_stranger_is_refused_before_any_of_it_came(
    url: str, key: bytes, framing: bytes
) -> None:
    with connected(url) as client:
        client.sendall(HEAD + key + framing)

        head, _ = told(client).split(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in head


def test_a_connection_serves_many_requests_until_it_is_idle(
    url: str,
) -> None:
    with connected(url) as client:
        for _ in range(3):
            client.sendall(HEALTH)
            assert told(client, b"}").startswith(b"HTTP/1.1 200 ")

        assert told(client) == b""


@pytest.mark.parametrize("sent", [b"\r\n", HEAD], ids=["blank", "head"])
def test_a_connection_that_goes_on_without_a_head_is_hung_up_on(
    url: str, sent: bytes
) -> None:
    with connected(url) as client:
        client.sendall(HEALTH)
        assert told(client, b"}").startswith(b"HTTP/1.1 200 ")

        client.sendall(sent)

        assert told(client) == b""


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"X-Slow: ", b""),
        # It is answered, and then hung up on, although it never stalls.
        (b"Content-Length: 99999\r\n\r\n", b""),
        # Refused: the rest of it is not waited for.
        (b"Content-Length: 99999999\r\n\r\n", b"HTTP/1.1 413 "),
    ],
    ids=["head", "body", "body that was refused"],
)
def test_what_comes_byte_by_byte_has_no_more_time(
    url: str, keyed_head: bytes, sent: bytes, answered: bytes
) -> None:
    with connected(url) as client:
        client.sendall(keyed_head + sent)
        if answered:
            assert told(client, b"}}").startswith(answered)

        eventually(lambda: is_hung_up_on(client))
