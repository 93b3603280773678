"""Every explanation adds up to its number, and nothing is left unexplained.

A naive oracle lives through the same history and says which events count, why the
others do not, and what came late; it shares no code with the product.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import metering
from tests.conftest import StoreTargets
from tests.metering.explaining.exports import confirm
from tests.oracles.explanations import Asked, Told
from tests.oracles.usage import Span
from tests.strategies import MICROSECOND, MIDNIGHT

HOUR = timedelta(hours=1)
NOW = MIDNIGHT + timedelta(hours=30)
METERS = [
    *product(["sum", "last", "unique_count"], [None, "hour", "day"]),
    ("count", None),
    ("avg", None),
    ("min", None),
    ("max", "hour"),
]
TIMES = st.sampled_from(
    [
        MIDNIGHT + hours * HOUR + ticks * MICROSECOND
        for hours in (-1, 0, 0.5, 1, 24)
        for ticks in (-1, 0, 1)
    ]
)
SPANS: tuple[Span, ...] = (
    (MIDNIGHT - 3 * HOUR, MIDNIGHT + 29 * HOUR),
    (MIDNIGHT - HOUR + MICROSECOND, MIDNIGHT + HOUR - MICROSECOND),
    (MIDNIGHT, MIDNIGHT + HOUR),
    (MIDNIGHT + HOUR / 2, MIDNIGHT + 24 * HOUR),
    (MIDNIGHT, MIDNIGHT + MICROSECOND),
)


@dataclass(frozen=True)
class Use:
    """An event of each meter."""

    at: datetime
    value: str
    customer: str = "cus_1"


Step = Use | int | str
STEPS = st.one_of(
    st.builds(
        Use,
        TIMES,
        st.sampled_from(["1", "2.5", "-3", "0", "0.000000000001", "9" * 18]),
        st.sampled_from(["cus_1", "cus_1", "cus_1", "cus_2"]),
    ),
    st.integers(0, 12),
    st.sampled_from(["seal", "rebuild", "an hour passes"]),
)
HISTORIES = st.lists(STEPS, max_size=14)
EVENTFUL: list[Step] = [
    Use(MIDNIGHT - MICROSECOND, "1"),
    Use(MIDNIGHT + HOUR / 2, "2.5"),
    Use(MIDNIGHT + HOUR / 2, "-3", "cus_2"),
    "an hour passes",
    1,
    "seal",
    Use(MIDNIGHT, "9" * 18),
    Use(MIDNIGHT + HOUR - MICROSECOND, "9" * 18),
    0,
    3,
    "seal",
    Use(MIDNIGHT + HOUR / 2, "2.5"),
    4,
    "an hour passes",
    Use(MIDNIGHT + HOUR, "0.000000000001"),
    Use(MIDNIGHT - HOUR, "0"),
]


@dataclass
class Lived:
    """A store, and what the oracle knows of it."""

    m: metering.Metering
    clock: metering.FixedClock
    events: list[Told] = field(default_factory=list)
    names: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    halfway: int = 0

    def create_meters(self) -> None:
        for formula, window in METERS:
            name = f"{formula} by {window}"
            self.names[name] = formula, window
            given: Any = {"formula": formula}
            self.m.meters.create(
                display_name=name,
                event_name=name,
                default_aggregation=given,
                event_time_window=window,  # type: ignore[arg-type]  # one of them
            )

    def step(self, step: Step) -> None:
        match step:
            case Use():
                for name in self.names:
                    self._use(name, step)
            case int():
                for event in self.events[len(self.names) * step :][: len(self.names)]:
                    self._cancel(event)
            case "seal":
                self.m.seal()
                self.halfway = self.m.position
            case "rebuild":
                self.m.rebuild()
            case _:
                self.clock.advance(HOUR)

    def _use(self, name: str, use: Use) -> None:
        made = self.m.meter_events.create(
            event_name=name,
            payload={"stripe_customer_id": use.customer, "value": use.value},
            timestamp=use.at,
        )
        self.events.append(
            Told(
                position=made.position,
                recorded_at=made.created,
                identifier=made.identifier,
                meter=name,
                customer=use.customer,
                timestamp=use.at,
                value=use.value,
            )
        )

    def _cancel(self, event: Told) -> None:
        self.m.meter_event_adjustments.create(
            event_name=event.meter,
            type="cancel",
            cancel={"identifier": event.identifier},
        )
        if event.cancelled_by is None:
            event.cancelled_by, event.cancelled_at = self.m.position, self.clock.now()

    def asked(self, name: str, span: Span, position: int) -> Asked:
        formula, window = self.names[name]
        return Asked(
            formula=formula,
            window=window,
            events=[
                each
                for each in self.events
                if each.meter == name and each.customer == "cus_1"
            ],
            span=span,
            position=position,
        )


def check(lived: Lived, name: str, span: Span, position: int | None) -> None:
    """Compare an explanation with the oracle's, to the last event."""
    m = lived.m
    made = m.explain(
        meter=name,
        customer="cus_1",
        start_time=span[0],
        end_time=span[1],
        as_of=position,
    )
    asked = lived.asked(name, span, m.position if position is None else position)

    counted, known = made.events().read_all(), asked.counted()
    assert made.value == asked.value()
    assert made.event_count == len(known)
    assert sum(part.event_count for part in made.parts) == len(known)
    assert made.adds_up()
    for column, attribute in (
        ("position", "position"),
        ("recorded_at", "recorded_at"),
        ("identifier", "identifier"),
        ("timestamp", "timestamp"),
    ):
        expected = [getattr(each, attribute) for each in known]
        assert counted.column(column).to_pylist() == expected
    others = made.not_counted().read_all()
    assert [
        (each["position"], each["reason"], each["by"]) for each in others.to_pylist()
    ] == asked.not_counted(HOUR)
    late = made.late(lived.halfway).read_all().to_pylist()
    assert [
        (each["kind"], each["position"], each["event_position"]) for each in late
    ] == asked.late(lived.halfway)
    times = {each.position: each.recorded_at for each in asked.events}
    times |= {each.cancelled_by or 0: each.cancelled_at for each in asked.events}  # type: ignore[misc]  # of none it is not asked
    assert all(each["recorded_at"] == times[each["position"]] for each in late)


