"""How long does a trigger take from the append of its event, with a worker running?

Each event is of another customer and reaches the threshold of an alert on everybody.
The worker is a process of its own, which looks for news every 50 ms, or a thread of the
process that appends, which wakes it. What counts is from before the append to the time
of recording that the trigger has; the 99th percentile is recorded beside the median. Events
come at random intervals, so that they fall anywhere between two looks.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from random import Random
from typing import Final

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.conftest import MakeDatabase, MakeDirectory
from bench.measures import Parameter, Size, digest, record
from bench.report.targets import PROJECT, WORKER_IN_THREAD, latency_group
from bench.stores import project
from metering.cli.demo.traffic import EVENT_NAMES, customer_id
from tests.waiting import eventually

EVENTS: Final = Parameter(smoke=10, full=400)
LONGEST_INTERVAL_SECONDS: Final = 0.1
SEED: Final = 20260301

Work = Callable[[metering.Metering, str], AbstractContextManager[None]]


@contextmanager
def in_another_process(engine: metering.Metering, target: str) -> Iterator[None]:
    """Work as the command does, once it says that it has begun."""
    del engine
    command = [sys.executable, "-m", "metering", "worker", "--store", target]
    with subprocess.Popen(  # noqa: S603  # our own command
        command, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Working on ")
        yield
        process.terminate()
        assert process.wait() == 0


@contextmanager
def in_a_thread(engine: metering.Metering, target: str) -> Iterator[None]:
    """Work in a thread of the process that appends."""
    del target
    with engine.worker():
        yield


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def target(
    request: pytest.FixtureRequest, make_directory: MakeDirectory
) -> tuple[str, str]:
    """An empty store, and what kind its database is of."""
    if request.param == "SQLite":
        return str(make_directory() / "usage"), request.param
    make_database: MakeDatabase = request.getfixturevalue("make_database")
    return make_database(), request.param


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("name", "work"),
    [(PROJECT, in_another_process), (WORKER_IN_THREAD, in_a_thread)],
)
def test_latency(
    benchmark: BenchmarkFixture,
    target: tuple[str, str],
    size: Size,
    name: str,
    work: Work,
) -> None:
    """Append events that reach a threshold, and see when that was recorded."""
    store, database = target
    benchmark.group = latency_group(database)
    seconds = benchmark.pedantic(  # type: ignore[no-untyped-call] # not typed
        _seconds_to_trigger, args=(store, work, EVENTS.at(size))
    )

    assert len(seconds) == EVENTS.at(size)
    record(
        benchmark,
        name,
        events=1,
        digest=digest(len(seconds)),
        seconds=float(np.quantile(seconds, 0.5)),
        p99_seconds=float(np.quantile(seconds, 0.99)),
    )


def _seconds_to_trigger(store: str, work: Work, events: int) -> list[float]:
    random, clock = Random(SEED), metering.SystemClock()
    begun: dict[str, datetime] = {}
    with metering.connect(store, seal_events=None) as engine:
        meter = project.create_meters(engine)[EVENT_NAMES[0]]
        threshold: metering.UsageThresholdParams = {
            "gte": 1,
            "meter": meter.id,
            "recurrence": "one_time",
        }
        engine.alerts.create(title="An alert", usage_threshold=threshold)
        with work(engine, store):
            for number in range(events):
                time.sleep(random.uniform(0, LONGEST_INTERVAL_SECONDS))
                begun[customer_id(number)] = clock.now()
                engine.meter_events.create(
                    event_name=EVENT_NAMES[0],
                    payload={"stripe_customer_id": customer_id(number), "value": "1"},
                )
            eventually(lambda: len(engine.alerts.triggered()) == events)
        triggered = engine.alerts.triggered()
    return [(each.created - begun[each.customer]).total_seconds() for each in triggered]
