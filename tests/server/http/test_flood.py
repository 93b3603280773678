"""A flood of strangers takes little from the server, and nothing from its clients."""

import collections
import resource
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client import Counter

from metering.server.http.idleness import WASTED_PER_SECOND, Wasted
from tests.profiles import PROFILE
from tests.server.flooding import Recorders, Strangers, flooded, held_by
from tests.server.running import Server, running_server
from tests.server.sockets import connected, told
from tests.server.usage import create_meter, event_form
from tests.waiting import eventually

pytestmark = pytest.mark.slow

EVENTS = "/v1/billing/meter_events"
HEAD = b"POST /v1/billing/meter_events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
# Of a head, of one read of the socket and of what uvicorn holds, with what Python adds.
BYTES_OF_A_CONNECTION = 256 << 10
LOG_BYTES_MAX = 1 << 20
_CANNOT_ACCEPT = "No connection can be accepted"


@pytest.fixture
def target(tmp_path: Path) -> str:
    return str(tmp_path / "usage")


@contextmanager
def serving(target: str, *options: str) -> Iterator[tuple[Server, list[str]]]:
    """A server, and what it logs, while it does and at its end."""
    logged: list[str] = []
    with running_server(target, "--rate-limit=0", "--no-worker", *options) as server:
        reading = threading.Thread(target=lambda: logged.extend(server.process.stderr))
        reading.start()
        try:
            yield server, logged
        finally:
            server.process.terminate()
            reading.join()


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Server, list[str]]]:
    """A server for tests that leave it as it was."""
    target = str(tmp_path_factory.mktemp("flooded") / "usage")
    with serving(target) as server_and_log:
        yield server_and_log


