"""How fast is the summary of one customer over thirty days?

At one and at five million events on SQLite, for heavy and for middling customers, as
one total and by hour. Against a row table in SQLite whose index covers the question
(meter, customer, timestamp and value; thousandths as integers, so that the sum is
exact) and against DuckDB over Parquet sorted by meter, customer and timestamp.

The peers are built from distinct events, so they never look for duplicates, and making
decimals of their integers is not timed. The questions are drawn with a fixed seed;
every contestant answers the same ones in the same order, and the median is the p50.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.measures import Parameter, Size, digest, measure, record
from bench.report.targets import DUCKDB, INDEXED_ROW_TABLE, PROJECT, summary_group
from bench.stores.summarisers import (
    RANKS,
    Answer,
    DuckdbParquet,
    IndexedRowTable,
    Project,
    Question,
    Summariser,
    drawn_customers,
)
from bench.stores.usage import hourly_totals, total, usage_of
from metering.cli.demo.traffic import START, Traffic, Usage

EVENTS: Final = {
    "small store": Parameter(smoke=10_000, full=1_000_000),
    "large store": Parameter(smoke=20_000, full=5_000_000),
}
BATCH_EVENTS: Final = Parameter(smoke=5_000, full=50_000)
QUESTIONS: Final = Parameter(smoke=2, full=10)
REPEATS: Final = Parameter(smoke=2, full=20)
SEED: Final = 20250102


class Stores:
    """The same traffic in a store of this project and of each peer."""

    def __init__(self, name: str, traffic: Traffic, directory: Path) -> None:
        self.name = name
        self.events = traffic.distinct
        self.usage = usage_of(traffic)
        self.summarisers: dict[str, Summariser] = {
            PROJECT: Project(directory / "usage", traffic),
            INDEXED_ROW_TABLE: IndexedRowTable(directory / "rows.db", self.usage),
            DUCKDB: DuckdbParquet(directory / "events.parquet", traffic),
        }

    def close(self) -> None:
        """Close all of them."""
        for summariser in self.summarisers.values():
            summariser.close()


@pytest.fixture(scope="module", params=EVENTS)
def stores(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    size: Size,
) -> Iterator[Stores]:
    """The stores, small ones first; built once for all questions."""
    traffic = Traffic(EVENTS[request.param].at(size), BATCH_EVENTS.at(size))
    directory = tmp_path_factory.mktemp("stores")
    with closing(Stores(request.param, traffic, directory)) as stores:
        yield stores
    shutil.rmtree(directory)


@pytest.mark.parametrize("window", ["total", "hour"])
@pytest.mark.parametrize("customers", RANKS)
@pytest.mark.parametrize("name", [PROJECT, INDEXED_ROW_TABLE, DUCKDB])
def test_summary(
    benchmark: BenchmarkFixture,
    stores: Stores,
    size: Size,
    name: str,
    customers: str,
    window: str,
) -> None:
    """Ask for thirty days of one customer on one meter, hour-aligned."""
    benchmark.group = summary_group(customers, window, stores.name)
    questions = [
        Question(event_name=event_name, customer=rank, hourly=window == "hour")
        for event_name, rank in drawn_customers(SEED, customers, QUESTIONS.at(size))
    ]
    summariser = stores.summarisers[name]
    asked = cycle(questions)

    measure(
        benchmark,
        summariser.summarise,
        setup=lambda: (next(asked),),
        rounds=len(questions) * REPEATS.at(size),
        warmup_rounds=len(questions),
    )

    answers = [summariser.answer(question) for question in questions]
    assert answers == [_expected(stores.usage, question) for question in questions]
    record(
        benchmark,
        name,
        events=1,
        digest=digest(answers),
        stored_events=stores.events,
    )


def _expected(usage: Usage, question: Question) -> Answer:
    if question.hourly:
        totals = hourly_totals(usage, question.event_name, question.customer)
        return list(totals.items())
    return [(START, total(usage, question.event_name, question.customer))]
