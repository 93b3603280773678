"""Usage summed up from hourly totals is what the events themselves add up to.

Re-aggregation agrees with a naive oracle; here the two answers are compared, metadata
included. Draws are dense where totals and events part: hours that bounds and windows of
odd zones cut in two, last events that were cancelled, what one connection sealed and
another one holds in its tail.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from hypothesis import event as note
from hypothesis import example, given
from hypothesis import strategies as st

import metering
from tests.conftest import StoreTargets
from tests.metering.usual_usage import cancel_event, create_meter
from tests.projections.scans.reaggregation.drawing import (
    CHANGES,
    CUSTOMERS,
    bounds,
    timestamps,
)
from tests.segment_places import places_of

NOW = datetime(2027, 1, 1, tzinfo=UTC)
NAMES = ("tokens", "Größe", "calls")
FORMULAS = ("sum", "count", "last", "avg", "sum", "last", "max", "unique_count")
VALUES = ("1", "-2.5", "0", "0.000000000001", "9" * 18, "-" + "9" * 18 + ".25", "3e9")
ZONES = {
    "Asia/Kolkata": "Asia/Kathmandu",
    "Europe/Berlin": "America/New_York",
    "Europe/London": "UTC",
}
"""Zones beside those that have a change of their own, each with one whose it shares."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """Events that one connection records at once."""

    events: tuple[tuple[str, str, datetime, str], ...]


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """The cancellation of an event, counted back from the latest."""

    back: int


SEAL: Literal["seal"] = "seal"
Step = Used | Cancelled | Literal["seal"]


@dataclass(frozen=True, kw_only=True)
class Life:
    """What a store lives through, each step on one of two connections, and questions."""

    meters: tuple[tuple[str, Any], ...]
    steps: tuple[tuple[int, Step], ...]
    questions: tuple[dict[str, Any], ...]


def events(zone: str) -> st.SearchStrategy[Used]:
    one = st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(CUSTOMERS),
        timestamps(zone),
        st.sampled_from(VALUES),
    )
    return st.lists(one, min_size=1, max_size=8).map(
        lambda drawn: Used(events=tuple(drawn))
    )


@st.composite
def questions(draw: st.DrawFn, around: str) -> dict[str, Any]:
    start, end = draw(bounds(around))
    near = [around, *(zone for zone, other in ZONES.items() if other == around)]
    some = st.lists(st.sampled_from([*CUSTOMERS, "nobody"]), min_size=1, unique=True)
    return {
        "start_time": draw(st.sampled_from([None, start])),
        "end_time": draw(st.sampled_from([None, end])),
        "window": draw(st.sampled_from(["hour", "day", "week", "month", None])),
        "timezone": draw(st.sampled_from(["UTC", *near])),
        "customers": draw(st.none() | some),
        "meters": draw(st.none() | st.just(NAMES[0])),
    }


@st.composite
def lives(draw: st.DrawFn) -> Life:
    zone = draw(st.sampled_from(sorted(CHANGES)))
    windows = st.sampled_from([None, None, "hour", "day"])
    step = (
        events(zone)
        | events(zone)
        | st.builds(Cancelled, back=st.integers(0, 5))
        | st.just("seal")
    )
    return Life(
        meters=tuple(
            (draw(st.sampled_from(FORMULAS)), draw(windows)) for _ in range(len(NAMES))
        ),
        steps=tuple(draw(st.lists(st.tuples(st.integers(0, 1), step), max_size=8))),
        questions=tuple(draw(st.lists(questions(zone), min_size=3, max_size=6))),
    )


HALF_PAST = CHANGES["UTC"].replace(hour=18, minute=30)
# The last event of an hour is cancelled when its run is made, and again in the tail.
THRICE = Used(
    events=tuple(
        (name, customer, HALF_PAST.replace(second=second), str(second))
        for second in range(3)
        for name in NAMES
        for customer in CUSTOMERS[:2]
    )
)
CANCELLED: tuple[tuple[int, Step], ...] = tuple(
    (1, Cancelled(back=back)) for back in range(5)
)
# The last event of an hour is cancelled before its run is made, and in the tail.
HIDDEN = Life(
    meters=(("last", None), ("sum", "hour"), ("last", "day")),
    steps=(
        (0, THRICE),
        *CANCELLED,
        (0, SEAL),
        (1, THRICE),
        (0, SEAL),
        *CANCELLED,
        (1, Cancelled(back=6)),
    ),
    questions=(
        {"window": "hour"},
        {"window": "day", "timezone": "Asia/Kolkata"},
        {"window": "month", "customers": CUSTOMERS[:1]},
        {"window": None, "start_time": HALF_PAST.replace(second=1)},
        {"window": None, "end_time": HALF_PAST.replace(second=2)},
    ),
)


def test_usage_is_what_the_events_add_up_to(store_targets: StoreTargets) -> None:
    """In the tail, in runs and between them, by every window and zone."""

    @given(lives())
    @example(HIDDEN)
    def agree(life: Life) -> None:
        clock = metering.FixedClock(NOW)
        with (
            store_targets() as target,
            metering.connect(target, clock=clock, **places_of(target)) as first,
            metering.connect(target, clock=clock, **places_of(target)) as second,
        ):
            live(life, first, second)
            compare(life, second)
            first.seal()
            compare(life, first)
            compare(life, second)

    agree()


def live(life: Life, *connections: metering.Metering) -> None:
    for name, (formula, window) in zip(NAMES, life.meters, strict=True):
        create_meter(connections[0], name, formula, event_time_window=window)
    recorded: list[str] = []
    for number, step in life.steps:
        m = connections[number]
        match step:
            case "seal":
                m.seal()
            case Cancelled(back=back):
                if back < len(recorded):
                    name, identifier = recorded[-1 - back].split(":")
                    cancel_event(m, f"{name}:{identifier}", name)
            case Used():
                rows = [
                    {
                        "event_name": name,
                        "identifier": f"{name}:{len(recorded) + at}",
                        "timestamp": timestamp,
                        "stripe_customer_id": customer,
                        "value": value,
                    }
                    for at, (name, customer, timestamp, value) in enumerate(step.events)
                ]
                receipt = m.meter_events.ingest(rows, backfill=True)
                assert receipt.accepted == len(rows)
                recorded += [str(row["identifier"]) for row in rows]


def compare(life: Life, m: metering.Metering) -> None:
    for asked in life.questions:
        expected = m.reaggregate(**asked)

        found = m.usage(**asked)

        note("some rows" if expected.num_rows else "no rows")
        assert found.equals(expected, check_metadata=True), asked
