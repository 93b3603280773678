"""How many single meter events a second does the server take over HTTP?

Each is a request of its own, in the form of Stripe's v1 API, from 32 connections that
wait for their answer; the project answers when the event is on the disk. The peer is a
bare Starlette route on the same uvicorn that only parses the same form, and records
nothing. Server and load are processes of their own. The contestants take turns, and the
best round counts: what disturbs a process only ever makes it slower.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench import project
from bench.http_posts import Order, Told
from bench.measures import (
    Contestant,
    Parameter,
    RecordedClock,
    Role,
    Size,
    digest,
    record,
    take_turns,
)
from bench.processes import output_of
from bench.targets import BARE_STARLETTE, HTTP_POSTS, PROJECT

CONNECTIONS: Final = 32
EVENTS: Final = Parameter(smoke=200, full=20_000)
WARMUP: Final = Parameter(smoke=50, full=2_000)
ROUNDS: Final = Parameter(smoke=1, full=5)
CLOCK: Final = RecordedClock()

_PROJECT: Final = ("metering.cli", "serve", "--json", "--port=0", "--rate-limit=0")


class Race:
    """Both servers under the same load, run when the first of them is asked for."""

    def __init__(self, directory: Path, size: Size) -> None:
        self._directory = directory
        self._size = size
        self._made = 0

    @cached_property
    def rounds(self) -> Mapping[str, list[Told]]:
        """What the load was told, by contestant and round."""
        contestants = {PROJECT: self._of_project, BARE_STARLETTE: self._of_bare}
        return take_turns(contestants, ROUNDS.at(self._size))

    def _of_project(self) -> Told:
        """Post to a server of an empty store; it has what it acknowledged."""
        self._made += 1
        target = self._directory / f"usage-{self._made}"
        with metering.connect(target) as engine:
            project.create_meters(engine)
            key = engine.api_keys.create(name="bench").secret
        assert key is not None, "a new key is shown"
        with serving(*_PROJECT, "--store", str(target)) as line:
            told = self._posted(msgspec.json.decode(line)["url"], key)
        with metering.connect(target) as engine:
            stored = {each.identifier for each in engine.meter_events.list()}
        assert stored >= set(told.acknowledged)
        return told

    def _of_bare(self) -> Told:
        with serving("bench.peers.bare_starlette") as line:
            return self._posted(line.strip(), "sk_test_of_nothing")

    def _posted(self, url: str, key: str) -> Told:
        order = Order(
            url=url,
            key=key,
            connections=CONNECTIONS,
            warmup=WARMUP.at(self._size),
            events=EVENTS.at(self._size),
            prefix="posted",
        )
        sent = msgspec.json.encode(order).decode()
        return msgspec.json.decode(output_of("bench.http_posts", sent), type=Told)


@contextmanager
def serving(module: str, *arguments: str) -> Iterator[str]:
    """A server in a process of its own; gives the line that it prints once it serves."""
    with subprocess.Popen(  # noqa: S603  # our own commands
        [sys.executable, "-m", module, *arguments],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline()
            process.terminate()
            process.wait(timeout=60)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory, size: Size) -> Race:
    """The contestants."""
    return Race(tmp_path_factory.mktemp("http"), size)


@pytest.mark.benchmark(group=HTTP_POSTS, timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, BARE_STARLETTE])
def test_single_posts(
    benchmark: BenchmarkFixture, race: Race, size: Size, name: str
) -> None:
    """Post events one by one, and see all of them acknowledged."""
    rounds = race.rounds[name]
    best = min(rounds, key=lambda told: told.seconds)

    CLOCK.replay(benchmark, [told.seconds for told in rounds])

    events = EVENTS.at(size)
    identifiers = {f"posted-{number}" for number in range(events + WARMUP.at(size))}
    assert all(set(told.acknowledged) == identifiers for told in rounds)
    record(
        benchmark,
        Contestant(name=name, role=Role.PROJECT if name == PROJECT else Role.PEER),
        events=events,
        digest=digest(sorted(best.acknowledged)),
        seconds=best.seconds,
        load_cores=best.load_cpu_seconds / best.seconds,
    )
