"""How long does it take to make every projection anew from sealed events?

Against a bare DuckDB GROUP BY (event name, customer, hour to sum and count) over the same
Parquet segments, held as Arrow. That is a part of what a rebuild makes: it also makes the
last values and the known identifiers, sorts and writes all of it, and checks the
segments. They take turns; the best round counts.
"""

import time
from collections.abc import Callable
from decimal import Decimal
from operator import itemgetter
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.conftest import FindSealedStore
from bench.measures import (
    CLOCK,
    SAMPLED_CUSTOMERS,
    Answers,
    Parameter,
    Race,
    Size,
    events_asked_for,
    expected_answers,
    record,
)
from bench.report.targets import DUCKDB_GROUP_BY, PROJECT, REBUILD
from bench.stores import project
from bench.stores.sealed_stores import SealedStore
from metering.cli.demo.traffic import EVENT_NAMES, customer_id

EVENTS: Final = Parameter(smoke=200_000, full=10_000_000)
ROUNDS: Final = Parameter(smoke=1, full=5)

_HOURLY: Final = """
SELECT event_name,
    customer,
    epoch_us(timestamp) // 3600000000 AS hour,
    sum(value) AS value,
    count(*) AS event_count
FROM read_parquet($files)
GROUP BY ALL
"""

Round = tuple[float, Answers]


@pytest.fixture(scope="module")
def store(find_sealed_store: FindSealedStore, size: Size) -> SealedStore:
    """The store whose projections are made anew."""
    return find_sealed_store(events_asked_for(EVENTS, size))


@pytest.fixture(scope="module")
def race(store: SealedStore, size: Size) -> Race[Round]:
    """A rebuild, and a part of it by hand."""
    contestants: dict[str, Callable[[], Round]] = {
        PROJECT: lambda: _rebuild(store),
        DUCKDB_GROUP_BY: lambda: _group(store),
    }
    return Race(contestants, ROUNDS.at(size), itemgetter(0))


@pytest.mark.benchmark(group=REBUILD, timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, DUCKDB_GROUP_BY])
def test_rebuild(
    benchmark: BenchmarkFixture, store: SealedStore, race: Race[Round], name: str
) -> None:
    """Make hourly usage, and what else is known, from the segments alone."""
    rounds = race.report(benchmark, name)

    seconds, answers = rounds[0]
    assert all(each == expected_answers(store.traffic) for _, each in rounds)
    record(
        benchmark,
        name,
        events=store.traffic.events,
        digest=answers.digest,
        seconds=seconds,
    )


def _rebuild(store: SealedStore) -> Round:
    with store.connect() as engine:
        started = time.perf_counter()
        engine.rebuild()
        seconds = time.perf_counter() - started
        # One position for each event, and one for each meter.
        events = engine.position - len(EVENT_NAMES)
        return seconds, project.answers(engine, engine.meters.list(), events=events)


def _group(store: SealedStore) -> Round:
    files = {"files": str(store.segments / "*.parquet")}
    with duckdb.connect() as connection:
        started = time.perf_counter()
        hours = connection.sql(_HOURLY, params=files).to_arrow_table()
        seconds = time.perf_counter() - started
    return seconds, _answers(hours)


def _answers(hours: pa.Table) -> Answers:
    totals: dict[tuple[str, str], Decimal] = {}
    for customer in map(customer_id, SAMPLED_CUSTOMERS):
        used = hours.filter(pc.equal(hours.column("customer"), customer))
        for event_name in EVENT_NAMES:
            of_meter = used.filter(pc.equal(used.column("event_name"), event_name))
            if of_meter.num_rows:
                total: Decimal = pc.sum(of_meter.column("value")).as_py()
                totals[event_name, customer] = total
    return Answers(
        events=pc.sum(hours.column("event_count")).as_py(),
        totals=totals,
    )
