"""Charts of a balance over time: blocks over a line of amounts and times.

Pure: steps in, strings out. Every label is exact: a full cell reaches the amount that is
written beside its row, and the times under the line are those of its two ends and of its
middle. A column stands for a half-open part of the time, and shows the last balance in
it.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metering.arguments.clock import at_microseconds
from metering.cli.screens.text import LEVELS, PLAIN_LEVELS, moment

ROWS_AT_MOST = 10
_COLUMNS_AT_LEAST = 20
_PENDING = "░"
_PLAIN_PENDING = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A balance from an instant on, until the next step.

    Attributes:
        instant: in microseconds since 1970 UTC.
        available: in minor units, at least 0.
        ledger: the same and what is pending, so never less.
    """

    instant: int
    available: int
    ledger: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartLine:
    """One line of a chart: what is written, and what is drawn after it."""

    label: str
    drawn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What a chart is drawn on."""

    width: int
    is_plain: bool


def marks(paper: Paper) -> tuple[str, str]:
    """Return the marks of available and of pending credits."""
    if paper.is_plain:
        return PLAIN_LEVELS[-1], _PLAIN_PENDING
    return LEVELS[-1], _PENDING


def balance_chart(
    steps: Sequence[Step],
    bounds: tuple[int, int],
    amount: Callable[[int], str],
    paper: Paper,
) -> list[ChartLine]:
    """Draw available credits, and pending ones on top of them in another pattern.

    Args:
        steps: in the order of time; the first is at the start or before it.
        bounds: start and end in microseconds, half-open; the end is later.
        amount: writes minor units.
        paper: how wide, in characters, and whether in ASCII only.
    """
    start, end = bounds
    assert start < end, "a chart covers some time"
    unit = _unit_of_rows(max(step.ledger for step in steps))
    count = max(1, -(-max(step.ledger for step in steps) // unit))
    labels = _row_labels(count, unit, amount)
    margin = max(len(label) for label in labels)
    columns = max(_COLUMNS_AT_LEAST, paper.width - margin - 2)
    # An even number has a middle.
    columns -= columns % 2
    shown = [
        _before(steps, start + (end - start) * (at + 1) // columns)
        for at in range(columns)
    ]
    tick, corner, line = ("|", "+", "-") if paper.is_plain else ("┤", "└", "─")
    lines = [
        ChartLine(
            label=f"{labels[row + 1].rjust(margin)} {tick}",
            drawn="".join(_cell(step, row, unit, paper) for step in shown).rstrip(),
        )
        for row in reversed(range(count))
    ]
    lines.append(ChartLine(label=f"{labels[0].rjust(margin)} {corner}{line * columns}"))
    times = _times_below(start, end, columns)
    lines.append(ChartLine(label=" " * (margin + 2) + times))
    return lines


def _unit_of_rows(largest: int) -> int:
    """Find the smallest of 1, 2, 5, 10, 20, 50 … that fits into the rows there are."""
    power = 1
    while True:
        for leading in (1, 2, 5):
            if leading * power * ROWS_AT_MOST >= largest:
                return leading * power
        power *= 10


def _row_labels(count: int, unit: int, amount: Callable[[int], str]) -> list[str]:
    """Label the line and the rows above it; every second one where there are many."""
    every = 1 if count <= ROWS_AT_MOST // 2 else 2
    return [
        amount(row * unit) if (count - row) % every == 0 or row == 0 else ""
        for row in range(count + 1)
    ]


def _before(steps: Sequence[Step], instant: int) -> Step:
    """Find the last step before an instant."""
    at = bisect_left(steps, instant, key=lambda step: step.instant)
    return steps[max(at - 1, 0)]


def _cell(step: Step, row: int, unit: int, paper: Paper) -> str:
    """Draw what of a balance lies in a row; what is there at all shows in the lowest."""
    levels = PLAIN_LEVELS if paper.is_plain else LEVELS
    top = len(levels) - 1

    def level(amount: int) -> int:
        reached = amount * top // unit
        return min(max(reached, amount > 0) - row * top, top)

    if level(step.available) > 0:
        return levels[level(step.available)]
    if level(step.ledger) > 0:
        return marks(paper)[1]
    return " "


def _times_below(start: int, end: int, columns: int) -> str:
    """Write the two ends, and the middle if there is room and it is as round as they."""
    first, last = _names_of([start, end])
    room = columns - len(first) - len(last)
    if (end - start) % 2 == 0:
        _, middle, _ = _names_of([start, (start + end) // 2, end])
        if len(middle) <= min(len(first), room - 4):
            before = columns // 2 - len(first) - len(middle) // 2
            first += " " * before + middle
    return first + last.rjust(max(columns - len(first), len(last) + 2))


def _names_of(instants: Sequence[int]) -> list[str]:
    """Write times with as many digits as the finest of them needs."""
    full = [moment(at_microseconds(instant)) for instant in instants]
    for ending in (" 00:00:00", ":00"):
        if all(name.endswith(ending) for name in full):
            return [name.removesuffix(ending) for name in full]
    return full
