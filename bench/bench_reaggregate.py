"""How fast is the usage of all customers, from hourly totals and from sealed events?

Recomputed from the events by day, each contestant is a whole process, as a nightly job is: it starts, imports, reads the
same Parquet segments, adds up exact decimals, and writes the result as Arrow in the same
order. The project does so through its public door, the engines by hand with their
defaults, which use all cores. They take turns, and the best round counts: what disturbs
a process only ever makes it slower.

On Dask the project's own ratio is measured, of two workers to one, each a process with
one thread; there the start of the cluster does not count.

In a process that runs, other questions are asked beside DuckDB by hand, whose connection
stands: by month, by a key of the payload, with other formulas, in a zone, as of a position.

Summed up from hourly totals, by day and by month, it is measured in a process that runs,
beside DuckDB by hand over the events, whose connection stands. How it grows is measured on
two stores of few customers: ten times the events of the same customers and hours.

EVENTS is how many there are: EVENTS=100000000 for the large one.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import duckdb
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
from bench.peers import on_duckdb
from bench.peers.daily_usage import (
    by_month,
    comparable,
    digest_of,
    expected_daily_usage,
    read_daily_usage,
)
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
    REAGGREGATED,
    TWO_WORKERS,
    USAGE_BY_DAY,
    USAGE_BY_MONTH,
    USAGE_GROWTH,
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
TURNS: Final = Parameter(smoke=2, full=20)
SMALL_EVENTS: Final = Parameter(smoke=20_000, full=10_000_000)
LARGE_EVENTS: Final = Parameter(smoke=200_000, full=100_000_000)
FEW_CUSTOMERS: Final = 100
WINDOWS: Final = {"day": USAGE_BY_DAY, "month": USAGE_BY_MONTH}
WORKERS: Final = {TWO_WORKERS: 2, ONE_WORKER: 1}


@dataclass(frozen=True, slots=True)
class Question:
    """A store, where the answers to it are written, and what must be in them."""

    store: SealedStore
    directory: Path
    expected: pa.Table

    def out(self, name: str) -> Path:
        """Return where a process writes its answer."""
        return self.directory / f"{name}.arrow"

    def check(self, out: Path) -> str:
        """Check an answer, and return its digest."""
        answer = read_daily_usage(out)
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
    yield Question(store, directory, expected)
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


class Asked:
    """What is asked in a process that runs, and the last answer.

    Those before it are gone, as they are where each is sent or written before the next
    one is asked for: their memory is the next one's.
    """

    def __init__(self, ask: Callable[[], pa.Table]) -> None:
        self._ask = ask
        self._answers: list[pa.Table] = []

    def timed(self) -> float:
        """Ask, and return how many seconds the answer took."""
        self._answers.clear()
        started = time.perf_counter()
        self._answers.append(self._ask())
        return time.perf_counter() - started

    def answer(self) -> pa.Table:
        """Return the last answer, as `comparable` gives it."""
        return comparable(self._answers[-1])


@dataclass(frozen=True, slots=True)
class Turns:
    """What is asked in turns, by contestant, and the seconds of the answers."""

    asked: dict[str, Asked]
    race: Race[float]


def in_turns(rounds: int, asks: Mapping[str, Callable[[], pa.Table]]) -> Turns:
    """Let contestants answer in turns."""
    asked = {name: Asked(ask) for name, ask in asks.items()}
    contestants = {name: each.timed for name, each in asked.items()}
    return Turns(asked, Race(contestants, rounds, float, warmup_rounds=1))


ASKED: Final[dict[str, dict[str, Any]]] = {
    "day": {},
    "month": {"window": "month"},
    "payload key": {"group_by": "model"},
    "max": {"formula": "max"},
    "last": {"formula": "last"},
    "Berlin": {"timezone": "Europe/Berlin"},
    "as of a position": {},
}


@pytest.fixture(scope="module")
def answer_races(question: Question, size: Size) -> Iterator[dict[str, Turns]]:
    """The project and DuckDB in this process, in turns, by what is asked."""
    segments, events = question.store.segments, question.store.traffic.events
    position = events * 3 // 4
    asked = ASKED | {"as of a position": {"as_of": position}}
    with question.store.connect() as engine, duckdb.connect() as connection:
        yield {
            name: in_turns(
                ROUNDS.at(size),
                {
                    PROJECT: partial(engine.reaggregate, **arguments),
                    DUCKDB_BY_HAND: partial(
                        on_duckdb.answer, connection, segments, name, position
                    ),
                },
            )
            for name, arguments in asked.items()
        }


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, DUCKDB_BY_HAND])
@pytest.mark.parametrize("asked", ASKED)
def test_answers_in_a_process_that_runs(
    benchmark: BenchmarkFixture,
    question: Question,
    answer_races: dict[str, Turns],
    asked: str,
    name: str,
) -> None:
    """Recompute the usage of all customers in a process that runs."""
    benchmark.group = REAGGREGATED[asked]
    turns = answer_races[asked]

    best, *_ = turns.race.report(benchmark, name)

    answer = turns.asked[name].answer()
    assert answer.equals(turns.asked[DUCKDB_BY_HAND].answer())
    record(
        benchmark,
        name,
        events=question.store.traffic.events,
        digest=digest_of(answer),
        seconds=best,
    )


@pytest.fixture(scope="module")
def usage_races(question: Question, size: Size) -> Iterator[dict[str, Turns]]:
    """The project and DuckDB in this process, in turns, by window."""
    segments = question.store.segments
    with question.store.connect() as engine, duckdb.connect() as connection:
        by_hand = {
            "day": partial(on_duckdb.by_day, connection, segments),
            "month": partial(on_duckdb.by_month, connection, segments),
        }
        asked = {
            "day": partial(engine.usage, window="day"),
            "month": partial(engine.usage, window="month"),
        }
        yield {
            window: in_turns(
                TURNS.at(size),
                {PROJECT: asked[window], DUCKDB_BY_HAND: by_hand[window]},
            )
            for window in WINDOWS
        }


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, DUCKDB_BY_HAND])
@pytest.mark.parametrize("window", WINDOWS)
def test_usage_of_everyone(
    benchmark: BenchmarkFixture,
    question: Question,
    usage_races: dict[str, Turns],
    window: str,
    name: str,
) -> None:
    """Sum up the usage of all customers by window in a process that runs."""
    benchmark.group = WINDOWS[window]
    daily = question.expected
    expected = daily if window == "day" else by_month(daily)

    turns = usage_races[window]

    best, *_ = turns.race.report(benchmark, name)

    answer = turns.asked[name].answer()
    assert answer.equals(expected)
    record(
        benchmark,
        name,
        events=question.store.traffic.events,
        digest=digest_of(answer),
        seconds=best,
    )


@pytest.mark.benchmark(group=USAGE_GROWTH, timer=CLOCK.now)
def test_usage_costs_what_the_hours_cost(
    benchmark: BenchmarkFixture, find_sealed_store: FindSealedStore, size: Size
) -> None:
    """Sum up by day ten times the events of the same customers and hours."""
    stores = {
        name: find_sealed_store(events.at(size), FEW_CUSTOMERS)
        for name, events in (("small", SMALL_EVENTS), ("large", LARGE_EVENTS))
    }
    with ExitStack() as opened:
        engines = {
            name: opened.enter_context(store.connect())
            for name, store in stores.items()
        }
        turns = in_turns(
            TURNS.at(size),
            {
                name: partial(engine.usage, window="day")
                for name, engine in engines.items()
            },
        )

        best, *_ = turns.race.report(benchmark, "large")

    for name, each in turns.asked.items():
        by_hand = comparable(on_duckdb.daily_usage(stores[name].segments))
        assert each.answer().equals(by_hand)
    record(
        benchmark,
        PROJECT,
        events=stores["large"].traffic.events,
        digest=digest_of(turns.asked["large"].answer()),
        seconds=best,
        growth=best / min(turns.race.results["small"]),
    )
