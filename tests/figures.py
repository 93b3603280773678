"""Own what sweeps have counted: gathered from every worker, printed once, written down.

A test that tries many times asks for `figures` and says how often it tried, and what was
lost or doubled. METERING_TEST_FIGURES names a file for the figures of a run; those of the
last one lie beside this module, and `tests.documentation.promises` shows them.
"""

import os
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from cpuinfo import get_cpu_info

import metering
from tests.profiles import PROFILE

FILE = Path(__file__).with_name("figures.json")
FILE_VARIABLE = "METERING_TEST_FIGURES"
Kind = Literal["states", "faults", "stops", "cuts", "kills", "flips", "edits", "audits"]
"""What is done to the product: power losses rebuilt, system calls failed, servers stopped,
connections cut, processes killed, bits flipped, rows and files edited; or how often a
store without a fault was audited."""

_PROPERTY = "figures"
_BEGAN = pytest.StashKey[float]()
# A sweep of `prove` takes as long as it takes; what hangs in it is bounded by itself.
_LONGEST_SWEEP_SECONDS = 3_600


@dataclass(slots=True)
class Figures:
    """What one test has counted.

    Attributes:
        tried: how often it tried, by what it did.
        lost: how much of what was acknowledged was not there after.
        doubled: how much of it was there more than once.
    """

    tried: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0

    def add(
        self, kind: Kind, times: int = 1, *, lost: int = 0, doubled: int = 0
    ) -> None:
        """Count what was tried, and what it cost."""
        self.tried[kind] += times
        self.lost += lost
        self.doubled += doubled


class CountedTest(msgspec.Struct, kw_only=True):
    """What a test has counted in a run, over all its parameters."""

    test: str
    tried: dict[str, int]
    lost: int
    doubled: int
    failed: int = 0
    """Under how many of its parameters it failed."""
    seconds: float


class CountedRun(msgspec.Struct, kw_only=True):
    """What a run has counted, when, with which commit and where, and how long it took."""

    date: str
    commit: str
    machine: str
    seconds: float
    tests: list[CountedTest]


def read_figures() -> CountedRun:
    """Read the figures of the last whole run."""
    return msgspec.json.decode(FILE.read_bytes(), type=CountedRun)


def total_of(name: str, counted: Iterable[CountedTest]) -> CountedTest:
    """Add up what tests have counted, under a name."""
    total = CountedTest(test=name, tried={}, lost=0, doubled=0, seconds=0.0)
    for each in counted:
        total.tried = dict(Counter(total.tried) + Counter(each.tried))
        total.lost += each.lost
        total.doubled += each.doubled
        total.failed += each.failed
        total.seconds = round(total.seconds + each.seconds, 1)
    return total


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """Count what a test tries."""
    found, began = Figures(), time.monotonic()
    yield found
    counted = CountedTest(
        test=request.node.nodeid.partition("[")[0],
        tried=dict(found.tried),
        lost=found.lost,
        doubled=found.doubled,
        seconds=time.monotonic() - began,
    )
    # A worker sends the properties of a test along with its report.
    request.node.user_properties.append((_PROPERTY, msgspec.to_builtins(counted)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that count, before any are selected by their marks."""
    for item in items:
        if "figures" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.counted)
            if PROFILE.is_thorough:
                item.add_marker(pytest.mark.timeout(_LONGEST_SWEEP_SECONDS))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember when the run began."""
    session.config.stash[_BEGAN] = time.monotonic()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what all workers counted, and write it down where that was asked for."""
    reports = [each for kind in terminalreporter.stats.values() for each in kind]
    tests = list(
        _by_test([each for each in reports if isinstance(each, pytest.TestReport)])
    )
    if not tests:
        return
    terminalreporter.section("figures")
    for each in (*tests, total_of("all", tests)):
        terminalreporter.write_line(
            f"{each.test}: {described(each)}, {each.seconds:.0f} s"
        )
    if path := os.environ.get(FILE_VARIABLE):
        run = CountedRun(
            date=metering.SystemClock().now().date().isoformat(),
            commit=_commit(),
            machine=_machine(),
            seconds=round(time.monotonic() - config.stash[_BEGAN]),
            tests=tests,
        )
        written = msgspec.json.format(msgspec.json.encode(run))
        Path(path).write_bytes(written + b"\n")


def described(counted: CountedTest) -> str:
    """Describe in one line what was counted."""
    tried = [f"{number:,} {kind}" for kind, number in sorted(counted.tried.items())]
    failed = [f"{counted.failed} failed"] if counted.failed else []
    return ", ".join(
        [*tried, f"{counted.lost} lost", f"{counted.doubled} doubled", *failed]
    )


def _by_test(reports: Iterable[pytest.TestReport]) -> Iterator[CountedTest]:
    failed = {each.nodeid for each in reports if each.failed}
    found: dict[str, list[CountedTest]] = {}
    for report in reports:
        # The last of a test's reports has all its properties.
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == _PROPERTY:
                    counted = msgspec.convert(value, CountedTest)
                    counted.failed = int(report.nodeid in failed)
                    found.setdefault(counted.test, []).append(counted)
    return (total_of(name, found[name]) for name in sorted(found))


def _commit() -> str:
    """Return the commit of the code that runs, and whether it was changed."""
    describe = ["git", "describe", "--always", "--exclude=*", "--abbrev=40"]
    said = subprocess.run(
        [*describe, "--dirty= with changes"], capture_output=True, text=True, check=True
    )
    return said.stdout.strip()


def _machine() -> str:
    """Describe this machine, as benchmarks do."""
    name = get_cpu_info().get("brand_raw", "unknown processor")
    return f"{os.cpu_count()} x {name}, {platform.system()} {platform.release()}"
