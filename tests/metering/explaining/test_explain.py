"""Explaining usage: its parts, its events, the others with a reason, what came late."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

import metering
from metering.stream.error_reports import RefusedEvent
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.usual_usage import NOW, cancel_event, create_event, create_meter

HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
HALF_PAST = timedelta(minutes=30)
START, END = NOW - 3 * HOUR - HALF_PAST, NOW - HALF_PAST


def use(m: metering.Metering, name: str, hours: float, value: str = "1") -> int:
    """Record an event so many hours ago, and return its position."""
    made = create_event(
        m,
        payload={"stripe_customer_id": "cus_1", "value": value},
        identifier=name,
        timestamp=NOW - hours * HOUR,
    )
    return made.position


def explain(m: metering.Metering, **given: Any) -> metering.Explanation:
    usual = {
        "meter": "tokens",
        "customer": "cus_1",
        "start_time": START,
        "end_time": END,
    }
    made: metering.Explanation = m.explain(**{**usual, **given})
    return made


def rows(reader: pa.RecordBatchReader, *columns: str) -> list[tuple[Any, ...]]:
    return [
        tuple(each[column] for column in columns)
        for each in reader.read_all().to_pylist()
    ]


@pytest.fixture
def m(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


def test_a_figure_has_whole_hours_from_totals_and_its_edges_from_events(
    m: metering.Metering,
) -> None:
    meter = create_meter(m)
    for name, hours in (
        ("before the start", 3.6),
        ("first", 3.4),
        ("second", 3.0),
        ("third", 2.5),
        ("fourth", 0.9),
        ("after the end", 0.4),
    ):
        use(m, name, hours, "1.5")
    m.seal()

    made = explain(m)

    assert (made.value, made.event_count, made.position) == (Decimal(6), 4, m.position)
    assert (made.meter, made.formula, made.customer) == (meter.id, "sum", "cus_1")
    assert (made.start_time, made.end_time) == (START, END)
    assert [
        (each.source, each.start_time, each.end_time, each.value, each.event_count)
        for each in made.parts
    ] == [
        ("events", START, NOW - 3 * HOUR, Decimal("1.5"), 1),
        ("hours", NOW - 3 * HOUR, NOW - HOUR, Decimal(3), 2),
        ("events", NOW - HOUR, END, Decimal("1.5"), 1),
    ]
    assert made.adds_up()


def test_events_come_in_log_order_with_all_that_is_known(m: metering.Metering) -> None:
    create_meter(m)
    later = use(m, "later", 1, "2.5")
    earlier = use(m, "earlier", 2, "-1")

    made = explain(m, meter=m.meters.list()[0].id)

    assert made.events().read_all().to_pylist() == [
        {
            "position": position,
            "recorded_at": NOW,
            "identifier": identifier,
            "timestamp": timestamp,
            "value": value,
            "string": None,
        }
        for position, identifier, timestamp, value in (
            (later, "later", NOW - HOUR, Decimal("2.5")),
            (earlier, "earlier", NOW - 2 * HOUR, Decimal(-1)),
        )
    ]


def test_every_other_event_has_a_reason(m: metering.Metering) -> None:
    create_meter(m)
    use(m, "counts", 1)
    gone = use(m, "gone", 1)
    cancel_event(m, "gone")
    by = m.position
    create_event(m, identifier="beside", timestamp=START - MICROSECOND)
    create_event(m, identifier="at the end", timestamp=END)
    use(m, "far away", 5)
    known = m.position
    use(m, "too late", 1)

    made = explain(m, as_of=known)

    assert made.value == 1
    columns = ("identifier", "reason", "by")
    assert rows(made.not_counted(), *columns) == [
        ("gone", "cancelled", by),
        ("beside", "outside", None),
        ("at the end", "outside", None),
        ("too late", "later", None),
    ]
    assert rows(made.not_counted(beside=3 * HOUR), "identifier")[3] == ("far away",)
    assert gone < by


def test_the_last_recorded_of_a_window_replaces_the_others(
    m: metering.Metering,
) -> None:
    create_meter(m, event_time_window="day")
    use(m, "first", 1, "1")
    use(m, "second", 1, "2")
    # Beyond the end, and of the same day.
    last = use(m, "third", -0.05, "4")

    assert explain(m).value == 0
    columns = ("identifier", "reason", "by")
    assert rows(explain(m).not_counted(), *columns) == [
        ("first", "replaced", last),
        ("second", "replaced", last),
        ("third", "outside", None),
    ]


def test_of_the_latest_event_it_is_the_only_one(m: metering.Metering) -> None:
    create_meter(m, formula="last")
    use(m, "early", 3, "1")
    latest = use(m, "latest", 1, "2")
    use(m, "middle", 2, "4")

    made = explain(m)

    assert made.value == 2
    assert made.event_count == 1
    # The bounds cut off no event of their hours.
    assert [(part.source, part.event_count) for part in made.parts] == [("hours", 1)]
    assert rows(made.not_counted(), "identifier", "reason", "by") == [
        ("early", "replaced", latest),
        ("middle", "replaced", latest),
    ]


def test_late_entries_are_events_and_cancellations(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    create_meter(m)
    on_time = use(m, "on time", 1)
    since = m.position
    clock.advance(HOUR)
    late = use(m, "late", 1)
    cancel_event(m, "on time")
    cancellation = m.position

    columns = ("kind", "position", "recorded_at", "event_position", "identifier")
    for instant in (since, NOW, (NOW + HOUR / 2).isoformat()):
        assert rows(explain(m).late(instant), *columns) == [
            ("cancellation", cancellation, NOW + HOUR, on_time, "on time"),
            ("event", late, NOW + HOUR, late, "late"),
        ]
    assert rows(explain(m).late(m.position), *columns) == []


def test_what_came_after_a_statement_was_made_came_late(m: metering.Metering) -> None:
    meter = create_meter(m)
    price = m.prices.create(
        currency="usd",
        unit_amount=1,
        product_data={"name": "a"},
        recurring={"interval": "month", "usage_type": "metered", "meter": meter.id},
    )
    use(m, "on time", 1)
    made = m.statements.finalize(
        id="st_1",
        customer="cus_1",
        prices=[price.id],
        start_time=START,
        end_time=END,
    )
    use(m, "late", 1)

    assert rows(explain(m).late(made), "identifier") == [("late",)]
    then = explain(m, as_of=made.position)
    assert then.value == made.lines[0].quantity == 1
    assert rows(then.not_counted(), "identifier", "reason") == [("late", "later")]


def test_an_explanation_stays_as_it_was(m: metering.Metering) -> None:
    create_meter(m)
    use(m, "zero", 1)
    cancel_event(m, "zero")
    use(m, "one", 1)
    made = explain(m)
    before = made.events().read_all(), made.not_counted().read_all()

    cancel_event(m, "one")
    use(m, "two", 1)
    m.seal()

    assert made.value == 1
    assert made.adds_up()
    assert (made.events().read_all(), made.not_counted().read_all()) == before
    assert explain(m, as_of=made.position).value == 1


def test_the_digest_is_that_of_the_log(m: metering.Metering) -> None:
    create_meter(m)
    known = {}
    for name in ("one", "two", "three", "four"):
        use(m, name, 1)
        known[m.position] = m.verify().digest
        if name == "two":
            m.seal()
    m.seal()
    use(m, "five", 1)

    for position, digest in known.items():
        assert explain(m, as_of=position).digest == digest
    assert explain(m).digest == m.verify().digest
    assert explain(m, as_of=0).digest not in {*known.values(), explain(m).digest}


def test_what_a_stream_refused_is_counted(
    m: metering.Metering, clock: metering.FixedClock
) -> None:
    meter = create_meter(m)
    create_meter(m, "calls")
    codes = (
        ("tokens", "archived_meter"),
        ("calls", "archived_meter"),
        ("tokens", "meter_event_invalid_value"),
        ("tokens", "meter_event_invalid_value"),
    )

    def refuse() -> None:
        m.internals.add_refused(
            [
                RefusedEvent(
                    event_name=name,
                    code=code,
                    message=f"What {code} says",
                    identifier="request_1",
                    request=None,
                )
                for name, code in codes
            ]
        )

    refuse()
    clock.advance(HOUR)
    m.error_reports.list()
    refuse()

    made = explain(m, meter=meter.id, end_time=NOW + 2 * HOUR).refused()
    assert made.select(["window_start", "code", "error_count"]).to_pylist() == [
        {"window_start": at, "code": code, "error_count": count}
        for at in (NOW, NOW + HOUR)
        for code, count in (("archived_meter", 1), ("meter_event_invalid_value", 2))
    ]
    assert explain(m, meter=meter.id, end_time=NOW).refused().num_rows == 0


@pytest.mark.parametrize(
    ("given", "param", "words"),
    [
        ({"meter": "mtr_1"}, "meter", "No such billing meter: 'mtr_1'"),
        ({"customer": ""}, "customer", "Invalid customer"),
        ({"end_time": START}, "end_time", "is not after start_time"),
        ({"as_of": 10**9}, "as_of", "is no position of the log"),
        ({"as_of": NOW + HOUR}, "as_of", "is yet to come"),
    ],
)
def test_odd_questions_are_refused(
    store: metering.Metering, given: dict[str, Any], param: str, words: str
) -> None:
    create_meter(store)

    with refused(None, param, words):
        explain(store, **given)


def test_bounds_beyond_recorded_time_have_nothing(m: metering.Metering) -> None:
    create_meter(m)
    made = explain(m, start_time=-2, end_time=-1)

    assert made.value == made.event_count == len(made.parts) == 0
    assert made.adds_up()
    assert made.events().read_all().num_rows == 0
    assert made.late(0).read_all().num_rows == 0
