"""Own a flood: strangers who keep a server busy, and clients with a key beside them.

Both are processes of their own, so that neither takes time from the test or the server.
"""

import asyncio
import os
import resource
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.processes import Child, warm_processes

Address = tuple[str, int]
_Attack = Callable[[asyncio.AbstractEventLoop, socket.socket], Awaitable[None]]

_EVENTS = b"POST /v1/billing/meter_events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_BULK = b"POST /metering/v1/meter_events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_UNKNOWN = b"Authorization: Bearer sk_test_" + b"0" * 48 + b"\r\n"
_SIZED = b"Content-Length: %d\r\n\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
_MEGABYTE = b"a" * (1 << 20)
_DRIP_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """Who floods a server.

    Attributes:
        connections: how many there are.
        niceness: at which they run, 19 to take what the others leave: they stand for other
            machines, which take no time from the server's processors.
        again_seconds: how soon one that was hung up on comes again.
    """

    connections: int
    niceness: int = 19
    again_seconds: float = 0.5


async def _silent(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
    await _hear(loop, client)


async def _slow_head(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
    await loop.sock_sendall(client, _EVENTS + b"X-Slow: ")
    await _drip(loop, client)


async def _many_headers(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
    await loop.sock_sendall(client, _EVENTS + b"a:\r\n" * 15_000)
    await _drip(loop, client)


async def _drip(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
    while True:
        await loop.sock_sendall(client, b"a")
        await asyncio.sleep(_DRIP_SECONDS)


def _dripping_body(head: bytes) -> _Attack:
    async def attack(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
        await loop.sock_sendall(client, head + _SIZED % (1 << 20))
        await _drip(loop, client)

    return attack


def _huge_body(head: bytes) -> _Attack:
    async def attack(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
        await loop.sock_sendall(client, head + _SIZED % len(_MEGABYTE) + _MEGABYTE)
        await _hear(loop, client)

    return attack


def _endless_body(head: bytes) -> _Attack:
    async def attack(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
        await loop.sock_sendall(client, head + _CHUNKED)
        while True:
            await loop.sock_sendall(client, b"100000\r\n" + _MEGABYTE + b"\r\n")

    return attack


async def _guesser(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
    request = _EVENTS + _UNKNOWN + _SIZED % 3 + b"a=b"
    while True:
        await loop.sock_sendall(client, request)
        if not await loop.sock_recv(client, 1 << 16):
            return


async def _no_request(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
    await loop.sock_sendall(client, b"what?\r\n\r\n")
    await _hear(loop, client)


async def _ahead(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
    await loop.sock_sendall(
        client, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 2_000
    )
    await _drip(loop, client)


async def _hear(loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
    while await loop.sock_recv(client, 1 << 16):
        pass


ATTACKS: dict[str, _Attack] = {
    "silent": _silent,
    "slow head": _slow_head,
    "many headers": _many_headers,
    "dripping body": _dripping_body(_EVENTS),
    "dripping body, unknown key": _dripping_body(_EVENTS + _UNKNOWN),
    "huge body": _huge_body(_EVENTS),
    "huge body, unknown key": _huge_body(_EVENTS + _UNKNOWN),
    "huge rows": _huge_body(_BULK + b"Content-Type: application/x-ndjson\r\n"),
    "endless body": _endless_body(_EVENTS),
    "guesser": _guesser,
    "requests ahead": _ahead,
    "no request": _no_request,
}


async def _attack_again(
    address: Address, attack: _Attack, again_seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        with suppress(OSError), socket.socket() as client:
            client.settimeout(0)
            await loop.sock_connect(client, address)
            await attack(loop, client)
        await asyncio.sleep(again_seconds)


def flood(address: Address, strangers: Strangers, pipe: Connection) -> None:
    """Attack from so many connections, until killed."""
    _raise_limit()
    os.nice(strangers.niceness)
    attacks = list(ATTACKS.values())

    async def run() -> None:
        pipe.send(None)
        async with asyncio.TaskGroup() as group:
            for number in range(strangers.connections):
                attack = attacks[number % len(attacks)]
                group.create_task(
                    _attack_again(address, attack, strangers.again_seconds)
                )

    asyncio.run(run())


def record(address: Address, key: str, connections: int, pipe: Connection) -> None:
    """Record events from so many connections, and say which were acknowledged.

    At each word that comes, it says the identifiers acknowledged since the last one.
    """
    acknowledged: list[str] = []

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection(*address)
        sent = 0
        while True:
            identifier = f"{os.getpid()}-{number}-{sent}"
            body = (
                f"event_name=tokens&identifier={identifier}"
                "&payload[stripe_customer_id]=cus_1&payload[value]=1"
            )
            head = f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(_EVENTS + head.encode() + body.encode())
            answered = await reader.readuntil(b"\r\n\r\n")
            length = answered.lower().partition(b"content-length: ")[2]
            await reader.readexactly(int(length.partition(b"\r\n")[0]))
            assert answered.startswith(b"HTTP/1.1 200 "), answered
            acknowledged.append(identifier)
            sent += 1

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def say() -> None:
            pipe.recv()
            pipe.send(list(acknowledged))
            acknowledged.clear()

        loop.add_reader(pipe.fileno(), say)
        async with asyncio.TaskGroup() as group:
            for number in range(connections):
                group.create_task(client(number))

    asyncio.run(run())


def _raise_limit() -> None:
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))


class Recorders:
    """Clients with a key that record events all the time."""

    def __init__(self, url: str, key: str, connections: int) -> None:
        self._child = Child(
            warm_processes(), record, _address_of(url), key, connections
        )
        self.acknowledged: list[str] = []

    def rate(self, seconds: float) -> float:
        """Return how many events a second are acknowledged from now on, in a while."""
        self._take()
        began = time.monotonic()
        time.sleep(seconds)
        return self._take() / (time.monotonic() - began)

    def _take(self) -> int:
        self._child.pipe.send(None)
        assert self._child.pipe.poll(60), "the clients hang"
        found = self._child.pipe.recv()
        self.acknowledged += found
        return len(found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.exit_code()


@contextmanager
def flooded(url: str, strangers: Strangers) -> Iterator[None]:
    """Flood a server for as long as a block takes."""
    child = Child(warm_processes(), flood, _address_of(url), strangers)
    child.pipe.recv()
    try:
        yield
    finally:
        child.kill()
        child.exit_code()


def _address_of(url: str) -> Address:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a process holds."""

    memory_bytes: int
    descriptors: int
    threads: int
    processor_seconds: float


def held_by(pid: int) -> Held:
    """Read what a process holds of the machine."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(each.split(":", 1) for each in status)
    # After the name, which may hold anything, in ticks: of the process and its system calls.
    _, _, times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    ticks = sum(map(int, times.split()[11:13]))
    return Held(
        memory_bytes=int(fields["VmRSS"].split()[0]) << 10,
        descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        threads=int(fields["Threads"]),
        processor_seconds=ticks / os.sysconf("SC_CLK_TCK"),
    )
