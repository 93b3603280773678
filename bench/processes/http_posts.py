"""Posts of meter events from many connections: a process that only sends them.

Requests are made beforehand and answers are barely read, so that the server is what
is measured. How much of a core the load took is recorded beside the time.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from metering import SystemClock
from metering.cli.demo.traffic import EVENT_NAMES, customer_id

V1_PATH: Final = "/v1/billing/meter_events"
STREAM_PATH: Final = "/v2/billing/meter_event_stream"
_CUSTOMERS: Final = 1_000
_HEAD_END: Final = b"\r\n\r\n"
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_LENGTH: Final = b"content-length: "
_ACCEPTED: Final = b"HTTP/1.1 200 "


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the posts took.

    Attributes:
        seconds: From the first request to the last answer, of those that count.
        load_cpu_seconds: That this process took of them.
        acknowledged: The identifiers of all that were answered with 200, also of those
            that came before the measurement.
    """

    seconds: float
    load_cpu_seconds: float
    acknowledged: list[str]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be posted.

    Attributes:
        secret: What opens the server: a key, or the token of a session.
        events_per_post: 1 is a form of v1; more are a body of the stream.
        warmup: How many posts precede those that count.
        prefix: Of the identifiers.
    """

    url: str
    secret: str
    connections: int
    events_per_post: int
    warmup: int
    posts: int
    prefix: str


class _Post(NamedTuple):
    """A request whole, and what events it is for."""

    identifiers: tuple[str, ...]
    request: bytes


class _Connection(asyncio.Protocol):
    """Posts one event after another, each when the one before was answered."""

    def __init__(self, posts: deque[_Post], acknowledged: list[str]) -> None:
        self._posts = posts
        self._acknowledged = acknowledged
        self._answer = b""
        self._identifiers: tuple[str, ...] = ()
        self._transport: asyncio.Transport | None = None
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._post()

    def data_received(self, data: bytes) -> None:
        """Post the next one when an answer is whole."""
        self._answer += data
        head, end, body = self._answer.partition(_HEAD_END)
        if not end:
            return
        _, _, rest = head.lower().partition(_LENGTH)
        if len(body) < int(rest.partition(b"\r\n")[0]):
            return
        if head.startswith(_ACCEPTED):
            self._acknowledged.extend(self._identifiers)
        self._answer = b""
        self._post()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, also where the other side ends it."""
        del exc
        if not self.done.done():
            self.done.set_result(None)

    def _post(self) -> None:
        assert self._transport is not None, "it is connected"
        if not self._posts:
            self._transport.close()
            return
        self._identifiers, request = self._posts.popleft()
        self._transport.write(request)


async def _post_all(order: Order) -> Told:
    posts = list(_posts(order))
    acknowledged: list[str] = []
    await _post_some(order, posts[: order.warmup], acknowledged)
    started, cpu_started = time.perf_counter(), time.process_time()
    await _post_some(order, posts[order.warmup :], acknowledged)
    return Told(
        seconds=time.perf_counter() - started,
        load_cpu_seconds=time.process_time() - cpu_started,
        acknowledged=acknowledged,
    )


async def _post_some(order: Order, posts: list[_Post], acknowledged: list[str]) -> None:
    queue, address = deque(posts), urlsplit(order.url)
    host, port = str(address.hostname), address.port or 80
    connections = [
        await asyncio.get_running_loop().create_connection(
            lambda: _Connection(queue, acknowledged), host, port
        )
        for _ in range(order.connections)
    ]
    for _, connection in connections:
        await connection.done


def _posts(order: Order) -> Iterator[_Post]:
    """Make the requests as Stripe's client writes them, without its telemetry."""
    made_at = SystemClock().now().isoformat(timespec="milliseconds")
    for number in range(order.warmup + order.posts):
        first = number * order.events_per_post
        numbers = range(first, first + order.events_per_post)
        identifiers = tuple(f"{order.prefix}-{each}" for each in numbers)
        if order.events_per_post == 1:
            path, kind, body = V1_PATH, _FORM, _form(number, identifiers[0])
        else:
            path, kind = STREAM_PATH, _JSON
            body = _stream(numbers, identifiers, made_at.replace("+00:00", "Z"))
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {urlsplit(order.url).netloc}\r\n"
            f"Authorization: Bearer {order.secret}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        yield _Post(identifiers, head.encode() + body)


def _form(number: int, identifier: str) -> bytes:
    form = {
        "event_name": EVENT_NAMES[number % len(EVENT_NAMES)],
        "payload[stripe_customer_id]": customer_id(number % _CUSTOMERS),
        "payload[value]": "1",
        "identifier": identifier,
    }
    return urlencode(form).encode()


def _stream(numbers: range, identifiers: Iterable[str], timestamp: str) -> bytes:
    events = [
        {
            "event_name": EVENT_NAMES[number % len(EVENT_NAMES)],
            "identifier": identifier,
            "timestamp": timestamp,
            "payload": {
                "stripe_customer_id": customer_id(number % _CUSTOMERS),
                "value": str(number % 1_000),
            },
        }
        for number, identifier in zip(numbers, identifiers, strict=True)
    ]
    return msgspec.json.encode({"events": events})


if __name__ == "__main__":
    _order = msgspec.json.decode(sys.argv[1], type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_post_all(_order))))
