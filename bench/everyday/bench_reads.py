"""What do single creates cost whoever reads them: at a start, in a summary, in a page?

Beside the same events in batches, the same question at the hour, and the same page of a
hundredth of the history.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.everyday.contests import DATABASES, SQLITE, Contest, empty_place, in_turns
from bench.everyday.events import CUSTOMER, EVENT_NAME, create, ingest, open_store
from bench.measures import CLOCK, Parameter, Size
from bench.processes.opening import Opening
from bench.processes.running import output_of
from bench.report.everyday import (
    EDGE,
    IN_BATCHES,
    NOW,
    OF_FEW,
    ON_THE_HOUR,
    PAGES,
    REAGGREGATE,
    SQL,
    first_answer_group,
    page_group,
)
from bench.report.targets import PROJECT
from metering.cli.demo.traffic import END
from metering.webhooks.enqueueing import enqueue

SINGLES = {
    "15,000": Parameter(smoke=60, full=15_000),
    "500,000": Parameter(smoke=120, full=500_000),
}
IN_THE_HOUR = Parameter(smoke=200, full=100_000)
MIXED = "single creates between batches"
STARTS = Parameter(smoke=1, full=5)
ROUNDS = Parameter(smoke=3, full=50)
SCANS = Parameter(smoke=1, full=5)
FEW = Parameter(smoke=100, full=100)
MANY = Parameter(smoke=200, full=100_000)


def fill_singly(store: metering.Metering, numbers: range) -> None:
    """Create events one by one, each a commit."""
    for number in numbers:
        create(store, number)


def fill_mixed(store: metering.Metering, numbers: range) -> None:
    """Create half of the events in batches, and the others between them, one by one."""
    step = max(2, len(numbers) // 20)
    for start in range(0, len(numbers), step):
        portion = numbers[start : start + step]
        ingest(store, portion[: step // 2])
        fill_singly(store, portion[step // 2 :])


FILLS = {PROJECT: fill_singly, IN_BATCHES: ingest, MIXED: fill_mixed}


@pytest.fixture(
    scope="module",
    params=[(database, events) for events in SINGLES for database in DATABASES],
    ids=str,
)
def first_answers(
    request: pytest.FixtureRequest, durable_server: str, size: Size
) -> tuple[str, Contest]:
    """Processes that open a store and ask, their imports left out."""
    database, name = request.param
    if size is Size.SMOKE and name != "15,000":
        pytest.skip("the smaller store shows that it works")
    events = SINGLES[name].at(size)
    found: dict[str, list[Opening]] = {contestant: [] for contestant in FILLS}
    with ExitStack() as opened:
        asked: dict[str, tuple[str, str]] = {}
        for contestant, fill in FILLS.items():
            place = opened.enter_context(empty_place(database, durable_server))
            with open_store(place) as store:
                fill(store, range(events))
                asked[contestant] = place, store.meters.list()[0].id
        for _ in range(STARTS.at(size)):
            for contestant, (place, meter) in asked.items():
                output = output_of("bench.processes.opening", place, meter, CUSTOMER)
                answer = msgspec.json.decode(output, type=Opening)
                found[contestant].append(answer)
    (value,) = {answer.value for answers in found.values() for answer in answers}
    seconds = {
        contestant: [answer.first_answer_seconds for answer in answers]
        for contestant, answers in found.items()
    }
    group = first_answer_group(database, name)
    return group, Contest(events=events, seconds=seconds, answer=value)


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("name", FILLS)
def test_first_answer(
    benchmark: BenchmarkFixture, first_answers: tuple[str, Contest], name: str
) -> None:
    """From opening to the answer, in a process that has nothing in memory."""
    group, contest = first_answers
    contest.report(benchmark, group, name)


@pytest.fixture(scope="module")
def hour(durable_server: str, size: Size) -> Iterator[dict[str, Contest]]:
    """Questions to a store of single creates in the current hour, and to one of batches."""
    numbers = range(IN_THE_HOUR.at(size))
    with ExitStack() as opened:

        def filled(fill: Callable[[metering.Metering, range], None]) -> Any:
            place = opened.enter_context(empty_place(SQLITE, durable_server))
            store = opened.enter_context(open_store(place))
            fill(store, numbers)
            return store

        singles, batches = filled(fill_singly), filled(ingest)
        meter = singles.meters.list()[0].id

        def summary(end: Any) -> Any:
            [found] = singles.meters.event_summaries(
                meter,
                customer=CUSTOMER,
                start_time=END - timedelta(days=30),
                end_time=end,
            )
            return found.aggregated_value

        on_the_hour = END + timedelta(hours=1)
        ends_now, edge = END + timedelta(seconds=1), END - timedelta(minutes=5)
        assert summary(ends_now) == summary(on_the_hour)
        query = "SELECT count(*) AS events, sum(value) AS total FROM events"
        assert singles.sql(query).equals(batches.sql(query))
        yield {
            NOW: Contest(
                events=1,
                seconds=in_turns(
                    {
                        PROJECT: partial(summary, ends_now),
                        ON_THE_HOUR: partial(summary, on_the_hour),
                    },
                    ROUNDS.at(size),
                ),
                answer=summary(ends_now),
            ),
            EDGE: Contest(
                events=1,
                seconds=in_turns({PROJECT: partial(summary, edge)}, ROUNDS.at(size)),
            ),
            REAGGREGATE: Contest(
                events=len(numbers),
                seconds=in_turns(
                    {PROJECT: singles.reaggregate, IN_BATCHES: batches.reaggregate},
                    SCANS.at(size),
                ),
            ),
            SQL: Contest(
                events=len(numbers),
                seconds=in_turns(
                    {
                        PROJECT: partial(singles.sql, query),
                        IN_BATCHES: partial(batches.sql, query),
                    },
                    SCANS.at(size),
                ),
            ),
        }


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize(
    ("group", "name"),
    [
        (NOW, PROJECT),
        (NOW, ON_THE_HOUR),
        (EDGE, PROJECT),
        (REAGGREGATE, PROJECT),
        (REAGGREGATE, IN_BATCHES),
        (SQL, PROJECT),
        (SQL, IN_BATCHES),
    ],
)
def test_hour(
    benchmark: BenchmarkFixture, hour: dict[str, Contest], group: str, name: str
) -> None:
    """Questions about an hour that is not sealed."""
    hour[group].report(benchmark, group, name)


def fill_history(store: metering.Metering, count: int) -> dict[str, Callable[[], Any]]:
    """Make so many of everything that has pages; return what reads a page of each."""
    meter = store.meters.list()[0]
    endpoint = store.webhook_endpoints.create(
        url="https://a.example/", enabled_events=["*"]
    )
    threshold: metering.UsageThresholdParams = {
        "gte": 1,
        "meter": meter.id,
        "recurrence": "one_time",
    }
    store.alerts.create(title="An alert", usage_threshold=threshold)
    store.meter_events.ingest(
        pa.table(
            {
                "event_name": [EVENT_NAME] * count,
                "identifier": [f"event_{number}" for number in range(count)],
                "timestamp": pa.array([END] * count, pa.timestamp("us", "UTC")),
                "stripe_customer_id": [f"other_{number}" for number in range(count)],
                "value": ["1"] * count,
            }
        )
    )
    store.catch_up()
    store.credit_grants.create(
        customer=CUSTOMER,
        amount={"type": "monetary", "monetary": {"currency": "usd", "value": 10**9}},
        applicability_config={"scope": {"price_type": "metered"}},
    )
    store.credits.apply_many(
        pa.table(
            {
                "invoice": [f"in_{number}" for number in range(count)],
                "customer": [CUSTOMER] * count,
                "period_end": pa.array([END] * count, pa.timestamp("us", "UTC")),
                "line": ["il_1"] * count,
                "amount": pa.array([7] * count, pa.int64()),
                "currency": ["usd"] * count,
                "price": ["price_1"] * count,
            }
        )
    )
    enqueue(store._engine)  # noqa: SLF001  # nothing is to be sent
    ingest(store, range(count))
    readers: dict[str, Callable[[], Any]] = {
        "events of a customer": lambda: list(
            islice(store.meter_events.list(customer=CUSTOMER), 10)
        ),
        "credit transactions": lambda: store.credit_balance_transactions.list(CUSTOMER),
        "triggers": lambda: store.alerts.triggered(limit=10),
        "deliveries": lambda: store.webhook_endpoints.deliveries(endpoint.id),
        "webhook events": store.events.list,
    }
    assert tuple(readers) == PAGES
    return readers


@pytest.fixture(scope="module", params=DATABASES)
def pages(
    request: pytest.FixtureRequest, durable_server: str, size: Size
) -> tuple[str, dict[str, Contest]]:
    """Pages of ten of long lists and of short ones."""
    database = request.param
    with ExitStack() as opened:
        readers = []
        for count in (MANY, FEW):
            place = opened.enter_context(empty_place(database, durable_server))
            store = opened.enter_context(open_store(place))
            readers.append(fill_history(store, count.at(size)))
        many, few = readers
        contests = {}
        for page in PAGES:
            assert len(many[page]()) == len(few[page]()) == 10
            contestants = {PROJECT: many[page], OF_FEW: few[page]}
            seconds = in_turns(contestants, ROUNDS.at(size), warmup_rounds=2)
            contests[page] = Contest(events=1, seconds=seconds)
    return database, contests


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", [PROJECT, OF_FEW])
def test_page(
    benchmark: BenchmarkFixture,
    pages: tuple[str, dict[str, Contest]],
    page: str,
    name: str,
) -> None:
    """A page of ten, from a connection that is open."""
    database, contests = pages
    contests[page].report(benchmark, page_group(page, database), name)
