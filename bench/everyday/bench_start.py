"""What does a process spend before its first event, and a command before its answer?

Processor time of whole processes, in turns: one that opens a store, records an event and
sums it up, one that only imports this project, and `metering meters list`, each beside
one that imports SQLAlchemy, Arrow and NumPy and does nothing. The first round compiles
what is imported, and is not timed; the best round counts.
"""

import resource
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.measures import CLOCK, Parameter, Race, Size, digest, record
from bench.processes.running import compiling_once
from bench.report.everyday import START_COMMAND, START_EVENT, START_IMPORT
from bench.report.targets import IMPORTS, PROJECT

ROUNDS = Parameter(smoke=1, full=20)
_COMMANDS = {
    START_IMPORT: ("-c", "import metering"),
    START_EVENT: ("-m", "bench.processes.first_event", "{store}", "{meter}"),
    START_COMMAND: ("-m", "metering", "--store", "{store}", "meters", "list"),
}
_IMPORTS = ("-c", "import sqlalchemy, pyarrow, numpy")


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended: its processor time, and what it printed."""

    seconds: float
    printed: str


def _run(arguments: tuple[str, ...]) -> Ended:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(  # noqa: S603 (the commands are our own)
        [sys.executable, *arguments],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env=compiling_once(),
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return Ended(user + system, ended.stdout)


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory, size: Size) -> Race[Ended]:
    """All processes, on one store with one meter."""
    store = tmp_path_factory.mktemp("start") / "usage"
    with metering.connect(store) as m:
        meter = m.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
    contestants = {
        group: partial(
            _run, tuple(each.format(store=store, meter=meter.id) for each in command)
        )
        for group, command in _COMMANDS.items()
    }
    contestants[IMPORTS] = partial(_run, _IMPORTS)
    return Race(contestants, ROUNDS.at(size), attrgetter("seconds"), warmup_rounds=1)


@pytest.mark.parametrize("name", [PROJECT, IMPORTS])
@pytest.mark.parametrize(
    "group",
    [
        pytest.param(each, marks=pytest.mark.benchmark(group=each, timer=CLOCK.now))
        for each in _COMMANDS
    ],
)
def test_start(
    benchmark: BenchmarkFixture, race: Race[Ended], size: Size, group: str, name: str
) -> None:
    """Start a process."""
    rounds = race.report(benchmark, group if name == PROJECT else IMPORTS)

    usage = {each.printed for each in race.results[START_EVENT]}
    assert len(usage) == ROUNDS.at(size), "each process recorded one event"
    assert all("tokens" in each.printed for each in race.results[START_COMMAND])
    record(benchmark, name, events=1, digest=digest(group), seconds=rounds[0].seconds)
