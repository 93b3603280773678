"""Own the store that all doors of a module lead into, served on the loopback."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

import metering
from metering.server import create_app
from tests.empty_stores import empty_directory
from tests.server.running import Answered, Askable
from tests.waiting import eventually

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_NUMBERS = count(1)


@dataclass(frozen=True, kw_only=True)
class Loopback(Askable):
    """A server in this process, and a secret key that opens it."""

    url: str
    key: str

    def _answered(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> Answered:
        address = urlsplit(self.url)
        connection = HTTPConnection(str(address.hostname), address.port, timeout=60)
        with closing(connection):
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answered(status=response.status, headers=found, body=response.read())


@dataclass(frozen=True, kw_only=True)
class Place:
    """A store with a clock that stands still, open here and served over HTTP.

    Attributes:
        ahead: the same store for somebody whose clock is ahead of all that was recorded.
        target: the directory of the store, for the command line.
        scratch: a directory for files.
        http: the served store.
        shared: meters that cells share, by their formulas.
    """

    store: metering.Metering
    ahead: metering.Metering
    clock: metering.FixedClock
    target: str
    scratch: Path
    http: Askable
    shared: dict[str, metering.Meter] = field(default_factory=dict)

    def meter(self, formula: str = "sum") -> metering.Meter:
        """Create a meter of its own for a cell."""
        name = f"tokens_{next(_NUMBERS)}"
        return self.store.meters.create(
            display_name="A meter",
            event_name=name,
            default_aggregation={"formula": formula},  # type: ignore[typeddict-item]  # one of three
        )

    def shared_meter(self, formula: str) -> metering.Meter:
        """Return the one meter of a formula for cells that need none of their own."""
        if formula not in self.shared:
            self.shared[formula] = self.meter(formula)
        return self.shared[formula]

    def events(self, event_name: str, after: int = 0) -> list[metering.MeterEvent]:
        """List what was recorded after a position, in the order of the log."""
        listed = self.store.meter_events.list(
            event_name=event_name, starting_after=after
        )
        return list(listed)

    def file(self, name: str, content: bytes) -> Path:
        """Write a file in a directory of its own: its name may say its format."""
        directory = self.scratch / str(next(_NUMBERS))
        directory.mkdir()
        path = directory / name
        path.write_bytes(content)
        return path

    @contextmanager
    def at(self, now: datetime) -> Iterator[None]:
        """Let the clock stand elsewhere for a while."""
        before = self.clock.now()
        self.clock.set(now)
        try:
            yield
        finally:
            self.clock.set(before)


@contextmanager
def served_place(scratch: Path) -> Iterator[Place]:
    """Open an empty store, and serve it from a thread."""
    clock = metering.FixedClock(NOW)
    # The command line records by the machine's clock, and the log goes by the latest.
    later = metering.FixedClock(metering.SystemClock().now() + timedelta(days=1))
    with (
        empty_directory() as target,
        metering.connect(target, clock=clock) as store,
        metering.connect(target, clock=later) as ahead,
    ):
        key = store.api_keys.create(name="doors").secret
        assert key is not None
        with _serving(store) as url:
            yield Place(
                store=store,
                ahead=ahead,
                clock=clock,
                target=target,
                scratch=scratch,
                http=Loopback(url=url, key=key),
            )


@contextmanager
def _serving(store: metering.Metering) -> Iterator[str]:
    config = uvicorn.Config(create_app(store), log_config=None, ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            eventually(lambda: server.started)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
