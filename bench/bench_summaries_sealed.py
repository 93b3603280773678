"""Does the summary of one customer stay fast when nearly all events are sealed?

At one and at fifty million events on SQLite, over thirty days, for heavy and for middling
customers: in whole hours, and with edges inside hours, for which events are read. Both
stores are asked in turns, so that what the machine does beside makes neither seem slower
than the other. Then how soon a fresh process that opens the large store has its first
answer.

EVENTS is how many the large store has.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import cycle, product
from operator import itemgetter
from typing import Final

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

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
from bench.processes.opening import Opening
from bench.processes.running import output_of
from bench.report.targets import OPENING, PROJECT, sealed_summary_group
from bench.stores.sealed_stores import SealedStore
from bench.stores.summarisers import RANKS, drawn_customers
from bench.stores.usage import total, usage_of
from metering.cli.demo.traffic import END, EVENT_NAMES, START, Usage, customer_id

SMALL_EVENTS: Final = Parameter(smoke=20_000, full=1_000_000)
LARGE_EVENTS: Final = Parameter(smoke=60_000, full=50_000_000)
QUESTIONS: Final = Parameter(smoke=2, full=10)
REPEATS: Final = Parameter(smoke=2, full=20)
OPENINGS: Final = Parameter(smoke=1, full=5)
SEED: Final = 20250103
# Cut from both ends of the thirty days.
CUTS: Final = {
    "whole hours": timedelta(0),
    "edges inside hours": timedelta(minutes=23, seconds=45, microseconds=678_901),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What did a customer use on a meter, over thirty days but for a cut at each end?"""

    event_name: str
    customer: int
    cut: timedelta

    def expected(self, usage: Usage) -> Decimal:
        """Answer from the numbers."""
        bounds = START + self.cut, END - self.cut
        return total(usage, self.event_name, self.customer, *bounds)


Round = tuple[float, Question, Decimal]
"""The seconds that an answer took, to which question, and the answer."""


class Asked:
    """A store that is open, and the right answers."""

    def __init__(self, store: SealedStore) -> None:
        ranks = {rank for each in RANKS.values() for rank in each}
        self.events = store.traffic.events
        self.usage = usage_of(store.traffic, ranks)
        self._engine = store.connect()
        self._meters = {each.event_name: each.id for each in self._engine.meters.list()}

    def close(self) -> None:
        """Close the store."""
        self._engine.close()

    def ask(self, questions: Iterator[Question]) -> Round:
        """Ask the next question through the public door."""
        question = next(questions)
        started = time.perf_counter()
        (summary,) = self._engine.meters.event_summaries(
            self._meters[question.event_name],
            customer=customer_id(question.customer),
            start_time=START + question.cut,
            end_time=END - question.cut,
        )
        seconds = time.perf_counter() - started
        return seconds, question, summary.aggregated_value


@pytest.fixture(scope="module")
def found(find_sealed_store: FindSealedStore, size: Size) -> dict[str, SealedStore]:
    """The small and the large store."""
    return {
        "small": find_sealed_store(SMALL_EVENTS.at(size)),
        "large": find_sealed_store(events_asked_for(LARGE_EVENTS, size)),
    }


@pytest.fixture(scope="module")
def stores(found: dict[str, SealedStore]) -> Iterator[dict[str, Asked]]:
    """Both stores, open."""
    with ExitStack() as opened:
        yield {
            name: opened.enter_context(closing(Asked(store)))
            for name, store in found.items()
        }


@pytest.fixture(scope="module")
def races(stores: dict[str, Asked], size: Size) -> dict[tuple[str, str], Race[Round]]:
    """Both stores, asked in turns, by customers and edges."""
    number, repeats = QUESTIONS.at(size), REPEATS.at(size)

    def race(customers: str, edges: str) -> Race[Round]:
        questions = [
            Question(event_name=event_name, customer=rank, cut=CUTS[edges])
            for event_name, rank in drawn_customers(SEED, customers, number)
        ]
        contestants = {
            name: partial(store.ask, cycle(questions)) for name, store in stores.items()
        }
        # Ahead of those that count, each question once.
        return Race(contestants, number * repeats, itemgetter(0), warmup_rounds=number)

    return {pair: race(*pair) for pair in product(RANKS, CUTS)}


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("name", ["small", "large"])
@pytest.mark.parametrize("edges", CUTS)
@pytest.mark.parametrize("customers", RANKS)
def test_summary_of_sealed_events(  # pytest names its parameters
    benchmark: BenchmarkFixture,
    stores: dict[str, Asked],
    races: dict[tuple[str, str], Race[Round]],
    name: str,
    customers: str,
    edges: str,
) -> None:
    """Ask for thirty days of one customer on one meter."""
    benchmark.group = sealed_summary_group(customers, edges, name)
    race, asked = races[customers, edges], stores[name]

    race.report(benchmark, name)

    values = {question: value for _, question, value in race.results[name]}
    assert values == {question: question.expected(asked.usage) for question in values}
    p50 = {
        each: statistics.median(seconds for seconds, _, _ in rounds)
        for each, rounds in race.results.items()
    }
    record(
        benchmark,
        PROJECT,
        events=1,
        digest=digest(list(values.values())),
        stored_events=asked.events,
        growth=p50["large"] / p50["small"] if name == "large" else None,
    )


@pytest.mark.benchmark(group=OPENING)
def test_first_answer_of_a_fresh_process(
    benchmark: BenchmarkFixture, found: dict[str, SealedStore], size: Size
) -> None:
    """Open the large store and ask for thirty days of the heaviest customer."""
    store = found["large"]
    ids = {event_name: meter for meter, event_name in store.event_names().items()}
    told: list[Opening] = []

    def open_and_ask() -> None:
        line = output_of(
            "bench.processes.opening",
            store.directory,
            ids[EVENT_NAMES[0]],
            customer_id(0),
        )
        told.append(msgspec.json.decode(line, type=Opening))

    measure(benchmark, open_and_ask, rounds=OPENINGS.at(size))

    right = total(usage_of(store.traffic, {0}), EVENT_NAMES[0], 0)
    assert {opening.value for opening in told} == {right}
    record(
        benchmark,
        PROJECT,
        events=1,
        digest=digest([right]),
        stored_events=store.traffic.events,
        first_answer_seconds=min(opening.first_answer_seconds for opening in told),
    )
