"""Windows of summaries: what counts in which, and how hours and days come back."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

import metering
from tests.metering.reaggregation.questions import MICROSECOND, ask, at, use, values
from tests.metering.usual_usage import create_event, create_meter


def test_a_window_includes_its_start_and_excludes_its_end(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    start, end = at(10, 9, 30), at(12, 17, 45)
    use(store, start - MICROSECOND, "1")
    use(store, start, "10")
    use(store, end - MICROSECOND, "100")
    use(store, end, "1000")

    assert values(ask(store, tokens, start, end)) == [110]
    assert values(ask(store, tokens, start - MICROSECOND, end + MICROSECOND)) == [1111]
    assert values(ask(store, tokens, start + MICROSECOND, end - MICROSECOND)) == [0]


def test_hours_come_newest_first_cut_to_the_bounds_and_without_empty_ones(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    for moment, value in (
        (at(10, 9, 45), "1"),
        (at(10, 10, 5), "2"),
        (at(10, 12, 10), "4"),
    ):
        use(store, moment, value)

    answer = ask(
        store, tokens, at(10, 9, 30), at(10, 12, 15), value_grouping_window="hour"
    )

    assert answer == [
        (at(10, 12), at(10, 12, 15), Decimal(4)),
        (at(10, 10), at(10, 11), Decimal(2)),
        (at(10, 9, 30), at(10, 10), Decimal(1)),
    ]


def test_days_come_newest_first_cut_to_the_bounds_and_without_empty_ones(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    for moment, value in ((at(8, 23, 59), "1"), (at(10), "2"), (at(11, 6), "4")):
        use(store, moment, value)

    answer = ask(store, tokens, at(8, 12), at(11, 12), value_grouping_window="day")

    assert answer == [
        (at(11), at(11, 12), Decimal(4)),
        (at(10), at(11), Decimal(2)),
        (at(8, 12), at(9), Decimal(1)),
    ]


def test_filling_gives_the_empty_windows_too(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    use(store, at(10, 10, 5), "2")

    hours = ask(
        store,
        tokens,
        at(10, 9, 30),
        at(10, 12, 15),
        value_grouping_window="hour",
        fill=True,
    )
    days = ask(store, tokens, at(9, 12), at(12), value_grouping_window="day", fill=True)

    assert hours == [
        (at(10, 12), at(10, 12, 15), Decimal(0)),
        (at(10, 11), at(10, 12), Decimal(0)),
        (at(10, 10), at(10, 11), Decimal(2)),
        (at(10, 9, 30), at(10, 10), Decimal(0)),
    ]
    assert days == [
        (at(11), at(12), Decimal(0)),
        (at(10), at(11), Decimal(2)),
        (at(9, 12), at(10), Decimal(0)),
    ]


def test_a_window_inside_one_hour_is_answered_to_the_microsecond(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    for microsecond, value in ((4, "1"), (5, "10"), (6, "100")):
        use(store, at(10, 9, 30, microsecond), value)
    start, end = at(10, 9, 30, 5), at(10, 9, 30, 6)

    for grouping in (None, "hour", "day"):
        answer = ask(store, tokens, start, end, value_grouping_window=grouping)

        assert answer == [(start, end, Decimal(10))]


def test_a_window_with_usage_of_value_zero_is_not_empty(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    use(store, at(10, 9), "0")
    use(store, at(10, 11), "1")
    use(store, at(10, 11), "-1")

    answer = ask(store, tokens, at(10), at(11), value_grouping_window="hour")

    assert [(start, value) for start, _, value in answer] == [
        (at(10, 11), Decimal(0)),
        (at(10, 9), Decimal(0)),
    ]


def test_a_window_whose_events_were_all_cancelled_is_empty(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_event(store, identifier="a", timestamp=at(10, 9))
    use(store, at(10, 10))
    store.meter_event_adjustments.create(
        event_name="tokens", type="cancel", cancel={"identifier": "a"}
    )

    answer = ask(store, tokens, at(10), at(11), value_grouping_window="hour")

    assert [start for start, _, _ in answer] == [at(10, 10)]


def test_last_is_the_value_of_the_latest_timestamp_then_of_the_latest_position(
    store: metering.Metering,
) -> None:
    meter = create_meter(store, formula="last")
    use(store, at(10, 11), "1")
    use(store, at(10, 12), "2")
    use(store, at(10, 12), "3")
    use(store, at(10, 9), "4")

    assert values(ask(store, meter, at(10), at(11))) == [3]
    assert values(ask(store, meter, at(10), at(10, 12))) == [1]
    by_hour = ask(store, meter, at(10), at(11), value_grouping_window="hour")
    assert values(by_hour) == [3, 1, 4]


@pytest.mark.parametrize(
    ("formula", "expected"), [("sum", 108), ("count", 2), ("last", 100)]
)
def test_of_a_pre_aggregated_day_only_the_event_recorded_last_counts(
    store: metering.Metering, formula: str, expected: int
) -> None:
    meter = create_meter(store, formula=formula, event_time_window="day")
    use(store, at(10, 20), "1")
    use(store, at(10, 5), "8")
    use(store, at(11, 5), "2")
    use(store, at(11, 20), "100")

    assert values(ask(store, meter, at(10), at(12))) == [expected]


def test_what_counts_of_a_pre_aggregated_day_lies_at_its_own_timestamp(
    store: metering.Metering,
) -> None:
    meter = create_meter(store, event_time_window="day")
    use(store, at(10, 20), "1")
    use(store, at(10, 5, 30), "8")

    # The whole day decides which event counts, whatever part of it is asked for.
    assert values(ask(store, meter, at(10, 12), at(11))) == [0]
    assert values(ask(store, meter, at(10), at(10, 12))) == [8]
    by_hour = ask(store, meter, at(10), at(11), value_grouping_window="hour")
    assert by_hour == [(at(10, 5), at(10, 6), Decimal(8))]


def test_a_window_to_the_end_of_all_calendars_counts_one_customer_only(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    for customer in ("cus_1", "cus_2", "cus_3"):
        create_event(store, payload={"stripe_customer_id": customer, "value": "1"})
    ever = (
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    )

    for grouping in (None, "hour", "day"):
        answer = ask(store, tokens, *ever, value_grouping_window=grouping)

        assert values(answer) == [1]
    assert ask(store, tokens, *ever) == [(*ever, Decimal(1))]


def test_a_window_before_1970_is_empty_even_with_usage_at_its_first_instant(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    store.meter_events.ingest(
        [
            {
                "event_name": "tokens",
                "timestamp": 0,
                "stripe_customer_id": "cus_1",
                "value": 7,
            }
        ],
        backfill=True,
    )

    assert values(ask(store, tokens, -10, -5)) == [0]
    assert values(ask(store, tokens, -10, 0)) == [0]
    assert ask(store, tokens, -10, -5, value_grouping_window="hour") == []
    assert values(ask(store, tokens, -10, 1)) == [7]
    filled = ask(store, tokens, -7200, 3600, value_grouping_window="hour", fill=True)
    assert values(filled) == [7, 0, 0]


def test_sums_are_exact_to_the_last_digit(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    largest = "9" * 18 + "." + "9" * 12
    for value in (largest, largest, "0.000000000002", "-0.3", "0.1", "0.2"):
        use(store, at(10), value)

    assert values(ask(store, tokens, at(10), at(11))) == [2 * 10**18]
