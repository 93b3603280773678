"""How fast does the usage of a month become amounts of money?

The usage of a hundred thousand customers on three meters, each with a price of its own,
one of them graduated, by `usage` and `rate`, as a billing run asks for it. It is beside
the least that has to be done: DuckDB, which adds up the same events by hand and rates
nothing, on a connection that stands. And it is beside what a backend writes that has no
call for all customers: a loop over some of them, `event_summaries` for each meter, and
the price worked out by hand, in exact fractions. They take turns, and the best counts.

Of the loop rates are compared, and the amounts of its customers.

Then the whole run: statements of all of them finalised durably by `statements.run`, once
in a new copy of the store each round, beside `finalize` for some of them, one by one. And
one preview, of customers drawn with a fixed seed: the median is the p50.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from itertools import cycle
from operator import attrgetter
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.conftest import FindSealedStore
from bench.measures import (
    CLOCK,
    Parameter,
    Race,
    Size,
    digest,
    events_asked_for,
    measure,
    record,
)
from bench.report.targets import (
    ADDED_UP,
    LOOP,
    ONE_BY_ONE,
    PREVIEW,
    PROJECT,
    RATING,
    STATEMENTS,
)
from bench.stores.priced import CARD, Amounts, cost, owed_by_all, prices_of
from bench.stores.sealed_stores import SealedStore
from bench.stores.subscribed import subscribe, subscription_id
from metering.cli.demo.traffic import END, START, customer_id

EVENTS: Final = Parameter(smoke=100_000, full=10_000_000)
CUSTOMERS: Final = Parameter(smoke=500, full=100_000)
LOOPED_CUSTOMERS: Final = Parameter(smoke=50, full=1_000)
ROUNDS: Final = Parameter(smoke=1, full=7)
RUNS: Final = Parameter(smoke=1, full=2)
REPEATS: Final = Parameter(smoke=1, full=3)
PERIOD_END: Final = datetime(2025, 2, 1, tzinfo=UTC)
_SEED: Final = 20250201
_ADDED_UP: Final = """
SELECT event_name,
    customer,
    sum(value) AS value
FROM read_parquet($files)
GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and how long it took."""

    seconds: float
    found: pa.Table | Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """A store with prices, whose customers the loop rates, and what all owe."""

    engine: metering.Metering
    meters: dict[str, str]
    prices: list[str]
    store: SealedStore
    looped: list[str]
    ranks: list[int]
    expected: Amounts

    def rated(self) -> pa.Table:
        """Rate everybody's usage."""
        usage = self.engine.usage(start_time=START, end_time=END, window=None)
        return self.engine.rate(usage=usage, prices=self.prices)

    def added_up(self, connection: duckdb.DuckDBPyConnection) -> pa.Table:
        """Add up everybody's events by hand, and rate nothing."""
        files = {"files": str(self.store.segments / "*.parquet")}
        return connection.sql(_ADDED_UP, params=files).to_arrow_table()

    def looped_over(self) -> Amounts:
        """Rate the usage of some customers in a loop."""
        return {
            (event_name, customer): cost(
                Fraction(
                    self.engine.meters.event_summaries(
                        self.meters[event_name],
                        customer=customer,
                        start_time=START,
                        end_time=END,
                    )[0].aggregated_value
                ),
                event_name,
            )
            for customer in self.looped
            for event_name in CARD
        }

    def of_looped(self, amounts: Amounts) -> str:
        """Check amounts of everybody or of the looped, and digest those of the latter."""
        chosen = {
            (name, customer): amounts.get((name, customer), 0)
            for customer in self.looped
            for name in CARD
        }
        for key, amount in amounts.items():
            assert amount == self.expected.get(key, 0), key
        return digest(sorted((*key, amount) for key, amount in chosen.items()))


@pytest.fixture(scope="module")
def billed(find_sealed_store: FindSealedStore, size: Size) -> Iterator[Billed]:
    """What every contestant is asked about."""
    customers = CUSTOMERS.at(size)
    store = find_sealed_store(events_asked_for(EVENTS, size), customers)
    random = np.random.default_rng(_SEED)
    looped = random.choice(customers, LOOPED_CUSTOMERS.at(size), replace=False)
    with store.connect() as engine:
        meters = {meter.event_name: meter.id for meter in engine.meters.list()}
        yield Billed(
            engine=engine,
            meters=meters,
            prices=prices_of(engine, meters),
            store=store,
            looped=list(map(customer_id, looped.tolist())),
            ranks=looped.tolist(),
            expected=owed_by_all(store, customers),
        )


@pytest.fixture(scope="module")
def race(billed: Billed, size: Size) -> Iterator[Race[Answered]]:
    """The contestants, in this process and in turns."""
    with duckdb.connect() as connection:
        contestants: dict[str, Callable[[], pa.Table | Amounts]] = {
            PROJECT: billed.rated,
            ADDED_UP: partial(billed.added_up, connection),
            LOOP: billed.looped_over,
        }
        yield Race(
            {name: partial(_timed, each) for name, each in contestants.items()},
            ROUNDS.at(size),
            attrgetter("seconds"),
            warmup_rounds=1,
        )


