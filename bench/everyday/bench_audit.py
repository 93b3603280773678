"""What of their rate do appends keep while a worker audits the store?

A thread creates events one by one beside a worker, in the same process, that makes one pass
after the other over two hundred thousand events, as it does where a pass is overdue; and beside
one that makes none. Both take turns.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.everyday.contests import SQLITE, Contest, empty_place, in_turns
from bench.everyday.events import EVENT_NAME, create, ingest
from bench.measures import CLOCK, Parameter, Size
from bench.report.everyday import AUDITED, UNAUDITED
from bench.report.targets import PROJECT
from metering.cli.demo.traffic import END

STORED: Final = Parameter(smoke=2_000, full=200_000)
CREATES: Final = Parameter(smoke=50, full=5_000)
ROUNDS: Final = Parameter(smoke=1, full=3)
BACK_TO_BACK: Final = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def audited(size: Size) -> Iterator[Contest]:
    """Creates beside a worker that audits, and beside one that does not."""
    clock = metering.FixedClock(END)
    with (
        empty_place(SQLITE, "") as place,
        metering.connect(place, clock=clock) as store,
    ):
        store.meters.ensure(
            display_name="Tokens",
            event_name=EVENT_NAME,
            default_aggregation={"formula": "sum"},
        )
        ingest(store, range(STORED.at(size)))
        store.seal()
        store.audit.run()
        numbers = count(STORED.at(size))

        def beside(audit: timedelta | None) -> None:
            with store.worker(audit=audit):
                for _ in range(CREATES.at(size)):
                    create(store, next(numbers))
                    # Or no pass would be due after the first.
                    clock.advance(timedelta(microseconds=100))

        seconds = in_turns(
            {PROJECT: lambda: beside(BACK_TO_BACK), UNAUDITED: lambda: beside(None)},
            ROUNDS.at(size),
        )
        made = store.audit.run()
        assert made is not None
        assert made.status == "passed"
        yield Contest(
            events=CREATES.at(size), seconds=seconds, answer=made.difference_count
        )


@pytest.mark.benchmark(timer=CLOCK.now)
@pytest.mark.parametrize("name", [PROJECT, UNAUDITED])
def test_creates_while_audited(
    benchmark: BenchmarkFixture, audited: Contest, name: str
) -> None:
    """Single creates back to back, while a worker audits or does not."""
    audited.report(benchmark, AUDITED, name)
