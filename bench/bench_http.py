"""How many requests a second does the server take over HTTP?

Single meter events, in the form of Stripe's v1 API, come from 32 connections, and bodies
of the stream with 100 events each from 8, which wait for their answer; the project
answers when the events are on the disk. The peer is a bare Starlette route on the same
uvicorn that only parses the same form or JSON, and records nothing. Server and load are
processes of their own. The contestants take turns, and the best round counts: what
disturbs a process only ever makes it slower.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.measures import (
    CLOCK,
    Parameter,
    Race,
    Size,
    digest,
    record,
)
from bench.processes.http_posts import Order, Told
from bench.processes.running import output_of
from bench.report.targets import BARE_STARLETTE, HTTP_POSTS, HTTP_STREAM, PROJECT
from bench.stores import project

ROUNDS: Final = Parameter(smoke=1, full=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is posted; `warmup` posts precede those that count."""

    group: str
    connections: int
    events_per_post: int
    posts: Parameter
    warmup: Parameter


SINGLE: Final = Load(
    group=HTTP_POSTS,
    connections=32,
    events_per_post=1,
    posts=Parameter(smoke=200, full=20_000),
    warmup=Parameter(smoke=50, full=2_000),
)
STREAM: Final = Load(
    group=HTTP_STREAM,
    connections=8,
    events_per_post=100,
    posts=Parameter(smoke=40, full=3_000),
    warmup=Parameter(smoke=16, full=400),
)

_PROJECT: Final = ("metering", "serve", "--json", "--port=0", "--rate-limit=0")


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


def _secret(engine: metering.Metering, load: Load) -> str:
    key = engine.api_keys.create(name="bench")
    secret = key.secret
    if load is STREAM:
        secret = engine.meter_event_sessions.create(key_id=key.id).authentication_token
    assert secret is not None, "a new secret is shown"
    return secret


@dataclass(frozen=True, slots=True)
class Posting:
    """A load on servers of either kind; the project's have a store each."""

    load: Load
    directory: Path
    size: Size

    def to_project(self) -> Told:
        """Post to a server of an empty store; it has what it acknowledged."""
        with tempfile.TemporaryDirectory(dir=self.directory) as target:
            with metering.connect(target) as engine:
                project.create_meters(engine)
                secret = _secret(engine, self.load)
            with serving(*_PROJECT, "--store", target) as line:
                told = self._posted(msgspec.json.decode(line)["url"], secret)
            with metering.connect(target) as engine:
                stored = engine.sql("SELECT identifier FROM events").column(0)
        assert set(stored.to_pylist()) >= set(told.acknowledged)
        return told

    def to_bare(self) -> Told:
        """Post to routes that record nothing."""
        with serving("bench.processes.bare_starlette") as line:
            return self._posted(line.strip(), "sk_test_of_nothing")

    def _posted(self, url: str, secret: str) -> Told:
        order = Order(
            url=url,
            secret=secret,
            connections=self.load.connections,
            events_per_post=self.load.events_per_post,
            warmup=self.load.warmup.at(self.size),
            posts=self.load.posts.at(self.size),
            prefix="posted",
        )
        sent = msgspec.json.encode(order).decode()
        return msgspec.json.decode(
            output_of("bench.processes.http_posts", sent), type=Told
        )


@pytest.fixture(scope="module")
def races(
    tmp_path_factory: pytest.TempPathFactory, size: Size
) -> Mapping[str, Race[Told]]:
    """The contestants under each load."""
    directory = tmp_path_factory.mktemp("http")
    postings = [Posting(load, directory, size) for load in (SINGLE, STREAM)]
    return {
        posting.load.group: Race(
            {PROJECT: posting.to_project, BARE_STARLETTE: posting.to_bare},
            ROUNDS.at(size),
            attrgetter("seconds"),
        )
        for posting in postings
    }


@pytest.mark.parametrize("name", [PROJECT, BARE_STARLETTE])
@pytest.mark.parametrize(
    "load",
    [
        pytest.param(
            each, marks=pytest.mark.benchmark(group=each.group, timer=CLOCK.now)
        )
        for each in (SINGLE, STREAM)
    ],
    ids=["single_posts", "stream"],
)
def test_posts(
    benchmark: BenchmarkFixture,
    races: Mapping[str, Race[Told]],
    size: Size,
    load: Load,
    name: str,
) -> None:
    """Post events one by one, or by the hundred, and see all of them acknowledged."""
    rounds = races[load.group].report(benchmark, name)

    posts, best = load.posts.at(size), rounds[0]
    count = (posts + load.warmup.at(size)) * load.events_per_post
    identifiers = {f"posted-{number}" for number in range(count)}
    assert all(set(told.acknowledged) == identifiers for told in rounds)
    record(
        benchmark,
        name,
        events=posts * load.events_per_post,
        digest=digest(sorted(best.acknowledged)),
        seconds=best.seconds,
        load_cores=best.load_cpu_seconds / best.seconds,
    )
