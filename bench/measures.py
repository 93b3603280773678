"""What a benchmark takes and leaves: its sizes, its answers and its record.

A benchmark asserts answers and never times: whether a target is met is said by
`bench.report`, from the JSON that pytest-benchmark writes.
"""

import enum
import hashlib
import os
import platform
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Final, Generic, TypeVar

import pyarrow as pa
from pytest_benchmark.fixture import BenchmarkFixture

from bench.report.targets import role_of
from bench.stores.usage import total, usage_of
from metering.cli.demo.traffic import EVENT_NAMES, Traffic, customer_id

_DISTRIBUTIONS: Final = (
    *("psycopg", "pyarrow", "duckdb", "polars"),
    *("chdb", "datafusion", "distributed"),
)
SAMPLED_CUSTOMERS: Final = (0, 3, 30, 300, 3_000)

Name = TypeVar("Name")
Result = TypeVar("Result")
Taken = TypeVar("Taken")


class Size(enum.Enum):
    """How long a run may take: seconds, or as long as the target asks for."""

    SMOKE = "smoke"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number with a value for each size."""

    smoke: int
    full: int

    def at(self, size: Size) -> int:
        """Choose the value for a size."""
        return self.smoke if size is Size.SMOKE else self.full


def events_asked_for(events: Parameter, size: Size) -> int:
    """Choose how many events there are; the variable EVENTS goes before a size."""
    return int(os.environ.get("EVENTS") or events.at(size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a store answers about the usage it took.

    Attributes:
        events: How many events are left when the repeated ones are dropped.
        totals: Usage by (event name, customer), of the sampled customers only.
    """

    events: int
    totals: dict[tuple[str, str], Decimal]

    @property
    def digest(self) -> str:
        """Reduce the answers to a few characters; equal answers, equal digests."""
        return digest((self.events, sorted(self.totals.items())))


def expected_answers(traffic: Traffic) -> Answers:
    """Compute what every store must answer after it took the traffic."""
    usage = usage_of(traffic, SAMPLED_CUSTOMERS)
    return Answers(
        events=traffic.distinct,
        totals={
            (event_name, customer_id(customer)): used
            for event_name in EVENT_NAMES
            for customer in SAMPLED_CUSTOMERS
            if (used := total(usage, event_name, customer))
        },
    )


def digest(answers: object) -> str:
    """Hash answers made of tuples, lists, strings, integers and datetimes.

    Decimals count by value: a database may write the same sum with more zeros.
    """
    return hashlib.sha256(_canonical(answers).encode()).hexdigest()[:16]


def _canonical(answers: object) -> str:
    match answers:
        case Decimal():
            return f"{answers.normalize():f}"
        case tuple() | list():
            return "(" + ",".join(map(_canonical, answers)) + ")"
        case _:
            return str(answers)


def measure(
    benchmark: BenchmarkFixture,
    target: Callable[..., Result],
    *,
    setup: Callable[[], tuple[object, ...]] | None = None,
    teardown: Callable[..., None] | None = None,
    rounds: int = 1,
    warmup_rounds: int = 0,
) -> Result:
    """Time calls of `target`, each once a round; return what the last call returned.

    Args:
        benchmark: The fixture of the test.
        target: What is timed; takes what `setup` returns.
        setup: Makes the arguments of a round, untimed.
        teardown: Takes the same arguments after the round, untimed.
        rounds: How many calls are timed.
        warmup_rounds: How many calls precede them.
    """
    result: Result = benchmark.pedantic(  # type: ignore[no-untyped-call] # not typed
        target,
        setup=None if setup is None else lambda: (setup(), {}),
        teardown=teardown,
        rounds=rounds,
        warmup_rounds=warmup_rounds,
    )
    return result