def check_exported(lived: Lived, name: str, span: Span, position: int | None) -> None:
    """Have an explanation confirmed by the checker that is exported with it."""
    made = lived.m.explain(
        meter=name,
        customer="cus_1",
        start_time=span[0],
        end_time=span[1],
        as_of=position,
    )
    with TemporaryDirectory() as parent:
        exported = made.export(Path(parent) / "proof")
        confirm(Path(parent) / "proof", made.digest)
    # Every commit has events of one customer.
    assert exported.shown_count == exported.event_count == made.event_count


def live_through(history: list[Step], turn: int, store_targets: StoreTargets) -> None:
    """Live through a history, and compare one question about each meter.

    The turn decides which spans and positions they are.
    """
    clock = metering.FixedClock(NOW)
    with store_targets() as target, metering.connect(target, clock=clock) as m:
        lived = Lived(m, clock)
        lived.create_meters()
        for step in history:
            lived.step(step)

        for number, name in enumerate(lived.names, turn):
            position = lived.halfway if number % 3 == 0 else None
            check(lived, name, SPANS[number % len(SPANS)], position)
            if number % 4 == 0:
                check_exported(lived, name, SPANS[number % len(SPANS)], position)


def test_every_explanation_adds_up_and_explains_every_event(
    store_targets: StoreTargets,
) -> None:
    @given(HISTORIES, st.integers(0, 14))
    def add_up(history: list[Step], turn: int) -> None:
        live_through(history, turn, store_targets)

    add_up()


@pytest.mark.dialect
@pytest.mark.parametrize("turn", [0, 4])
def test_an_eventful_history_is_explained(
    turn: int, store_targets: StoreTargets
) -> None:
    live_through(EVENTFUL, turn, store_targets)
