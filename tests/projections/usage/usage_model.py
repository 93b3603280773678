"""Own what the tests of usage draw and expect: events of six meters, walked through.

The model keeps every event in a list and goes through all of it for each question.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import strategies as st

from ledger.facts.adjustments import MeterEventCancelled
from ledger.facts.meters import EventTimeWindow, Formula
from ledger.usage.columns import UsageRow
from projections.kernels.meters import apply_fact
from projections.kernels.usage.series import Series
from projections.windows import DAY, HOUR, floor_to
from tests.ledger.usage_rows import decimal_of, units
from tests.projections.cells import units_of
from tests.projections.usage_logs import cancellation_of, created

METERS = {
    "sum": (Formula.SUM, None),
    "count": (Formula.COUNT, None),
    "last": (Formula.LAST, None),
    "sum hourly": (Formula.SUM, EventTimeWindow.HOUR),
    "count daily": (Formula.COUNT, EventTimeWindow.DAY),
    "last daily": (Formula.LAST, EventTimeWindow.DAY),
}
TOTALS = ["sum", "count"]
LASTS = ["last", "sum hourly", "count daily", "last daily"]
CUSTOMERS = ["cus_1", "cus_2", "größe"]
FIRST_HOUR = 500_000
LAST_HOUR = FIRST_HOUR + 49


def series_of(name: str, customer: str) -> Series:
    fact = created(name, *METERS[name])
    meter = apply_fact({}, fact, position=1, recorded_at=0)
    assert meter is not None
    return Series(meter=meter, customer=customer)


EVENT = UsageRow("sum", "a", "cus_1", FIRST_HOUR * HOUR, Decimal("1.000000000000"), ())
TIMES = st.builds(
    lambda hour, offset: hour * HOUR + offset,
    st.integers(FIRST_HOUR, LAST_HOUR - 1),
    st.sampled_from([0, 1, HOUR - 1]) | st.integers(0, HOUR - 1),
)
EVENTS = st.builds(
    UsageRow,
    event_name=st.sampled_from(list(METERS)),
    identifier=st.just("unused"),
    customer=st.sampled_from(CUSTOMERS),
    timestamp=TIMES,
    value=st.none() | units().map(decimal_of),
    payload=st.just(()),
)


@dataclass(kw_only=True)
class Known:
    """An event that was recorded, and the position of its cancellation."""

    position: int
    event: UsageRow
    cancelled_at: int | None = None

    def cancellation(self) -> MeterEventCancelled:
        return cancellation_of(self.event, self.position)


@dataclass
class Model:
    """Everything recorded, as a list to be walked through."""

    events: list[Known] = field(default_factory=list)

    def record(self, first_position: int, events: Iterable[UsageRow]) -> None:
        self.events += [
            Known(position=position, event=event)
            for position, event in enumerate(events, first_position)
        ]

    @property
    def live(self) -> Sequence[Known]:
        return [each for each in self.events if each.cancelled_at is None]

    def cancelled(self, as_of: int) -> list[int]:
        return [
            known.position
            for known in self.events
            if known.cancelled_at is not None and known.cancelled_at <= as_of
        ]

    def totals(
        self, name: str, customer: str, hours: range
    ) -> dict[int, tuple[int, int]]:
        found: dict[int, tuple[int, int]] = {}
        for known in self._of_series(name, customer, hours):
            count, total = found.get(_hour_of(known), (0, 0))
            is_counted = known.cancelled_at is None
            added = units_of(known.event.value) if is_counted else 0
            found[_hour_of(known)] = count + is_counted, total + added
        return dict(sorted(found.items()))

    def lasts(
        self, name: str, customer: str, hours: range
    ) -> dict[int, tuple[int, int, int, int]]:
        _, window = METERS[name]
        cells: dict[int, list[Known]] = {}
        for known in self._of_series(name, customer, hours):
            cells.setdefault(_hour_of(known), []).append(known)
        found = {}
        for hour in sorted(cells):
            last = max(
                cells[hour],
                key=lambda each: (
                    (0 if window else each.event.timestamp),
                    each.position,
                ),
            )
            found[hour] = (
                sum(each.cancelled_at is None for each in cells[hour]),
                last.event.timestamp,
                last.position,
                units_of(last.event.value),
            )
        return found

    def _of_series(self, name: str, customer: str, hours: range) -> list[Known]:
        """The events of a series in cells of some hours."""
        return [
            known
            for known in self.events
            if (known.event.event_name, known.event.customer) == (name, customer)
            if _hour_of(known) in hours
        ]


def _hour_of(known: Known) -> int:
    _, window = METERS[known.event.event_name]
    length = DAY if window is EventTimeWindow.DAY else HOUR
    return floor_to(known.event.timestamp, length) // HOUR
