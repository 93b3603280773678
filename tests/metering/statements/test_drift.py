"""Drift: by how much a statement would differ today, and exactly what did it."""

from datetime import timedelta
from typing import Any

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.statements.usual_statements import (
    END,
    INSIDE,
    START,
    february,
    priced,
    tiered,
    use,
)
from tests.metering.usual_prices import create_price, metered
from tests.metering.usual_usage import cancel_event, create_meter

MICROSECOND = timedelta(microseconds=1)


def causes(drift: metering.StatementDrift) -> list[tuple[Any, ...]]:
    """Line, kind and identifier of each."""
    return [
        (each["line"], each["kind"], each["identifier"])
        for each in drift.causes.to_pylist()
    ]


def test_nothing_that_was_recorded_is_no_drift(store: metering.Metering) -> None:
    price = priced(store)
    use(store, "2")
    made = store.statements.finalize(id="st_1", **february(price))

    drift = store.statements.drift("st_1")

    assert drift.statement == made
    [line] = drift.lines
    assert [line.quantity, line.quantity_now, line.amount_change] == [2, 2, 0]
    assert drift.causes.num_rows == drift.amount_change == 0


def test_drift_names_exactly_what_did_it(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    price, other = priced(m), tiered(m)
    for name in ("kept", "gone"):
        use(m, "5", identifier=name)
    use(m, "1", identifier="void")
    cancel_event(m, "void")
    m.statements.finalize(id="st_1", **february(price, other))
    position = m.position
    late = use(m, "2.5", identifier="late")
    use(m, "7", identifier="first", timestamp=START)
    use(m, "9", identifier="beside", timestamp=END)
    use(m, "9", identifier="whose", customer="cus_2")
    use(m, "9", identifier="came and went")
    cancel_event(m, "came and went")
    cancel_event(m, "gone")
    use(m, "3", "calls", identifier="call")
    expected = [
        ("il_1", "event", "late"),
        ("il_1", "event", "first"),
        ("il_1", "cancellation", "gone"),
        ("il_2", "event", "call"),
    ]

    drift = m.statements.drift("st_1")
    m.seal()
    sealed = m.statements.drift("st_1")

    assert causes(drift) == expected
    assert drift.position == m.position
    tokens, calls = drift.lines
    assert [tokens.quantity, tokens.quantity_now] == [10, 14.5]
    assert [tokens.quantity_change, tokens.amount_change] == [4.5, 45]
    assert [calls.quantity_change, calls.amount_change] == [3, 30]
    assert drift.amount_change == 75
    first, *_ = drift.causes.to_pylist()
    assert first["position"] == first["event_position"] == late.position > position
    assert (first["value"], first["recorded_at"]) == (2.5, late.created)
    [gone] = [each for each in drift.causes.to_pylist() if each["kind"] != "event"]
    assert gone["position"] > position > gone["event_position"]
    assert sealed == drift


def test_usage_after_the_instant_of_a_statement_is_no_drift(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    price = priced(store)
    store.statements.finalize(id="st_1", **february(price, at=INSIDE))
    use(store, timestamp=INSIDE)
    use(store, timestamp=INSIDE - MICROSECOND, identifier="late")

    assert causes(store.statements.drift("st_1")) == [("il_1", "event", "late")]


def test_an_event_beside_the_period_can_take_the_place_of_one_in_it(
    store: metering.Metering,
) -> None:
    meter = create_meter(store, event_time_window="day")
    price = create_price(store, recurring=metered(meter.id))
    noon = INSIDE.replace(hour=12, minute=0)
    use(store, "5", timestamp=noon, identifier="inside")
    on = february(price, end_time=noon + timedelta(hours=1))
    store.statements.finalize(id="st_1", **on)
    use(store, "7", timestamp=noon + timedelta(hours=2), identifier="beside")
    use(store, "7", timestamp=noon + timedelta(days=1), identifier="another day")

    drift = store.statements.drift("st_1")

    assert causes(drift) == [("il_1", "event", "beside")]
    assert [line.quantity_now for line in drift.lines] == [0]
    assert drift.amount_change == -50


def test_there_is_no_drift_of_what_is_not_there(store: metering.Metering) -> None:
    with refused("resource_missing", "id", "No such statement"):
        store.statements.drift("st_x")
