"""Own histories to be summarised: a log with its summaries, and every event as a list.

The expectation is made here, of plain loops over the events and of fractions.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product

import pyarrow as pa
from hypothesis import strategies as st

from ledger.facts.meters import EventTimeWindow, Formula
from ledger.usage.columns import UsageRow
from projections.kernels.usage.series import Series
from projections.meters.tables import read_definitions
from projections.usage.series_events import VALUES, SeriesEvents
from projections.usage.summaries import GroupingWindow, Summaries
from projections.usage.view import UsageView
from projections.windows import DAY, HOUR
from tests.ledger.usage_rows import decimal_of, units
from tests.projections.cells import units_of
from tests.projections.usage_logs import OpenUsage, cancellation_of, created

LENGTHS = {EventTimeWindow.HOUR: HOUR, EventTimeWindow.DAY: DAY}
METERS = {
    f"{formula.value} {window.value if window else 'plain'}": (formula, window)
    for formula, window in product(Formula, [None, *EventTimeWindow])
}
FIRST_DAY = 20_000
CUSTOMERS = ["cus_1", "cus_2"]
GROUPINGS = [None, "hour", "day"]

TIMES = st.builds(
    lambda hour, offset: FIRST_DAY * DAY + hour * HOUR + offset,
    st.sampled_from([0, 1, 2, 23, 24]),
    st.sampled_from([0, 1, HOUR // 2, HOUR - 1]),
)


def events_on(names: Sequence[str]) -> st.SearchStrategy[UsageRow]:
    return st.builds(
        UsageRow,
        event_name=st.sampled_from(names),
        identifier=st.just("unused"),
        customer=st.sampled_from(CUSTOMERS),
        timestamp=TIMES,
        value=(st.integers(-3, 3) | units()).map(decimal_of),
        payload=st.sampled_from(["a", "b", "ä"]).map(lambda text: (("v", text),)),
    )


BOUNDS = st.tuples(TIMES, TIMES).map(sorted).filter(lambda each: each[0] < each[1])


@dataclass(kw_only=True)
class Known:
    """An event that was recorded, and whether it still counts."""

    position: int
    event: UsageRow
    counts: bool = True


class NotedReads(SeriesEvents):
    """Reads events, and notes the positions of those that were read."""

    def __init__(self) -> None:
        self.positions: list[int] = []

    def read(
        self,
        view: UsageView,
        series: Series,
        start: int,
        end: int,
        columns: tuple[str, str, str] = VALUES,
    ) -> pa.Table:
        events = super().read(view, series, start, end, columns)
        self.positions += events.column("position").to_pylist()
        return events


class History:
    """A log with its summaries, and everything recorded as a list."""

    def __init__(self, opened: OpenUsage) -> None:
        self.opened = opened
        self.read = NotedReads()
        self.summaries = Summaries(opened.usage, self.read)
        self.events: list[Known] = []
        opened.record(*(created(name, *kind) for name, kind in METERS.items()))
        with opened.log.read() as connection:
            self.definitions = read_definitions(connection)

    def seen_by(self, opened: OpenUsage) -> "History":
        """The same history, as another process that opened the log sees it."""
        other = copy(self)
        other.opened = opened
        other.summaries = Summaries(opened.usage, other.read)
        return other

    def record(self, *events: UsageRow) -> None:
        first = self.opened.append(events)
        self.events += [
            Known(position=position, event=event)
            for position, event in enumerate(events, first)
        ]

    def cancel(self, known: Known) -> None:
        self.opened.record(cancellation_of(known.event, known.position))
        known.counts = False

    def summarised(
        self, name: str, customer: str, bounds: Sequence[int], grouping: str | None
    ) -> list[tuple[int, int, int]]:
        start, end = bounds
        series = Series(meter=self.definitions[name], customer=customer)
        window = None if grouping is None else GroupingWindow(grouping)
        found, position = self.summaries.between(series, start, end, window)
        assert position == self.opened.log.head().position
        return [(each.start, each.end, each.units) for each in found]

    def expected(
        self, name: str, customer: str, bounds: Sequence[int], grouping: str | None
    ) -> list[tuple[int, int, int]]:
        start, end = bounds
        formula, window = METERS[name]
        counted = [
            known
            for known in self.events
            if known.counts
            if (known.event.event_name, known.event.customer) == (name, customer)
        ]
        if window is not None:
            counted = survivors(counted, LENGTHS[window])
        counted = [each for each in counted if start <= each.event.timestamp < end]
        if grouping is None:
            return [(start, end, AGGREGATES[formula](counted) if counted else 0)]
        length = GroupingWindow(grouping).length
        return [
            (
                max(start, at * length),
                min(end, (at + 1) * length),
                AGGREGATES[formula](
                    [each for each in counted if each.event.timestamp // length == at]
                ),
            )
            for at in sorted({each.event.timestamp // length for each in counted})
        ]


def survivors(counted: Sequence[Known], length: int) -> list[Known]:
    last: dict[int, Known] = {}
    for known in sorted(counted, key=lambda each: each.position):
        last[known.event.timestamp // length] = known
    return list(last.values())


AGGREGATES: dict[Formula, Callable[[Sequence[Known]], int]] = {
    Formula.SUM: lambda counted: sum(map(value, counted)),
    Formula.COUNT: lambda counted: len(counted) * 10**12,
    Formula.LAST: lambda counted: value(
        max(counted, key=lambda each: (each.event.timestamp, each.position))
    ),
    Formula.MIN: lambda counted: min(map(value, counted)),
    Formula.MAX: lambda counted: max(map(value, counted)),
    # Python rounds a fraction's half to even.
    Formula.AVG: lambda counted: round(
        Fraction(sum(map(value, counted)), len(counted))
    ),
    Formula.UNIQUE_COUNT: lambda counted: (
        len({dict(each.event.payload)["v"] for each in counted}) * 10**12
    ),
}


def value(known: Known) -> int:
    return units_of(known.event.value)


def event(
    name: str, number: str, *, hour: int = 0, offset: int = 0, text: str = "a"
) -> UsageRow:
    return UsageRow(
        event_name=name,
        identifier="unused",
        customer="cus_1",
        timestamp=FIRST_DAY * DAY + hour * HOUR + offset,
        value=Decimal(f"{number}.000000000000"),
        payload=(("v", text),),
    )
