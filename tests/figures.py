"""Own what sweeps have counted: gathered from every worker, printed once, written down.

A test that tries many times asks for `figures` and says how often it tried, and what was
lost or doubled. Its docstring begins with the promise that it shows. METERING_TEST_FIGURES
names a file for the figures of a run.
"""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import pytest

import metering

FILE_VARIABLE = "METERING_TEST_FIGURES"
Kind = Literal["states", "faults", "stops", "cuts", "kills", "flips", "edits"]
"""What is done to the product: power losses rebuilt, system calls failed, servers stopped,
connections cut, processes killed, bits flipped, rows and files edited."""

_PROPERTY = "figures"


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
    promise: str
    tried: dict[str, int]
    lost: int
    doubled: int
    seconds: float


class CountedRun(msgspec.Struct, kw_only=True):
    """What a run has counted."""

    date: str
    processors: int
    tests: list[CountedTest]

    @property
    def total(self) -> CountedTest:
        """What all its tests have counted."""
        total = _nothing("all", "")
        for each in self.tests:
            _take_in(total, each)
        return total


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """Count what a test tries."""
    found, began = Figures(), time.monotonic()
    promise = _promise_of(request.function.__doc__)
    yield found
    counted = CountedTest(
        test=request.node.nodeid.partition("[")[0],
        promise=promise,
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


def _promise_of(docstring: str | None) -> str:
    """Return the first sentence of a test's docstring, on one line."""
    assert docstring, "a test that counts says in its docstring what that shows"
    return " ".join(docstring.split()).partition(". ")[0].removesuffix(".")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what all workers counted, and write it down where that was asked for."""
    reports = (each for kind in terminalreporter.stats.values() for each in kind)
    run = CountedRun(
        date=metering.SystemClock().now().date().isoformat(),
        processors=os.cpu_count() or 1,
        tests=list(_by_test(_counted_in(reports))),
    )
    if not run.tests:
        return
    terminalreporter.section("figures")
    for each in (*run.tests, run.total):
        terminalreporter.write_line(f"{each.test}: {described(each)}")
    if path := os.environ.get(FILE_VARIABLE):
        written = msgspec.json.format(msgspec.json.encode(run))
        Path(path).write_bytes(written + b"\n")


def described(counted: CountedTest) -> str:
    """Describe in one line what was counted."""
    tried = [f"{number:,} {kind}" for kind, number in sorted(counted.tried.items())]
    outcome = [f"{counted.lost} lost", f"{counted.doubled} doubled"]
    return ", ".join([*tried, *outcome, f"{counted.seconds:.0f} s"])


def _counted_in(reports: Iterable[object]) -> Iterator[CountedTest]:
    for report in reports:
        # The last of a test's reports has all its properties.
        if isinstance(report, pytest.TestReport) and report.when == "teardown":
            for name, value in report.user_properties:
                if name == _PROPERTY:
                    yield msgspec.convert(value, CountedTest)


def _by_test(counted: Iterable[CountedTest]) -> Iterable[CountedTest]:
    found: dict[str, CountedTest] = {}
    for each in sorted(counted, key=lambda each: each.test):
        _take_in(found.setdefault(each.test, _nothing(each.test, each.promise)), each)
    return found.values()


def _nothing(test: str, promise: str) -> CountedTest:
    return CountedTest(
        test=test, promise=promise, tried={}, lost=0, doubled=0, seconds=0.0
    )


def _take_in(total: CountedTest, each: CountedTest) -> None:
    total.tried = dict(Counter(total.tried) + Counter(each.tried))
    total.lost += each.lost
    total.doubled += each.doubled
    total.seconds = round(total.seconds + each.seconds, 1)
