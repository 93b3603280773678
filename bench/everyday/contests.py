"""Contests: what several contestants came to at one question, in turns."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from bench.measures import CLOCK, digest, record, take_turns
from tests.postgresql_server import fresh_database

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
DATABASES = (SQLITE, POSTGRESQL)


@dataclass(frozen=True, kw_only=True)
class Contest:
    """The rounds of each contestant.

    Attributes:
        events: how many events or pages a round is about.
        seconds: of each round, by contestant.
        answer: what all contestants agreed on.
        figures: what else was measured, by contestant.
    """

    events: int
    seconds: Mapping[str, Sequence[float]]
    answer: object = None
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def report(self, benchmark: BenchmarkFixture, group: str, name: str) -> None:
        """Report a contestant's rounds as those of a benchmark."""
        benchmark.group = group
        CLOCK.replay(benchmark, self.seconds[name])
        record(
            benchmark,
            name,
            events=self.events,
            digest=digest(str(self.answer)),
            **self.figures.get(name, {}),
        )


def in_turns(
    contestants: Mapping[str, Callable[[], object]], rounds: int, warmup_rounds: int = 1
) -> dict[str, list[float]]:
    """Time each contestant once, then all again, as often as there are rounds."""

    def timed(work: Callable[[], object]) -> Callable[[], float]:
        def run() -> float:
            started = perf_counter()
            work()
            return perf_counter() - started

        return run

    targets = {name: timed(work) for name, work in contestants.items()}
    take_turns(targets, warmup_rounds)
    return take_turns(targets, rounds)


@contextmanager
def empty_place(database: str, server_url: str) -> Iterator[str]:
    """Yield where a store of a kind can be made."""
    if database == SQLITE:
        with tempfile.TemporaryDirectory(prefix="metering-bench-") as directory:
            yield f"{directory}/usage"
    else:
        with fresh_database(server_url) as url:
            yield url