def is_closed(client: socket.socket) -> bool:
    """Whether the server has hung up; waits until it has or has answered."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def metric(server: Server, name: str) -> float:
    text = server.ask("GET", "/metrics").body.decode()
    [value] = [
        line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(name)
    ]
    return float(value)


def test_clients_with_a_key_record_on_in_a_flood_of_strangers(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    strangers, connections, seconds = (
        (2_000, 1_000, 60) if PROFILE.is_thorough else (300, 150, 4)
    )
    with serving(target, f"--connections={connections}") as (server, logged):
        create_meter(server.client(), event_name="tokens")
        pid = server.process.pid
        with Recorders(server.url, server.key, 16) as clients:
            clients.rate(1)  # Every thread has begun.
            before, rate_before = held_by(pid), clients.rate(seconds / 4)
            most, rates = before.memory_bytes, []
            with flooded(server.url, Strangers(connections=strangers)):
                ended = time.monotonic() + seconds
                while time.monotonic() < ended:
                    rates.append(clients.rate(1))
                    most = max(most, held_by(pid).memory_bytes)
            rate_after = clients.rate(seconds / 4)
            acknowledged = clients.acknowledged
        assert sum(map(len, logged)) < LOG_BYTES_MAX
        eventually(lambda: metric(server, "metering_http_connections_open") <= 1)
        after = held_by(pid)
        assert metric(server, "metering_http_body_bytes") == 0
        with server.store() as store:
            recorded = collections.Counter(
                each.identifier for each in store.meter_events.list()
            )

    rate_during = sum(rates) / len(rates)
    ratio = rate_during / ((rate_before + rate_after) / 2)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{strangers} strangers for {seconds} s: {rate_before:.0f} events a second"
            f" before, {rate_during:.0f} during, {rate_after:.0f} after ({ratio:.2f});"
            f" {(most - before.memory_bytes) >> 20} MiB more at most\n"
        )
    assert rate_during > 0
    assert recorded.keys() >= set(acknowledged)
    assert set(recorded.values()) == {1}
    assert most - before.memory_bytes < connections * BYTES_OF_A_CONNECTION
    assert (
        after.memory_bytes - before.memory_bytes < connections * BYTES_OF_A_CONNECTION
    )
    assert after.descriptors <= before.descriptors
    assert after.threads <= before.threads + 1
    assert sum(map(len, logged)) < LOG_BYTES_MAX


def test_bodies_of_strangers_take_no_memory(
    running: tuple[Server, list[str]],
) -> None:
    server, _ = running
    body = b"a" * (1 << 20)
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with ExitStack() as stack:
        before = held_by(server.process.pid).memory_bytes
        clients = [stack.enter_context(connected(server.url)) for _ in range(300)]
        senders = [
            threading.Thread(target=_send_until_refused, args=(each, request))
            for each in clients
        ]

        for sender in senders:
            sender.start()
        most = before
        while any(each.is_alive() for each in senders):
            most = max(most, held_by(server.process.pid).memory_bytes)
            senders[0].join(0.01)
        for sender in senders:
            sender.join()

    # A third of what was sent, and what a server's first requests take in any case.
    assert most - before < 100 << 20


def _send_until_refused(client: socket.socket, request: bytes) -> None:
    try:
        client.sendall(request)
    except OSError:
        return


def test_the_connection_that_is_idle_longest_makes_room(target: str) -> None:
    with serving(target, "--connections=20") as (server, _), ExitStack() as stack:
        idle = [stack.enter_context(connected(server.url)) for _ in range(20)]
        eventually(
            lambda: metric(server, "metering_http_connections_closed_idle_t") > 0
        )

        assert is_closed(idle[0])
        idle[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert idle[-1].recv(12) == b"HTTP/1.1 200"


def test_a_connection_too_many_is_told_when_to_come_again(target: str) -> None:
    wait = (
        "GET /v1/billing/meters HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Metering-Min-Position: 999\r\nAuthorization: Bearer "
    )
    busy: list[bytes] = []
    with serving(target, "--connections=8") as (server, _), ExitStack() as stack:
        request = f"{wait}{server.key}\r\n\r\n".encode()
        clients: list[socket.socket] = []

        def is_told() -> bool:
            # Until eight wait, one whose request has not begun makes room.
            clients.append(stack.enter_context(connected(server.url)))
            with suppress(ConnectionError):
                clients[-1].sendall(request)
            for client in select.select(clients, [], [], 0.05)[0]:
                with suppress(ConnectionError):
                    busy.append(client.recv(1 << 16))
                clients.remove(client)
            return any(each.startswith(b"HTTP/1.1 503 ") for each in busy)

        eventually(is_told)
    [told] = [each for each in busy if each.startswith(b"HTTP/1.1 503 ")]

    assert b"\r\nretry-after: 1\r\n" in told
    assert b'"code":"server_busy"' in told


def test_used_up_descriptors_fill_no_log_and_idle_connections_make_room(
    running: tuple[Server, list[str]],
) -> None:
    health = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    server, logged = running
    before_it = len(logged)
    with ExitStack() as stack:
        meter = create_meter(server.client(), event_name="tokens")
        oldest = stack.enter_context(connected(server.url))
        oldest.sendall(health)
        assert told(oldest, b"}").startswith(b"HTTP/1.1 200 ")
        pid = server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)

        used = held_by(pid).descriptors
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 12, before[1]))
        for _ in range(200):
            stack.enter_context(connected(server.url))
        assert is_closed(oldest)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

        eventually(lambda: server.ask("GET", "/healthz").status == 200)
        form = event_form(meter.event_name)
        assert server.ask("POST", EVENTS, form).status == 200
        eventually(lambda: any(_CANNOT_ACCEPT in each for each in logged))

    assert len(logged) - before_it <= 20


@pytest.mark.parametrize(
    ("count", "seconds", "is_flood"),
    [
        (WASTED_PER_SECOND, 0, False),
        (WASTED_PER_SECOND + 1, 0, True),
        (WASTED_PER_SECOND + 1, 1, False),
    ],
)
def test_connections_that_come_to_nothing_are_a_flood_where_they_are_many(
    count: int, seconds: int, *, is_flood: bool
) -> None:
    now = 0
    wasted = Wasted(Counter("wasted", "Wasted.", registry=None), lambda: now)

    for _ in range(count):
        wasted.count()
    now = seconds

    assert wasted.is_flood is is_flood


@pytest.mark.parametrize("sent", [b"", b"what?\r\n\r\n"], ids=["nothing", "no request"])
def test_a_connection_that_came_to_nothing_is_counted(
    running: tuple[Server, list[str]], sent: bytes
) -> None:
    server, _ = running
    eventually(lambda: metric(server, "metering_http_connections_open") == 1)
    before = metric(server, "metering_http_connections_wasted_t")
    with connected(server.url) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        told(client)

    eventually(
        lambda: metric(server, "metering_http_connections_wasted_t") == before + 1
    )


@pytest.mark.parametrize("headers", [127, 128, 129, 2_000])
def test_a_head_has_so_many_headers(
    running: tuple[Server, list[str]], headers: int
) -> None:
    server, _ = running
    with connected(server.url) as client:
        client.sendall(
            b"GET /healthz HTTP/1.1\r\nHost:localhost\r\n"
            + b"a:b\r\n" * (headers - 1)
            + b"\r\n"
        )
        status = client.recv(12)

    assert status == (b"HTTP/1.1 200" if headers <= 128 else b"HTTP/1.1 400")


def test_all_bodies_together_have_a_bound(target: str) -> None:
    head = "Content-Length: 1048576\r\nAuthorization: Bearer "
    with serving(target, "--body-memory=80") as (server, _), ExitStack() as stack:
        request = HEAD + f"{head}{server.key}\r\n\r\n".encode()
        for _ in range(80):
            stack.enter_context(connected(server.url)).sendall(request)
        eventually(lambda: metric(server, "metering_http_body_bytes") == 80 << 20)
        refused = server.ask("POST", EVENTS, event_form("tokens"))
        stack.close()

        eventually(lambda: metric(server, "metering_http_body_bytes") == 0)
        assert server.ask("POST", EVENTS, event_form("tokens")).status == 400

    assert refused.status == 503
    assert refused.error["code"] == "server_busy"
    assert refused.error["type"] == "api_error"
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["stripe-should-retry"] == "true"