@pytest.mark.benchmark(group=RATING, timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, ADDED_UP, LOOP])
def test_usage_becomes_money(
    benchmark: BenchmarkFixture,
    billed: Billed,
    race: Race[Answered],
    size: Size,
    name: str,
) -> None:
    """Rate the usage of a month."""
    best, *_ = race.report(benchmark, name)

    found = best.found
    if name == ADDED_UP:
        assert isinstance(found, pa.Table)
        found = {
            (row["event_name"], row["customer"]): cost(
                Fraction(row["value"]), row["event_name"]
            )
            for row in found.to_pylist()
        }
    elif isinstance(found, pa.Table):
        keys = (found.column(each).to_pylist() for each in ("event_name", "customer"))
        amounts = found.column("amount").to_pylist()
        found = dict(zip(zip(*keys, strict=True), amounts, strict=True))
    is_looped = name == LOOP
    assert is_looped or len(found) == len(billed.expected)
    record(
        benchmark,
        name,
        events=len(billed.looped) if is_looped else CUSTOMERS.at(size),
        digest=billed.of_looped(found),
        seconds=best.seconds,
        stored_events=billed.store.traffic.events,
    )


@pytest.fixture(scope="module")
def subscribed(billed: Billed, size: Size) -> Iterator[SealedStore]:
    """A copy of the store in which all customers have subscriptions."""
    # Beside the store, so that its files can be linked.
    with tempfile.TemporaryDirectory(dir=billed.store.directory.parent) as directory:
        store = billed.store.copied(Path(directory) / "usage")
        subscribe(store, billed.prices, CUSTOMERS.at(size), START)
        yield store


def test_statements_of_everyone(
    benchmark: BenchmarkFixture, billed: Billed, subscribed: SealedStore, size: Size
) -> None:
    """Finalise the statements of all customers with one call."""
    benchmark.group = STATEMENTS
    receipts: list[metering.StatementsReceipt] = []
    stacks: list[ExitStack] = []
    target = subscribed.directory.with_name("round")

    def opened() -> tuple[metering.Metering]:
        copy = subscribed.copied(target)
        stacks.append(ExitStack())
        stacks[-1].callback(shutil.rmtree, target)
        return (stacks[-1].enter_context(copy.connect()),)

    def run(engine: metering.Metering) -> None:
        receipts.append(engine.statements.run(period_end=PERIOD_END))

    measure(
        benchmark,
        run,
        setup=opened,
        teardown=lambda _: stacks.pop().close(),
        rounds=RUNS.at(size),
    )

    receipt = receipts[-1]
    assert receipt.finalized == CUSTOMERS.at(size)
    table = receipt.statements.select(["customer", "amount_due"])
    due = dict(zip(*(each.to_pylist() for each in table.columns), strict=True))
    assert sum(due.values()) == sum(billed.expected.values())
    record(
        benchmark,
        PROJECT,
        events=receipt.finalized,
        digest=digest(sorted((each, due[each]) for each in billed.looped)),
        stored_events=billed.store.traffic.events,
    )


def test_statements_one_by_one(
    benchmark: BenchmarkFixture, billed: Billed, subscribed: SealedStore
) -> None:
    """Finalise the statements of some customers one by one."""
    benchmark.group = STATEMENTS
    target = subscribed.directory.with_name("one_by_one")
    store = subscribed.copied(target)
    due: dict[str, int] = {}

    with store.connect() as engine:

        def finalize() -> None:
            for rank in billed.ranks:
                statement = engine.statements.finalize(
                    id=f"in_{rank}",
                    subscription=subscription_id(rank),
                    start_time=START,
                    end_time=PERIOD_END,
                )
                due[statement.customer] = statement.amount_due

        measure(benchmark, finalize)
    shutil.rmtree(target)

    record(
        benchmark,
        ONE_BY_ONE,
        events=len(due),
        digest=digest(sorted(due.items())),
    )


def test_preview(benchmark: BenchmarkFixture, billed: Billed, size: Size) -> None:
    """Preview the statement of one customer."""
    benchmark.group = PREVIEW
    customers = billed.looped[:100]
    asked = cycle(customers)

    def preview(customer: str) -> metering.Statement:
        return billed.engine.statements.preview(
            customer=customer,
            prices=billed.prices,
            start_time=START,
            end_time=PERIOD_END,
        )

    measure(
        benchmark,
        preview,
        setup=lambda: (next(asked),),
        rounds=len(customers) * REPEATS.at(size),
        warmup_rounds=len(customers),
    )

    due = {each: preview(each).amount_due for each in customers}
    for customer, amount in due.items():
        owed = (billed.expected.get((name, customer), 0) for name in CARD)
        assert amount == sum(owed)
    record(benchmark, PROJECT, events=1, digest=digest(sorted(due.items())))


def _timed(ask: Callable[[], pa.Table | Amounts]) -> Answered:
    started = time.perf_counter()
    found = ask()
    return Answered(time.perf_counter() - started, found)
