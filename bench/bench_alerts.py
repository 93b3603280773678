"""What do a thousand alerts cost a process that catches up with usage?

A reader has taken in a store and its alerts; then a writer ingests 2 million events of
10,000 customers, and the reader catches up. With alerts it also finds, event by event,
which thresholds were reached by whom, and records the triggers. It takes turns with
itself on a store without alerts; the best round counts.

Sixty alerts are on everybody, twenty a meter, at what the heaviest customers come to;
the others are on one customer each, at 0.3 to 1.7 times what that one comes to. What
must trigger is computed from the numbers of the traffic, not from a store.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.measures import (
    CLOCK,
    Parameter,
    Race,
    Size,
    digest,
    events_asked_for,
    reader,
    record,
)
from bench.report.targets import ALERTS, PROJECT, WITHOUT_ALERTS
from bench.stores import project
from bench.stores.usage import usage_of
from metering.cli.demo.traffic import (
    CUSTOMERS,
    EVENT_NAMES,
    Traffic,
    Usage,
    customer_id,
)

EVENTS: Final = Parameter(smoke=20_000, full=2_000_000)
BATCH_EVENTS: Final = Parameter(smoke=5_000, full=50_000)
ALERTS_ON_EVERYBODY: Final = 20
ALERTS_IN_ALL: Final = 1_000
ROUNDS: Final = Parameter(smoke=1, full=7)
SEED: Final = 20250103


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """An alert to be: index of its meter, and the customer's rank or None."""

    meter: int
    customer: int | None
    gte: int


Crossed = tuple[int, int, int]
"""Number of the event, from 0; number of the alert; rank of the customer."""
Round = tuple[float, list[Crossed]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Traffic, the alerts on it, and what must trigger."""

    traffic: Traffic
    thresholds: list[Threshold]
    crossed: list[Crossed]


@pytest.fixture(scope="module")
def question(size: Size) -> Question:
    """The traffic, its alerts and what must trigger."""
    events, batch = events_asked_for(EVENTS, size), BATCH_EVENTS.at(size)
    return _question(Traffic(events, batch, duplicate_share=0.0))


@pytest.fixture(scope="module")
def race(question: Question, size: Size) -> Race[Round]:
    """Catching up with alerts, and without."""
    contestants: dict[str, Callable[[], Round]] = {
        PROJECT: lambda: _catch_up(question, question.thresholds),
        WITHOUT_ALERTS: lambda: _catch_up(question, []),
    }
    return Race(contestants, ROUNDS.at(size), itemgetter(0))


@pytest.mark.benchmark(group=ALERTS, timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, WITHOUT_ALERTS])
def test_catch_up(
    benchmark: BenchmarkFixture, question: Question, race: Race[Round], name: str
) -> None:
    """Take in what another connection recorded, and evaluate."""
    rounds = race.report(benchmark, name)

    expected = question.crossed if name == PROJECT else []
    assert all(found == expected for _, found in rounds)
    record(
        benchmark,
        name,
        events=question.traffic.events,
        # Of what all contestants have in common: the triggers are asserted above.
        digest=digest(question.traffic.events),
        seconds=rounds[0][0],
        triggers=len(expected),
    )


def _catch_up(question: Question, thresholds: list[Threshold]) -> Round:
    directory = Path(tempfile.mkdtemp(prefix="metering-bench-"))
    store = directory / "usage"
    try:
        with metering.connect(store, seal_events=None) as writer:
            meters = list(project.create_meters(writer).values())
            alerts = [
                _create_alert(writer, meters[each.meter], each.gte, each.customer).id
                for each in thresholds
            ]
            first = writer.position + 1
            with metering.connect(store, seal_events=None) as engine:
                engine.catch_up()
                batches = list(question.traffic.batches())
                writer.meter_events.ingest(reader(batches), backfill=True)
                started = time.perf_counter()
                engine.catch_up()
                seconds = time.perf_counter() - started
                numbers = {alert_id: number for number, alert_id in enumerate(alerts)}
                found = [
                    (
                        (each.event_position or 0) - first,
                        numbers[each.alert.id],
                        int(each.customer.removeprefix("cus_")),
                    )
                    for each in engine.alerts.triggered()
                ]
        return seconds, sorted(found)
    finally:
        shutil.rmtree(directory)


def _create_alert(
    engine: metering.Metering, meter: metering.Meter, gte: int, customer: int | None
) -> metering.Alert:
    threshold: metering.UsageThresholdParams = {
        "gte": gte,
        "meter": meter.id,
        "recurrence": "one_time",
    }
    if customer is not None:
        of_customer: metering.AlertFilterParams = {
            "type": "customer",
            "customer": customer_id(customer),
        }
        threshold["filters"] = [of_customer]
    return engine.alerts.create(title="An alert", usage_threshold=threshold)


def _question(traffic: Traffic) -> Question:
    usage = usage_of(traffic)
    random = np.random.default_rng(SEED)
    on_one = ALERTS_IN_ALL - ALERTS_ON_EVERYBODY * len(EVENT_NAMES)
    thresholds = []
    for meter in range(len(EVENT_NAMES)):
        is_its = usage.meter == meter
        totals = np.bincount(
            usage.customer[is_its], usage.thousandths[is_its], minlength=CUSTOMERS
        )
        totals //= 1000
        heaviest = np.sort(totals)[::-1][:ALERTS_ON_EVERYBODY]
        thresholds += [
            Threshold(meter=meter, customer=None, gte=max(1, int(total)))
            for total in heaviest
        ]
        share = len(range(meter, on_one, len(EVENT_NAMES)))
        for customer in random.choice(CUSTOMERS, share, replace=False).tolist():
            gte = max(1, int(totals[customer] * random.uniform(0.3, 1.7)))
            thresholds.append(Threshold(meter=meter, customer=customer, gte=gte))
    crossed = [
        (*found, number)
        for number, each in enumerate(thresholds)
        for found in _crossed(usage, each)
    ]
    return Question(
        traffic=traffic,
        thresholds=thresholds,
        crossed=sorted((event, alert, rank) for event, rank, alert in crossed),
    )


def _crossed(usage: Usage, threshold: Threshold) -> list[tuple[int, int]]:
    """Find the number of the event at which each customer reaches a threshold."""
    is_its = usage.meter == threshold.meter
    if threshold.customer is not None:
        is_its &= usage.customer == threshold.customer
    numbers = np.flatnonzero(is_its)
    order = np.argsort(usage.customer[numbers], kind="stable")
    numbers = numbers[order]
    customers = usage.customer[numbers]
    starts = np.flatnonzero(np.diff(customers, prepend=-1))
    running = np.cumsum(usage.thousandths[numbers])
    sizes = np.diff(starts, append=len(numbers))
    before = np.repeat(running[starts] - usage.thousandths[numbers[starts]], sizes)
    rows = np.flatnonzero(running - before >= threshold.gte * 1000)
    found, first = np.unique(customers[rows], return_index=True)
    return list(zip(numbers[rows[first]].tolist(), found.tolist(), strict=True))
