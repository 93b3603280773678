"""How fast is the usage of all customers by day, recomputed from sealed events?

Each contestant is a whole process, as a nightly job is: it starts, imports, reads the
same Parquet segments, adds up exact decimals, and writes the result as Arrow in the same
order. The project does so through its public door, the engines by hand with their
defaults, which use all cores. They take turns, and the best round counts: what disturbs
a process only ever makes it slower.

On Dask the project's own ratio is measured, of two workers to one, each a process with
one thread; there the start of the cluster does not count.

EVENTS is how many there are: EVENTS=100000000 for the large one.
"""

import shutil
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.conftest import FindSealedStore
from bench.daily_usage import digest_of, expected_daily_usage, read_daily_usage
from bench.measures import (
    Contestant,
    Parameter,
    RecordedClock,
    Role,
    Size,
    events_asked_for,
    record,
    take_turns,
)
from bench.peers.on_dask import Told, out_of
from bench.processes import Outcome, output_of, run
from bench.sealed_stores import SealedStore
from bench.targets import (
    CLICKHOUSE,
    DATAFUSION,
    DUCKDB_BY_HAND,
    ONE_WORKER,
    POLARS,
    PROJECT,
    REAGGREGATE,
    REAGGREGATE_DASK,
    TWO_WORKERS,
)

EVENTS: Final = Parameter(smoke=200_000, full=10_000_000)
ROUNDS: Final = Parameter(smoke=1, full=5)
ENGINES: Final = {
    DUCKDB_BY_HAND: "bench.peers.on_duckdb",
    POLARS: "bench.peers.on_polars",
    CLICKHOUSE: "bench.peers.on_clickhouse",
    DATAFUSION: "bench.peers.on_datafusion",
}
WORKERS: Final = {TWO_WORKERS: 2, ONE_WORKER: 1}
CLOCK: Final = RecordedClock()


class Race:
    """All contestants, run when the first of them is asked for."""

    def __init__(self, store: SealedStore, directory: Path, rounds: int) -> None:
        self.store = store
        self._directory = directory
        self._rounds = rounds

    @cached_property
    def expected(self) -> pa.Table:
        """What everybody must answer."""
        return expected_daily_usage(self.store.traffic)

    @cached_property
    def processes(self) -> Mapping[str, list[Outcome]]:
        """What the contestants took as whole processes, by round."""
        project = partial(
            run, "bench.peers.this_project", self.store.directory, self._out(PROJECT)
        )
        engines = {
            name: partial(run, module, self.store.segments, self._out(name))
            for name, module in ENGINES.items()
        }
        return take_turns({PROJECT: project, **engines}, self._rounds)

    @cached_property
    def workers(self) -> Mapping[int, list[float]]:
        """What the project took on Dask, by number of workers and round."""
        told = output_of(
            "bench.peers.on_dask", self.store.directory, self._directory, self._rounds
        )
        return msgspec.json.decode(told, type=Told).seconds

    def answer_of(self, contestant: str | int) -> pa.Table:
        """What a process, or so many workers, wrote in the last round."""
        if isinstance(contestant, int):
            out = out_of(self._directory, contestant)
        else:
            out = self._out(contestant)
        return read_daily_usage(out, self._event_names)

    @cached_property
    def _event_names(self) -> dict[str, str]:
        return self.store.event_names()

    def _out(self, name: str) -> Path:
        return self._directory / f"{name}.arrow"


@pytest.fixture(scope="module")
def race(
    find_sealed_store: FindSealedStore,
    tmp_path_factory: pytest.TempPathFactory,
    size: Size,
) -> Iterator[Race]:
    """The contestants, before one store."""
    directory = tmp_path_factory.mktemp("results")
    yield Race(
        find_sealed_store(events_asked_for(EVENTS, size)), directory, ROUNDS.at(size)
    )
    shutil.rmtree(directory)


@pytest.mark.benchmark(group=REAGGREGATE, timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, *ENGINES])
def test_daily_usage(benchmark: BenchmarkFixture, race: Race, name: str) -> None:
    """Recompute the usage of all customers by day in a fresh process."""
    outcomes = race.processes[name]
    best = min(outcomes, key=lambda outcome: outcome.seconds)

    CLOCK.replay(benchmark, [outcome.seconds for outcome in outcomes])

    answer = race.answer_of(name)
    assert answer.equals(race.expected)
    record(
        benchmark,
        Contestant(name=name, role=Role.PROJECT if name == PROJECT else Role.PEER),
        events=race.store.traffic.events,
        digest=digest_of(answer),
        seconds=best.seconds,
        work_seconds=best.work_seconds,
        peak_memory_bytes=max(outcome.peak_memory_bytes for outcome in outcomes),
    )


@pytest.mark.benchmark(group=REAGGREGATE_DASK, timer=CLOCK.now)
@pytest.mark.parametrize("name", WORKERS)
def test_daily_usage_on_dask(
    benchmark: BenchmarkFixture, race: Race, name: str
) -> None:
    """Recompute the same on a cluster that stands."""
    workers = WORKERS[name]
    seconds = race.workers[workers]

    CLOCK.replay(benchmark, seconds)

    answer = race.answer_of(workers)
    assert answer.equals(race.expected)
    record(
        benchmark,
        Contestant(name=name, role=Role.PROJECT if name == TWO_WORKERS else Role.PEER),
        events=race.store.traffic.events,
        digest=digest_of(answer),
        seconds=min(seconds),
    )
