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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.conftest import FindSealedStore
from bench.measures import (
    CLOCK,
    Parameter,
    Race,
    Size,
    events_asked_for,
    record,
)
from bench.peers.daily_usage import digest_of, expected_daily_usage, read_daily_usage
from bench.peers.on_dask import Told, out_of
from bench.processes.running import Outcome, output_of, run
from bench.report.targets import (
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
from bench.stores.sealed_stores import SealedStore

EVENTS: Final = Parameter(smoke=200_000, full=10_000_000)
ROUNDS: Final = Parameter(smoke=1, full=5)
ENGINES: Final = {
    DUCKDB_BY_HAND: "bench.peers.on_duckdb",
    POLARS: "bench.peers.on_polars",
    CLICKHOUSE: "bench.peers.on_clickhouse",
    DATAFUSION: "bench.peers.on_datafusion",
}
WORKERS: Final = {TWO_WORKERS: 2, ONE_WORKER: 1}


@dataclass(frozen=True, slots=True)
class Question:
    """A store, where the answers to it are written, and what must be in them."""

    store: SealedStore
    directory: Path
    event_names: dict[str, str]
    expected: pa.Table

    def out(self, name: str) -> Path:
        """Return where a process writes its answer."""
        return self.directory / f"{name}.arrow"

    def check(self, out: Path) -> str:
        """Check an answer, and return its digest."""
        answer = read_daily_usage(out, self.event_names)
        assert answer.equals(self.expected)
        return digest_of(answer)


@pytest.fixture(scope="module")
def question(
    find_sealed_store: FindSealedStore,
    tmp_path_factory: pytest.TempPathFactory,
    size: Size,
) -> Iterator[Question]:
    """What every contestant answers."""
    store = find_sealed_store(events_asked_for(EVENTS, size))
    directory = tmp_path_factory.mktemp("results")
    expected = expected_daily_usage(store.traffic)
    yield Question(store, directory, store.event_names(), expected)
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def race(question: Question, size: Size) -> Race[Outcome]:
    """The contestants, each a whole process."""
    store = question.store
    modules = {PROJECT: "bench.peers.this_project", **ENGINES}
    contestants = {
        name: partial(
            run,
            module,
            store.directory if name == PROJECT else store.segments,
            question.out(name),
        )
        for name, module in modules.items()
    }
    return Race(contestants, ROUNDS.at(size), attrgetter("seconds"))


@pytest.fixture(scope="module")
def told_by_dask(question: Question, size: Size) -> Told:
    """What the project took on Dask."""
    told = output_of(
        "bench.peers.on_dask",
        question.store.directory,
        question.directory,
        ROUNDS.at(size),
    )
    return msgspec.json.decode(told, type=Told)


@pytest.mark.benchmark(group=REAGGREGATE, timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, *ENGINES])
def test_daily_usage(
    benchmark: BenchmarkFixture, question: Question, race: Race[Outcome], name: str
) -> None:
    """Recompute the usage of all customers by day in a fresh process."""
    outcomes = race.report(benchmark, name)

    record(
        benchmark,
        name,
        events=question.store.traffic.events,
        digest=question.check(question.out(name)),
        seconds=outcomes[0].seconds,
        work_seconds=outcomes[0].work_seconds,
        peak_memory_bytes=max(outcome.peak_memory_bytes for outcome in outcomes),
    )


@pytest.mark.benchmark(group=REAGGREGATE_DASK, timer=CLOCK.now)
@pytest.mark.parametrize("name", WORKERS)
def test_daily_usage_on_dask(
    benchmark: BenchmarkFixture, question: Question, told_by_dask: Told, name: str
) -> None:
    """Recompute the same on a cluster that stands."""
    seconds = told_by_dask.seconds[WORKERS[name]]

    CLOCK.replay(benchmark, seconds)

    record(
        benchmark,
        name,
        events=question.store.traffic.events,
        digest=question.check(out_of(question.directory, WORKERS[name])),
        seconds=min(seconds),
    )
