"""Random corrections: every answer equals that of the events, and reverting undoes all."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import metering
from tests.conftest import StoreTargets
from tests.metering.usual_usage import NOW, create_meter
from tests.segment_places import places_of

NAMES = ("tokens", "calls", "seats", "users")
CUSTOMERS = ("cus_1", "cus_2")
EXTREMES = st.sampled_from(["max", "count"])
WHY: Any = {"reason": "wrong", "author": "Ada"}


@dataclass(frozen=True, kw_only=True)
class History:
    """Meters, events by portions, what is done between them, and what is corrected."""

    meters: tuple[tuple[Any, Any], ...]
    events: tuple[tuple[str, str, int, str], ...]
    cuts: tuple[int, ...]
    corrections: tuple[Any, ...]
    is_sealed: tuple[bool, bool]


def changes() -> st.SearchStrategy[Any]:
    different = st.fixed_dictionaries(
        {},
        optional={
            "customer": st.sampled_from([*CUSTOMERS, "cus_3"]),
            "timestamp": st.integers(0, 4).map(lambda n: NOW - n * timedelta(hours=9)),
            "payload": st.sampled_from([{"value": "7", "region": "eu"}]),
        },
    ).filter(bool)
    where = st.fixed_dictionaries(
        {"event_name": st.sampled_from(NAMES)},
        optional={
            "customer": st.sampled_from(CUSTOMERS),
            "first_position": st.integers(1, 25),
            "last_position": st.integers(5, 40),
            "payload": st.just({"region": "us"}),
        },
    )
    cancel = where.map(lambda asked: {"type": "cancel", **asked})
    replace = st.tuples(where, different).map(
        lambda drawn: {"type": "replace", **drawn[0], "replace": drawn[1]}
    )
    return st.lists(cancel | replace, min_size=1, max_size=2)


@st.composite
def histories(draw: st.DrawFn) -> History:
    one = st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(CUSTOMERS),
        st.integers(0, 6),
        st.sampled_from(["1", "-2.5", "3"]),
    )
    events = draw(st.lists(one, min_size=4, max_size=24))
    windows = st.sampled_from([None, "hour", "day"])
    return History(
        meters=tuple(
            (formula, draw(windows))
            for formula in ("sum", "last", draw(EXTREMES), "unique_count")
        ),
        events=tuple(events),
        cuts=tuple(draw(st.lists(st.integers(1, 24), max_size=3))),
        corrections=tuple(draw(st.lists(changes(), min_size=1, max_size=3))),
        is_sealed=(draw(st.booleans()), draw(st.booleans())),
    )


def test_a_correction_and_its_revert_leave_every_answer_as_it_was(
    store_targets: StoreTargets,
) -> None:
    """In totals and in events, sealed before, sealed after or not, whatever the meter."""

    @given(histories())
    def undone(history: History) -> None:
        clock = metering.FixedClock(NOW)
        with (
            store_targets() as target,
            metering.connect(target, clock=clock, **places_of(target)) as m,
            metering.connect(target, clock=clock, **places_of(target)) as other,
        ):
            record(history, m)
            made = []
            for asked in history.corrections:
                before = answers(m)
                try:
                    corrected = m.corrections.apply(asked, **WHY)
                except metering.InvalidRequestError:
                    assert answers(m) == before
                    continue
                made.append((before, corrected))
                assert answers(other) == answers(m)
            if history.is_sealed[1]:
                m.seal()
            for before, corrected in reversed(made):
                other.corrections.revert(corrected.id)
                assert answers(m) == answers(other) == before
            m.rebuild()
            assert m.verify().problems == ()

    undone()


def record(history: History, m: metering.Metering) -> None:
    for name, (formula, window) in zip(NAMES, history.meters, strict=True):
        create_meter(m, name, formula, event_time_window=window)
    ends = [*sorted(history.cuts), len(history.events)]
    start = 0
    for end in ends:
        rows = [
            {
                "event_name": name,
                "identifier": f"{start + at}",
                "timestamp": NOW - hours * timedelta(hours=5),
                "stripe_customer_id": customer,
                "value": value,
                "region": "us" if (start + at) % 3 else "eu",
            }
            for at, (name, customer, hours, value) in enumerate(
                history.events[start:end]
            )
        ]
        if rows:
            assert m.meter_events.ingest(rows).accepted == len(rows)
        start = max(start, end)
    if history.is_sealed[0]:
        m.seal()


def answers(m: metering.Metering) -> Any:
    """Of all windows; those of totals are those of the events."""
    found = []
    for window in ("hour", "day", None):
        asked: Any = {"window": window}
        usage = m.usage(**asked)
        assert usage.equals(m.reaggregate(**asked)), window
        found.append(usage.to_pylist())
    return found
