"""What does a single, durable create cost, and what do threads gain by sharing commits?

One create against a bare one-row insert of the same event into a table without any
index: it neither validates nor looks for duplicates. The two take turns: the untimed
setup of each round runs the other one, so that both see the same disk.

64 threads that create together against one thread that creates as many events, on two
stores of this project, also in turns.
"""

import json
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.conftest import MakeDirectory
from bench.measures import (
    Answers,
    Parameter,
    Size,
    expected_answers,
    measure_in_turns,
    record,
)
from bench.report.targets import (
    BARE_INSERT,
    CREATE,
    CREATE_THREADS,
    ONE_THREAD,
    PROJECT,
)
from bench.stores import project
from bench.stores.row_tables import SQLITE_TABLE, sqlite_answers
from metering.cli.demo.traffic import END, Traffic

ROUNDS: Final = Parameter(smoke=20, full=2_000)
WARMUP_ROUNDS: Final = Parameter(smoke=2, full=100)
THREADS: Final = 64
CREATES_PER_THREAD: Final = Parameter(smoke=2, full=20)
THREAD_ROUNDS: Final = Parameter(smoke=1, full=7)
THREAD_WARMUP_ROUNDS: Final = 1
_PAYLOAD_KEYS: Final = ("stripe_customer_id", "value", "model")

Event = dict[str, Any]
"""An event of the traffic, as a caller holds it who sends it alone: a row of its schema."""


class Store:
    """A store of this project, at a clock to which the traffic is recent."""

    def __init__(self, directory: Path) -> None:
        self._engine = metering.connect(directory, clock=metering.FixedClock(END))
        self._meters = project.create_meters(self._engine).values()

    def close(self) -> None:
        """Close the store."""
        self._engine.close()

    def create(self, event: Event) -> None:
        """Create one event; durable on return."""
        created = self._engine.meter_events.create(
            event_name=event["event_name"],
            identifier=event["identifier"],
            timestamp=event["timestamp"],
            payload={key: event[key] for key in _PAYLOAD_KEYS},
        )
        assert not created.duplicate

    def create_each(self, events: Sequence[Event]) -> None:
        """Create events one after the other."""
        for event in events:
            self.create(event)

    def answers(self) -> Answers:
        """Count the events and add up the usage of the sampled customers."""
        stored = sum(1 for _ in self._engine.meter_events.list())
        return project.answers(self._engine, self._meters, events=stored)


class BareTable:
    """A table without an index; an insert is one durable database transaction."""

    def __init__(self, directory: Path) -> None:
        path = directory / "rows.db"
        self._connection = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            SQLITE_TABLE,
        ):
            self._connection.execute(statement)

    def close(self) -> None:
        """Checkpoint and close."""
        self._connection.close()

    def insert(self, event: Event) -> None:
        """Insert one event; durable on return."""
        row = (
            event["event_name"],
            event["identifier"],
            int(event["timestamp"].timestamp() * 1_000_000),
            event["stripe_customer_id"],
            int(event["value"].scaleb(3)),
            json.dumps({"model": event["model"]}),
        )
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", row)
        self._connection.execute("COMMIT")

    def answers(self) -> Answers:
        """Count the events and add up the usage of the sampled customers."""
        return sqlite_answers(self._connection)


@pytest.mark.benchmark(group=CREATE)
@pytest.mark.parametrize("name", [PROJECT, BARE_INSERT])
def test_create(
    benchmark: BenchmarkFixture, make_directory: MakeDirectory, size: Size, name: str
) -> None:
    """One event at a time, durable before the next."""
    warmup_rounds = WARMUP_ROUNDS.at(size)
    traffic = _distinct_traffic(ROUNDS.at(size) + warmup_rounds)
    with (
        closing(Store(make_directory())) as store,
        closing(BareTable(make_directory())) as table,
    ):
        timed, other = store.create, table.insert
        if name == BARE_INSERT:
            timed, other = other, timed

        measure_in_turns(benchmark, timed, other, _events(traffic), warmup_rounds)

        answers = store.answers()
        assert answers == table.answers() == expected_answers(traffic)
    record(benchmark, name, events=1, digest=answers.digest)


@pytest.mark.benchmark(group=CREATE_THREADS)
@pytest.mark.parametrize("name", [PROJECT, ONE_THREAD])
def test_create_by_threads(
    benchmark: BenchmarkFixture, make_directory: MakeDirectory, size: Size, name: str
) -> None:
    """As many events from 64 threads as from one, each durable before its return."""
    share = CREATES_PER_THREAD.at(size)
    rounds = THREAD_ROUNDS.at(size) + THREAD_WARMUP_ROUNDS
    traffic = _distinct_traffic(rounds * share * THREADS)
    events = _events(traffic)
    with (
        closing(Store(make_directory())) as shared,
        closing(Store(make_directory())) as alone,
        ThreadPoolExecutor(THREADS) as threads,
    ):

        def create_together(events: Sequence[Event]) -> None:
            shares = [events[first::THREADS] for first in range(THREADS)]
            list(threads.map(shared.create_each, shares))

        timed, other = create_together, alone.create_each
        if name == ONE_THREAD:
            timed, other = other, timed
        work = [events[round_::rounds] for round_ in range(rounds)]

        measure_in_turns(benchmark, timed, other, work, THREAD_WARMUP_ROUNDS)

        answers = shared.answers()
        assert answers == alone.answers() == expected_answers(traffic)
    record(benchmark, name, events=share * THREADS, digest=answers.digest)


def _distinct_traffic(events: int) -> Traffic:
    return Traffic(events, batch_events=events, duplicate_share=0.0)


def _events(traffic: Traffic) -> list[Event]:
    return [row for batch in traffic.batches() for row in batch.to_pylist()]
