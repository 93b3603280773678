"""What does it cost a backend to meter every request?

A backend on FastAPI, under uvicorn with two workers, parses a form that comes from 32
connections. The contestant meters each request by the middleware of this project, which
records it after the response; the peer is the same backend without. Server and load are
processes of their own, which share the cores. The contestants take turns, and the best
round counts: what disturbs a process only ever makes it slower.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.measures import CLOCK, Parameter, Race, Size, digest, record
from bench.processes.fastapi_backend import EVENT_NAME, METERED
from bench.processes.http_posts import Order, Told
from bench.processes.running import output_of
from bench.report.targets import EVERYDAY_WEB, NOT_METERED, PROJECT

ROUNDS: Final = Parameter(smoke=1, full=5)
POSTS: Final = Parameter(smoke=200, full=12_000)
WARMUP: Final = Parameter(smoke=50, full=2_000)
_CONNECTIONS: Final = 32


@contextmanager
def _serving(**environment: str) -> Iterator[str]:
    """A backend in processes of its own; gives its URL."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.processes.fastapi_backend"],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
            process.terminate()
            process.wait(timeout=60)
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Backends:
    """The same load on either backend; the metered one has a store each time."""

    directory: Path
    size: Size

    def metered(self) -> Told:
        """Post to a backend that meters; each request is in its store, once."""
        with tempfile.TemporaryDirectory(dir=self.directory) as target:
            with metering.connect(target) as m:
                m.meters.create(
                    display_name="Requests",
                    event_name=EVENT_NAME,
                    default_aggregation={"formula": "sum"},
                )
            with _serving(**{METERED: "1", "METERING_STORE": target}) as url:
                told = self._posted(url)
            with metering.connect(target) as m:
                counted = m.sql("SELECT count(*) AS requests FROM events")
        assert counted["requests"].to_pylist() == [len(told.acknowledged)]
        return told

    def not_metered(self) -> Told:
        """Post to the backend that does nothing else."""
        with _serving() as url:
            return self._posted(url)

    def _posted(self, url: str) -> Told:
        order = Order(
            url=url,
            secret="cus_1",  # noqa: S106  # it names the customer
            connections=_CONNECTIONS,
            events_per_post=1,
            warmup=WARMUP.at(self.size),
            posts=POSTS.at(self.size),
            prefix="posted",
        )
        sent = msgspec.json.encode(order).decode()
        return msgspec.json.decode(
            output_of("bench.processes.http_posts", sent), type=Told
        )


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory, size: Size) -> Race[Told]:
    """Both backends."""
    backends = Backends(tmp_path_factory.mktemp("web"), size)
    return Race(
        {PROJECT: backends.metered, NOT_METERED: backends.not_metered},
        ROUNDS.at(size),
        attrgetter("seconds"),
    )


@pytest.mark.benchmark(group=EVERYDAY_WEB, timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, NOT_METERED])
def test_requests(
    benchmark: BenchmarkFixture, race: Race[Told], size: Size, name: str
) -> None:
    """Answer requests, and see each of them metered."""
    rounds = race.report(benchmark, name)

    posts, best = POSTS.at(size), rounds[0]
    identifiers = {f"posted-{each}" for each in range(posts + WARMUP.at(size))}
    assert all(set(told.acknowledged) == identifiers for told in rounds)
    record(
        benchmark,
        name,
        events=posts,
        digest=digest(sorted(best.acknowledged)),
        seconds=best.seconds,
        load_cores=best.load_cpu_seconds / best.seconds,
    )
