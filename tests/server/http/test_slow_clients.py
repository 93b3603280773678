"""Whoever stalls is hung up on: in a head, in a body, and between requests."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

import pytest

import metering
from metering.server.http.serving import Bind, serve
from tests.processes import Child, said, warm_processes
from tests.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.slow

HEAD = (
    b"POST /v1/billing/meter_events HTTP/1.1\r\n"
    b"Host: localhost\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n"
)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def serve_impatiently(target: str, pipe: Connection) -> None:
    """Serve a store to clients that may stall for a second."""
    with metering.connect(target) as store:
        serve(
            store,
            Bind(host="127.0.0.1", port=0, is_behind_tls=False),
            rate_limit=None,
            started=pipe.send,
            must_stop=lambda: False,
            patience_seconds=1,
        )


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    target = str(tmp_path_factory.mktemp("impatient") / "usage")
    child = Child(warm_processes(), serve_impatiently, target)
    parts = urlsplit(next(said(child)))
    yield str(parts.hostname), int(parts.port or 0)
    child.kill()
    child.exit_code()


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as client:
        yield client


def answer(client: socket.socket, end: bytes | None = None) -> bytes:
    """What comes until the server hangs up, or up to an end."""
    received = bytearray()
    while part := client.recv(1 << 16):
        received += part
        if end is not None and received.endswith(end):
            break
    return bytes(received)


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
def test_a_head_that_stalls_is_hung_up_on(
    address: tuple[str, int], sent: bytes
) -> None:
    with connected(address) as client:
        client.sendall(sent)

        assert answer(client) == b""


@pytest.mark.parametrize("part", [b"", b"event_name=to"], ids=["nothing", "a part"])
@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 100\r\n\r\n%b", b"Transfer-Encoding: chunked\r\n\r\n20\r\n%b"],
    ids=["sized", "chunked"],
)
def test_a_body_that_stalls_is_answered_and_the_connection_closed(
    address: tuple[str, int], framing: bytes, part: bytes
) -> None:
    with connected(address) as client:
        client.sendall(HEAD + framing % part)

        head, body = answer(client).split(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"stripe-should-retry: true" in head
    assert b"did not come to its end" in body


def test_a_connection_serves_many_requests_until_it_is_idle(
    address: tuple[str, int],
) -> None:
    with connected(address) as client:
        for _ in range(3):
            client.sendall(HEALTH)
            assert answer(client, b"}").startswith(b"HTTP/1.1 200 ")

        assert answer(client) == b""


@pytest.mark.parametrize("sent", [b"\r\n", HEAD], ids=["blank", "head"])
def test_a_connection_that_goes_on_without_a_head_is_hung_up_on(
    address: tuple[str, int], sent: bytes
) -> None:
    with connected(address) as client:
        client.sendall(HEALTH)
        assert answer(client, b"}").startswith(b"HTTP/1.1 200 ")

        client.sendall(sent)

        assert answer(client) == b""


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
    address: tuple[str, int], sent: bytes, answered: bytes
) -> None:
    with connected(address) as client:
        client.sendall(HEAD + sent)
        if answered:
            assert answer(client, b"}}").startswith(answered)

        eventually(lambda: is_hung_up_on(client))
