"""What is promised in `tests/README.md`, and how often the tests named have tried it.

The promises and their tests are written by hand, in the table itself; what stands in its
last column, and what all sweeps have counted, is from `tests/figures.json`.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.documentation.pages import ROOT, generated
from tests.documentation.tables import table
from tests.figures import CountedTest, described, read_figures, total_of

PAGE = ROOT / "tests" / "README.md"
_SEPARATOR = re.compile(r"(?<!\\) \| ")
_NAMED = re.compile(r"`(tests/[^`]+)`")


class Promise(NamedTuple):
    """A row of the table.

    Attributes:
        text: what is promised.
        tests: what shows it, as the table names it.
    """

    text: str
    tests: str

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the tests, or the names of whole modules."""
        return _NAMED.findall(self.tests)


def promised() -> Iterator[Promise]:
    """Yield the rows that stand in the table."""
    _, _, *rows = generated(PAGE)["promises"].strip().splitlines()
    for row in rows:
        text, tests, *_ = _SEPARATOR.split(row.removeprefix("| ").removesuffix(" |"))
        yield Promise(text.replace("\\|", "|"), tests)


def promises() -> str:
    """Write the table anew, with what was counted in the last run."""
    counted = {each.test: each for each in read_figures().tests}
    return table(
        ["Promise", "Test", "Figure"],
        [[each.text, each.tests, _figure(each, counted)] for each in promised()],
    )


def _figure(promise: Promise, counted: dict[str, CountedTest]) -> str:
    found = [counted[each] for each in promise.ids if each in counted]
    return described(total_of(promise.text, found)) if found else ""


def figures() -> str:
    """Say what a run has counted in all, by what it did."""
    run = read_figures()
    total = total_of("all", run.tests)
    commit, _, changed = run.commit.partition(" ")
    return (
        f"\n{described(total)}: in {run.seconds / 60:.0f} minutes of {run.date}, by"
        f" {' '.join(filter(None, [commit[:8], changed]))} on {run.machine}.\n\n"
    )