def measure_in_turns(
    benchmark: BenchmarkFixture,
    timed: Callable[[Taken], None],
    other: Callable[[Taken], None],
    work: Sequence[Taken],
    warmup_rounds: int,
) -> None:
    """Give each piece of work to both contestants, first to the one not timed."""
    waiting = iter(work)

    def other_first() -> tuple[Taken]:
        taken = next(waiting)
        other(taken)
        return (taken,)

    measure(
        benchmark,
        timed,
        setup=other_first,
        rounds=len(work) - warmup_rounds,
        warmup_rounds=warmup_rounds,
    )


def take_turns(
    targets: Mapping[Name, Callable[[], Result]], rounds: int
) -> dict[Name, list[Result]]:
    """Call every target once, then all of them again, so often as there are rounds.

    What the machine does beside then slows all of them, and not one.
    """
    results: dict[Name, list[Result]] = {name: [] for name in targets}
    for _ in range(rounds):
        for name, target in targets.items():
            results[name].append(target())
    return results


class Race(Generic[Result]):
    """Contestants that take turns, run when the first of them is asked for.

    Their rounds are replayed to pytest-benchmark afterwards, whose timer is `CLOCK`.
    """

    def __init__(
        self,
        contestants: Mapping[str, Callable[[], Result]],
        rounds: int,
        seconds: Callable[[Result], float],
        warmup_rounds: int = 0,
    ) -> None:
        """Enter contestants; `seconds` says what of a result is its time."""
        self._warmup_rounds = warmup_rounds
        self._contestants = contestants
        self._rounds = rounds
        self._seconds = seconds

    @cached_property
    def results(self) -> dict[str, list[Result]]:
        """What each contestant came to, by round."""
        take_turns(self._contestants, self._warmup_rounds)
        return take_turns(self._contestants, self._rounds)

    def report(self, benchmark: BenchmarkFixture, name: str) -> list[Result]:
        """Report the rounds of a contestant, and return what they came to, best first."""
        results = self.results[name]
        CLOCK.replay(benchmark, list(map(self._seconds, results)))
        return sorted(results, key=self._seconds)


class RecordedClock:
    """A timer that stands still except where durations measured before are replayed."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        """Return the time."""
        return self._now

    def replay(self, benchmark: BenchmarkFixture, seconds: Sequence[float]) -> None:
        """Report durations as the rounds of a benchmark."""
        durations = iter(seconds)

        def passing() -> None:
            self._now += next(durations)

        measure(benchmark, passing, rounds=len(seconds))


CLOCK: Final = RecordedClock()


def record(
    benchmark: BenchmarkFixture,
    name: str,
    *,
    events: int,
    digest: str,
    seconds: float | None = None,
    stored_bytes: int | None = None,
    **figures: float | str | None,
) -> None:
    """Leave in the JSON what the report needs to judge this benchmark.

    Args:
        benchmark: The fixture, after its measurement.
        name: Who was measured: the bars and ratios of the report carry this name.
        events: How many events one round took, repeated ones included; for a
            question about stored events, how many there are.
        digest: Of the answers that were asserted.
        seconds: What counts; the median of the rounds where it is left out.
        stored_bytes: How much the events take on disk, where that was asked.
        figures: Whatever else was measured, unit last in the name.
    """
    assert benchmark.stats is not None, "nothing was measured"
    seconds = benchmark.stats.stats.median if seconds is None else seconds
    benchmark.extra_info.update(
        contestant=name,
        role=role_of(name).value,
        events=events,
        seconds=seconds,
        rate=events / seconds,
        bytes=stored_bytes,
        digest=digest,
        machine=f"{platform.system()} {platform.release()} {platform.machine()}",
        versions={
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            **{name: version(name) for name in _DISTRIBUTIONS},
        },
        **figures,
    )


def bytes_below(directory: Path) -> int:
    """Add up the sizes of all files in a directory and below."""
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def reader(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatchReader:
    """Stream batches as a caller does that has more than fits in memory."""
    return pa.RecordBatchReader.from_batches(batches[0].schema, batches)
