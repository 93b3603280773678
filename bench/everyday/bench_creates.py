"""What does one event at a time cost, from a thread, many threads, tasks or a recorder?

One create stands beside a bare one-row durable insert into a table of the same database,
which neither validates nor looks for duplicates. All contestants take turns.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from itertools import chain, count
from typing import Any

import psycopg
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
import metering.aio
from bench.everyday.contests import DATABASES, SQLITE, Contest, empty_place, in_turns
from bench.everyday.events import create, event, open_store
from bench.measures import CLOCK, Parameter, Size
from bench.report.everyday import (
    DICTS,
    RECORDER,
    RECORDER_THREADS,
    SPOOL,
    TASKS,
    THREADS,
    create_group,
    threads_group,
)
from bench.report.targets import BARE_INSERT, ONE_THREAD, PROJECT
from metering.cli.demo.traffic import END

CREATES = Parameter(smoke=20, full=2_000)
MANY = 64
SHARE = Parameter(smoke=2, full=40)
ROUNDS = Parameter(smoke=1, full=7)
RECORDED = Parameter(smoke=500, full=100_000)
PORTIONS = 100
Portion = list[dict[str, Any]]
_INSERT = "INSERT INTO event VALUES ({0}, {0}, {0}, {0})"
_TABLE = (
    "CREATE TABLE event (name text, identifier text, timestamp bigint, payload text)"
)


@contextmanager
def bare_table(database: str, place: str) -> Iterator[Callable[[int], None]]:
    """Yield what inserts one row into a table without an index, durably."""
    if database == SQLITE:
        connection: Any = sqlite3.connect(f"{place}.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        statement = _INSERT.format("?")
    else:
        connection = psycopg.connect(place, autocommit=True)
        statement = _INSERT.format("%s")

    def insert(number: int) -> None:
        row = event(number)
        payload = json.dumps(row["payload"])
        given = (row["event_name"], row["identifier"], number, payload)
        connection.execute(statement, given)

    with closing(connection):
        connection.execute(_TABLE)
        yield insert


@pytest.fixture(scope="module", params=DATABASES)
def one_create(
    request: pytest.FixtureRequest, durable_server: str, size: Size
) -> tuple[str, Contest]:
    """Single creates and bare inserts."""
    database, numbers = request.param, count()
    with (
        empty_place(database, durable_server) as place,
        open_store(place) as store,
        bare_table(database, place) as insert,
    ):
        seconds = in_turns(
            {
                PROJECT: lambda: create(store, next(numbers)),
                BARE_INSERT: lambda: insert(next(numbers)),
            },
            CREATES.at(size),
            warmup_rounds=CREATES.at(size) // 10,
        )
    return database, Contest(events=1, seconds=seconds)


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, BARE_INSERT])
def test_one_create(
    benchmark: BenchmarkFixture, one_create: tuple[str, Contest], name: str
) -> None:
    """One event at a time, durable before the next."""
    database, contest = one_create
    contest.report(benchmark, create_group(database), name)


@pytest.fixture(scope="module", params=DATABASES)
def threads(
    request: pytest.FixtureRequest, durable_server: str, size: Size
) -> tuple[str, Contest]:
    """64 threads and one, which create as many events on stores of their own."""
    database, share, numbers = request.param, SHARE.at(size), count()
    with ExitStack() as opened:
        shared, alone = (
            opened.enter_context(
                open_store(opened.enter_context(empty_place(database, durable_server)))
            )
            for _ in range(2)
        )
        pool = opened.enter_context(ThreadPoolExecutor(MANY))

        def create_share(store: metering.Metering, events: int) -> None:
            for _ in range(events):
                create(store, next(numbers))

        def together() -> None:
            list(pool.map(create_share, [shared] * MANY, [share] * MANY))

        seconds = in_turns(
            {PROJECT: together, ONE_THREAD: lambda: create_share(alone, share * MANY)},
            ROUNDS.at(size),
        )
    return database, Contest(events=share * MANY, seconds=seconds)


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, ONE_THREAD])
def test_threads(
    benchmark: BenchmarkFixture, threads: tuple[str, Contest], name: str
) -> None:
    """As many events from 64 threads as from one, each durable before its return."""
    database, contest = threads
    contest.report(benchmark, threads_group(database), name)


@pytest.fixture(scope="module")
def tasks(durable_server: str, size: Size) -> Contest:
    """64 tasks of one loop, and 64 threads, on stores of their own."""
    share, numbers = SHARE.at(size), count()
    with (
        empty_place(SQLITE, durable_server) as place,
        empty_place(SQLITE, durable_server) as other_place,
        open_store(other_place) as other,
        ThreadPoolExecutor(MANY) as pool,
        asyncio.Runner() as runner,
    ):
        with open_store(place):
            pass

        async def opened() -> metering.aio.AsyncMetering:
            return await metering.aio.connect(place, clock=metering.FixedClock(END))

        store = runner.run(opened())

        async def create_share() -> None:
            for _ in range(share):
                await store.meter_events.create(**event(next(numbers)))

        async def together() -> None:
            await asyncio.gather(*(create_share() for _ in range(MANY)))

        def by_threads() -> None:
            def run(_: int) -> None:
                for _ in range(share):
                    create(other, next(numbers))

            list(pool.map(run, range(MANY)))

        seconds = in_turns(
            {PROJECT: lambda: runner.run(together()), THREADS: by_threads},
            ROUNDS.at(size),
        )
        runner.run(store.close())
    return Contest(events=share * MANY, seconds=seconds)


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, THREADS])
def test_tasks(benchmark: BenchmarkFixture, tasks: Contest, name: str) -> None:
    """Concurrent creates of one loop, each durable before it is awaited."""
    tasks.report(benchmark, TASKS, name)


def record_all(
    store: metering.Metering, portions: Sequence[Portion], spool: str | None = None
) -> None:
    """Record events from one thread, and make them durable."""
    with store.recorder(max_events=100_000, spool=spool) as recording:
        for portion in portions:
            for each in portion:
                recording.record(**each)


def record_together(
    store: metering.Metering, portions: Sequence[Portion], pool: ThreadPoolExecutor
) -> None:
    """Record events from as many threads as there are portions."""
    with store.recorder(max_events=100_000) as recording:

        def run(portion: Portion) -> None:
            for each in portion:
                recording.record(**each)

        list(pool.map(run, portions))


@pytest.fixture(scope="module")
def recorder(durable_server: str, size: Size) -> Contest:
    """Recorders up to the flush, and an ingest of the same dicts."""
    events, numbers = RECORDED.at(size), count()
    with ExitStack() as opened:
        places = [
            opened.enter_context(empty_place(SQLITE, durable_server)) for _ in range(4)
        ]
        stores = [opened.enter_context(open_store(place)) for place in places]
        plain, by_threads, spooled, bulk = stores
        pool = opened.enter_context(ThreadPoolExecutor(PORTIONS))

        def fresh() -> list[Portion]:
            return [
                [event(next(numbers)) for _ in range(events // PORTIONS)]
                for _ in range(PORTIONS)
            ]

        seconds = in_turns(
            {
                PROJECT: lambda: record_all(plain, fresh()),
                RECORDER_THREADS: lambda: record_together(by_threads, fresh(), pool),
                SPOOL: lambda: record_all(spooled, fresh(), f"{places[2]}-spool"),
                DICTS: lambda: bulk.meter_events.ingest(chain.from_iterable(fresh())),
            },
            ROUNDS.at(size),
        )
        (recorded,) = {each.status().event_count for each in stores}
    return Contest(events=events, seconds=seconds, answer=recorded)


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, RECORDER_THREADS, SPOOL, DICTS])
def test_recorder(benchmark: BenchmarkFixture, recorder: Contest, name: str) -> None:
    """Events that are recorded at once and are durable at the end, and dicts in bulk."""
    recorder.report(benchmark, RECORDER, name)
