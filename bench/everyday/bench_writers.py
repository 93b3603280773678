"""How long does a create wait where several processes write to one SQLite store?

A fair turn is the number of writers times the median of one that is alone. Beside a bare
table in SQLite, whose writers wait for each other as SQLite has them do.
"""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import msgspec
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.everyday.contests import SQLITE, Contest, empty_place
from bench.everyday.events import create, open_store
from bench.measures import CLOCK, Parameter, Size
from bench.processes.running import output_of
from bench.report.everyday import BARE_TABLE, DURING_INGEST, writers_group
from bench.report.targets import PROJECT

SECONDS = Parameter(smoke=1, full=60)
STARTING_SECONDS = Parameter(smoke=1, full=10)
ALONE_SECONDS = Parameter(smoke=1, full=10)
INGESTED = Parameter(smoke=1_000, full=1_000_000)
PACES = {"back to back": 0.0, "with pauses of 25 ms": 0.025}


def run_writers(
    target: str, kind: str, numbers: range, start: float, seconds: float, pause: float
) -> list[np.ndarray]:
    """Run processes of some numbers that begin at once; return what each write took."""
    run = partial(output_of, "bench.processes.writing", target, kind)
    with ThreadPoolExecutor(len(numbers)) as pool:
        outputs = pool.map(lambda number: run(number, start, seconds, pause), numbers)
        return [np.array(msgspec.json.decode(output)) for output in outputs]


def tail_of(taken: np.ndarray) -> dict[str, float]:
    """Return how long the slowest writes took."""
    return {
        "p99_seconds": float(np.quantile(taken, 0.99)),
        "worst_seconds": float(taken.max()),
    }


@pytest.fixture(
    scope="module",
    params=[(writers, pace) for writers in (2, 4) for pace in PACES],
    ids=str,
)
def writers(request: pytest.FixtureRequest, size: Size) -> tuple[str, Contest]:
    """Writers to a store, and as many to a bare table."""
    count, pace = request.param
    if size is Size.SMOKE and (count > 2 or PACES[pace]):
        pytest.skip("two writers show that it works")
    pause = PACES[pace]

    def run(target: str, kind: str, numbers: range, length: Parameter) -> list[Any]:
        start = time.time() + STARTING_SECONDS.at(size)  # noqa: TID251  # all begin then
        return run_writers(target, kind, numbers, start, length.at(size), pause)

    seconds, figures = {}, {}
    with empty_place(SQLITE, "") as place, empty_place(SQLITE, "") as other:
        with open_store(place):
            pass
        with closing(sqlite3.connect(f"{other}.db")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE event (number bigint, payload text)")
        for name, target, kind in (
            (PROJECT, place, "store"),
            (BARE_TABLE, f"{other}.db", "table"),
        ):
            lone = range(count, count + 1)
            (alone,) = run(target, kind, lone, ALONE_SECONDS)
            turn = count * float(np.median(alone))
            taken = run(target, kind, range(count), SECONDS)
            tail = tail_of(np.concatenate(taken))
            figures[name] = tail | {
                "p99_turns": tail["p99_seconds"] / turn,
                "worst_turns": tail["worst_seconds"] / turn,
            }
            # What they did together, by the write.
            seconds[name] = [SECONDS.at(size) / sum(map(len, taken))]
    group = writers_group(count, pace)
    return group, Contest(events=1, seconds=seconds, figures=figures)


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, BARE_TABLE])
def test_writers(
    benchmark: BenchmarkFixture, writers: tuple[str, Contest], name: str
) -> None:
    """Processes that create back to back, or with pauses."""
    group, contest = writers
    contest.report(benchmark, group, name)


@pytest.fixture(scope="module")
def during_ingest(size: Size) -> Contest:
    """Creates while another process ingests."""
    with empty_place(SQLITE, "") as place:
        with open_store(place):
            pass
        with ThreadPoolExecutor(1) as pool:
            ingesting = pool.submit(
                output_of, "bench.processes.writing", place, "ingest", 0, 0,
                INGESTED.at(size), 0,
            )  # fmt: skip
            taken: list[float] = []
            with open_store(place) as store:
                number = 0
                while not ingesting.done() or number < 5:
                    began = time.perf_counter()
                    create(store, number)
                    taken.append(time.perf_counter() - began)
                    number += 1
            ingesting.result()
    return Contest(
        events=1,
        seconds={PROJECT: [float(np.median(taken))]},
        figures={PROJECT: tail_of(np.array(taken))},
    )


@pytest.mark.benchmark(timer=CLOCK.now)
def test_creates_during_ingest(
    benchmark: BenchmarkFixture, during_ingest: Contest
) -> None:
    """Single creates back to back, while a million events are ingested elsewhere."""
    during_ingest.report(benchmark, DURING_INGEST, PROJECT)
