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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import cycle
from typing import Final

import msgspec
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.conftest import FindSealedStore
from bench.measures import (
    Contestant,
    Parameter,
    RecordedClock,
    Role,
    Size,
    digest,
    events_asked_for,
    measure,
    record,
    take_turns,
)
from bench.opening import Opening
from bench.processes import output_of
from bench.sealed_stores import SealedStore
from bench.targets import OPENING, PROJECT, sealed_summary_group
from metering.cli.demo.traffic import END, EVENT_NAMES, START, Usage, customer_id

SMALL_EVENTS: Final = Parameter(smoke=20_000, full=1_000_000)
LARGE_EVENTS: Final = Parameter(smoke=60_000, full=50_000_000)
QUESTIONS: Final = Parameter(smoke=2, full=10)
REPEATS: Final = Parameter(smoke=2, full=20)
CLOCK: Final = RecordedClock()
OPENINGS: Final = Parameter(smoke=1, full=5)
SEED: Final = 20250103
RANKS: Final = {"heavy": range(20), "middling": range(100, 1_000)}
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
        return usage.total(
            self.event_name, self.customer, START + self.cut, END - self.cut
        )


class Asked:
    """A store that is open, and the right answers."""

    def __init__(self, store: SealedStore, usage: Usage) -> None:
        self.store = store
        self.usage = usage
        self.engine = store.connect()
        self._meters = {each.event_name: each.id for each in self.engine.meters.list()}

    def close(self) -> None:
        """Close the store."""
        self.engine.close()

    def summarise(self, question: Question) -> Sequence[metering.MeterEventSummary]:
        """Ask through the public door."""
        return self.engine.meters.event_summaries(
            self._meters[question.event_name],
            customer=customer_id(question.customer),
            start_time=START + question.cut,
            end_time=END - question.cut,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A question that was answered."""

    seconds: float
    question: Question
    value: Decimal


class Stores:
    """The small and the large store, asked in turns when first needed."""

    def __init__(self, asked: Mapping[str, Asked], size: Size) -> None:
        self.asked = asked
        self._size = size
        self._rounds: dict[tuple[str, str], Mapping[str, list[Round]]] = {}

    def rounds(self, customers: str, edges: str) -> Mapping[str, list[Round]]:
        """What each store answered, and how long it took."""
        if (customers, edges) not in self._rounds:
            number, repeats = QUESTIONS.at(self._size), REPEATS.at(self._size)
            questions = _questions(customers, number, CUTS[edges])
            targets = {
                name: partial(_ask, store, cycle(questions))
                for name, store in self.asked.items()
            }
            take_turns(targets, number)
            self._rounds[customers, edges] = take_turns(targets, number * repeats)
        return self._rounds[customers, edges]


@pytest.fixture(scope="module")
def stores(find_store: Callable[[str], SealedStore], size: Size) -> Iterator[Stores]:
    """Both stores, open."""
    ranks = {rank for each in RANKS.values() for rank in each}
    with ExitStack() as opened:
        asked = {}
        for name in ("small", "large"):
            store = find_store(name)
            asked[name] = opened.enter_context(
                closing(Asked(store, store.traffic.usage_of(ranks)))
            )
        yield Stores(asked, size)


@pytest.fixture(scope="module")
def find_store(
    find_sealed_store: FindSealedStore, size: Size
) -> Callable[[str], SealedStore]:
    """Find the small or the large store."""
    events = {
        "small": SMALL_EVENTS.at(size),
        "large": events_asked_for(LARGE_EVENTS, size),
    }
    return lambda name: find_sealed_store(events[name])


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("name", ["small", "large"])
@pytest.mark.parametrize("edges", CUTS)
@pytest.mark.parametrize("customers", RANKS)
def test_summary_of_sealed_events(
    benchmark: BenchmarkFixture, stores: Stores, name: str, customers: str, edges: str
) -> None:
    """Ask for thirty days of one customer on one meter."""
    benchmark.group = sealed_summary_group(customers, edges, name)
    rounds = stores.rounds(customers, edges)
    asked = stores.asked[name]

    CLOCK.replay(benchmark, [each.seconds for each in rounds[name]])

    values = {each.question: each.value for each in rounds[name]}
    assert values == {question: question.expected(asked.usage) for question in values}
    p50 = {
        each: statistics.median(round_.seconds for round_ in of_store)
        for each, of_store in rounds.items()
    }
    record(
        benchmark,
        Contestant(name=PROJECT, role=Role.PROJECT),
        events=1,
        digest=digest(list(values.values())),
        stored_events=asked.store.traffic.events,
    )
    if name == "large":
        benchmark.extra_info["growth"] = p50["large"] / p50["small"]


@pytest.mark.benchmark(group=OPENING)
def test_first_answer_of_a_fresh_process(
    benchmark: BenchmarkFixture, find_store: Callable[[str], SealedStore], size: Size
) -> None:
    """Open the large store and ask for thirty days of the heaviest customer."""
    store = find_store("large")
    ids = {event_name: meter for meter, event_name in store.event_names().items()}
    told: list[Opening] = []

    def open_and_ask() -> None:
        line = output_of(
            "bench.opening", store.directory, ids[EVENT_NAMES[0]], customer_id(0)
        )
        told.append(msgspec.json.decode(line, type=Opening))

    measure(benchmark, open_and_ask, rounds=OPENINGS.at(size))

    right = store.traffic.usage_of({0}).total(EVENT_NAMES[0], 0)
    assert {opening.value for opening in told} == {right}
    record(
        benchmark,
        Contestant(name=PROJECT, role=Role.PROJECT),
        events=1,
        digest=digest([right]),
        stored_events=store.traffic.events,
        first_answer_seconds=min(opening.first_answer_seconds for opening in told),
    )


def _questions(customers: str, number: int, cut: timedelta) -> list[Question]:
    random = np.random.default_rng(SEED)
    ranks = random.choice(np.array(RANKS[customers]), number, replace=False)
    meters = random.choice(np.array(EVENT_NAMES), number)
    return [
        Question(event_name=str(event_name), customer=int(rank), cut=cut)
        for event_name, rank in zip(meters, ranks, strict=True)
    ]


def _ask(asked: Asked, questions: Iterator[Question]) -> Round:
    question = next(questions)
    started = time.perf_counter()
    (summary,) = asked.summarise(question)
    seconds = time.perf_counter() - started
    return Round(seconds=seconds, question=question, value=summary.aggregated_value)
