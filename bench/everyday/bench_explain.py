"""Can a dispute be answered at once: what is one customer's month made of?

At ten million sealed events on SQLite, for middling customers: the figure with its parts,
and then all of its events, read to the end as a client would. Every event is counted in
the answer, which is compared with what the traffic adds up to.

EVENTS is how many the store has.
"""

from collections.abc import Iterator
from contextlib import closing
from itertools import cycle
from typing import Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.conftest import FindSealedStore
from bench.measures import Parameter, Size, digest, events_asked_for, measure, record
from bench.report.targets import EXPLANATION, EXPLANATION_EVENTS, PROJECT
from bench.stores.sealed_stores import SealedStore
from bench.stores.summarisers import drawn_customers
from bench.stores.usage import total, usage_of
from ledger.usage.quantities import shortest
from metering.cli.demo.traffic import END, START, customer_id

EVENTS: Final = Parameter(smoke=60_000, full=10_000_000)
QUESTIONS: Final = Parameter(smoke=2, full=10)
REPEATS: Final = Parameter(smoke=2, full=20)
SEED: Final = 20250103


@pytest.fixture(scope="module")
def store(find_sealed_store: FindSealedStore, size: Size) -> SealedStore:
    """A store whose events are all sealed."""
    return find_sealed_store(events_asked_for(EVENTS, size))


@pytest.fixture(scope="module")
def engine(store: SealedStore) -> Iterator[metering.Metering]:
    """The store, open."""
    with closing(store.connect()) as engine:
        yield engine


@pytest.mark.parametrize("reads_events", [False, True], ids=["figure", "events"])
def test_explanation_of_a_month(  # pytest names its parameters
    benchmark: BenchmarkFixture,
    store: SealedStore,
    engine: metering.Metering,
    size: Size,
    *,
    reads_events: bool,
) -> None:
    """Explain thirty days of one customer on one meter."""
    benchmark.group = EXPLANATION_EVENTS if reads_events else EXPLANATION
    questions = drawn_customers(SEED, "middling", QUESTIONS.at(size))
    turns = cycle(questions)
    answers: list[metering.Explanation] = []

    def explain() -> None:
        event_name, rank = next(turns)
        made = engine.explain(
            meter=event_name,
            customer=customer_id(rank),
            start_time=START,
            end_time=END,
        )
        if reads_events:
            read = sum(batch.num_rows for batch in made.events())
            assert read == made.event_count
        answers.append(made)

    measure(
        benchmark,
        explain,
        rounds=len(questions) * REPEATS.at(size),
        warmup_rounds=len(questions),
    )

    ranks = {rank for _, rank in questions}
    usage = usage_of(store.traffic, ranks)
    last = answers[-len(questions) :]
    for (event_name, rank), made in zip(questions, last, strict=True):
        assert made.value == shortest(total(usage, event_name, rank))
        assert made.adds_up()
    record(
        benchmark,
        PROJECT,
        events=1,
        digest=digest([made.value for made in last]),
        stored_events=store.traffic.events,
        event_count=sum(made.event_count for made in last) / len(last),
    )
