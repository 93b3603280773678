"""The oracle itself, held against literal answers worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import pytest

from tests.oracles.usage import Oracle, OracleMeter, Outcome, Row, parse_value

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
NO_VALUES = (
    "", "-", "+5", ".5", "5.", " 5", "5\n", "1_000", "1e", "e1", "1e+", "1e1.5", "0x1",
    "1.2.3", "NaN", "Infinity", "\u0663", "\uff15", "\u00b2", "--1", "1-", "1" * 19,
    "1e18", "1e-13", "0.1234567890123", "1e400", "1e-400",
)  # fmt: skip
TODAY = (NOON - 12 * HOUR, NOON + 12 * HOUR)


def oracle_with(formula: str, window: Literal["day", "hour"] | None = None) -> Oracle:
    oracle = Oracle()
    meter = OracleMeter(event_name="m", formula=formula, event_time_window=window)
    assert oracle.create_meter(meter)
    return oracle


def row(value: str, at: datetime = NOON, identifier: str | None = None) -> Row:
    payload = {"stripe_customer_id": "c", "value": value}
    return Row(event_name="m", payload=payload, identifier=identifier, timestamp=at)


def send(oracle: Oracle, *rows: Row) -> list[Outcome]:
    return [oracle.create_event(each, NOON, backfill=False) for each in rows]


def total(oracle: Oracle, start: datetime = TODAY[0], end: datetime = TODAY[1]) -> str:
    [(_, value)] = oracle.summaries("m", "c", (start, end), "", fill=False)
    return f"{value:f}"


@pytest.mark.parametrize(
    ("formula", "expected"), [("sum", "6.5"), ("count", "3"), ("last", "4")]
)
def test_each_formula_gives_its_number(formula: str, expected: str) -> None:
    oracle = oracle_with(formula)

    send(oracle, row("1"), row("4", NOON + MICROSECOND), row("1.5", NOON - HOUR))

    assert total(oracle) == expected


def test_an_empty_window_is_zero_and_its_groups_are_left_out_unless_filled() -> None:
    oracle = oracle_with("last")
    span = (NOON, NOON + 2 * HOUR)

    assert total(oracle) == "0"
    assert oracle.summaries("m", "c", span, "hour", fill=False) == []
    assert oracle.summaries("m", "c", span, "hour", fill=True) == [
        ((NOON + HOUR, NOON + 2 * HOUR), Decimal(0)),
        ((NOON, NOON + HOUR), Decimal(0)),
    ]


def test_of_equal_timestamps_the_last_accepted_is_the_latest() -> None:
    oracle = oracle_with("last")

    send(oracle, row("1"), row("2"), row("9", NOON - MICROSECOND))

    assert total(oracle) == "2"


def test_a_window_takes_its_start_and_leaves_its_end() -> None:
    oracle = oracle_with("count")

    send(oracle, row("1", NOON), row("1", NOON + MICROSECOND))

    assert total(oracle, NOON, NOON + MICROSECOND) == "1"
    assert total(oracle, NOON - HOUR, NOON) == "0"
    assert total(oracle, NOON, NOON + 2 * MICROSECOND) == "2"


def test_groups_are_clipped_hours_newest_first() -> None:
    oracle = oracle_with("sum")
    start, end = NOON - HOUR / 2, NOON + HOUR / 4

    send(oracle, row("1", NOON - HOUR / 4), row("2", NOON), row("4", end))

    assert oracle.summaries("m", "c", (start, end), "hour", fill=False) == [
        ((NOON, end), Decimal(2)),
        ((start, NOON), Decimal(1)),
    ]


def test_of_a_pre_aggregated_hour_only_the_last_accepted_counts() -> None:
    oracle = oracle_with("sum", "hour")

    send(oracle, row("1", NOON + 2 * MICROSECOND), row("2", NOON, "overwriting"))
    send(oracle, row("4", NOON - MICROSECOND))

    assert total(oracle) == "6"
    assert total(oracle, NOON + MICROSECOND, NOON + HOUR) == "0"
    assert oracle.cancel("m", "overwriting") is not None
    assert total(oracle) == "5"


def test_of_a_pre_aggregated_day_the_survivor_sits_in_its_own_hour() -> None:
    oracle = oracle_with("count", "day")

    send(oracle, row("", NOON), row("", NOON - 3 * HOUR))

    assert oracle.summaries("m", "c", TODAY, "hour", fill=False) == [
        ((NOON - 3 * HOUR, NOON - 2 * HOUR), Decimal(1))
    ]


def test_duplicates_and_conflicts_take_no_position_and_name_the_fields() -> None:
    oracle = oracle_with("sum")
    first = row("1.0", identifier="i")
    other = Row(
        event_name="m",
        payload={"stripe_customer_id": "d", "value": "2", "extra": "x"},
        identifier="i",
        timestamp=NOON - HOUR,
    )

    outcomes = send(
        oracle,
        first,
        row("1", identifier="i"),
        replace(first, timestamp=None),
        other,
        replace(other, timestamp=None),
    )

    every_field = frozenset({"customer", "timestamp", "value", "payload"})
    assert outcomes == [
        Outcome(kind="accepted", position=2),
        Outcome(kind="duplicate", position=2),
        Outcome(kind="duplicate", position=2),
        Outcome(kind="conflict", position=2, names=every_field),
        Outcome(kind="conflict", position=2, names=every_field - {"timestamp"}),
    ]
    assert oracle.position == 2


def test_a_cancelled_event_keeps_its_identifier_and_counts_no_more() -> None:
    oracle = oracle_with("sum")
    send(oracle, row("1", identifier="i"), row("2"))

    assert oracle.cancel("m", "i") is not None
    assert oracle.cancel("m", "i") is not None
    assert oracle.cancel("m", "unknown") is None
    again = send(oracle, row("1", identifier="i"))

    assert again == [Outcome(kind="duplicate", position=2)]
    assert total(oracle) == "2"
    assert oracle.position == 4


def test_facts_about_meters_take_one_position_each() -> None:
    oracle = oracle_with("sum")

    assert not oracle.create_meter(OracleMeter(event_name="m", formula="count"))
    assert not oracle.set_active("m", active=True)
    assert oracle.set_active("m", active=False)
    refused = send(oracle, row("1", identifier="i"))
    assert oracle.set_active("m", active=True)
    accepted = send(oracle, row("2", identifier="i"))

    assert refused == [Outcome(kind="rejected", names=frozenset({"archived_meter"}))]
    assert accepted == [Outcome(kind="accepted", position=4)]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (replace(row("1"), event_name="other"), "no_meter"),
        (replace(row("1"), payload={"value": "1"}), "meter_event_no_customer_defined"),
        (row("five"), "meter_event_invalid_value"),
        (row("1", NOON - 35 * DAY - MICROSECOND), "timestamp_too_far_in_past"),
        (row("1", NOON + HOUR / 12 + MICROSECOND), "timestamp_in_future"),
        (row("1", identifier=""), "parameter_invalid_string_empty"),
        (row("1", identifier="é" * 101), "parameter_too_long"),
        (row("1", identifier="a\0"), "invalid_characters"),
        (row("1", identifier="\ud800"), "invalid_characters"),
    ],
)
def test_each_rule_has_its_code(broken: Row, code: str) -> None:
    oracle = oracle_with("sum")

    outcomes = send(oracle, broken)

    assert outcomes == [Outcome(kind="rejected", names=frozenset({code}))]
    assert oracle.position == 1


def test_both_ends_of_the_accepted_time_are_inside_and_backfill_has_no_oldest() -> None:
    oracle = oracle_with("count")

    ends = send(oracle, row("", NOON - 35 * DAY), row("", NOON + HOUR / 12))
    old = oracle.create_event(row("", NOON - 9999 * DAY), NOON, backfill=True)

    assert [each.kind for each in [*ends, old]] == ["accepted"] * 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"),
        ("-0.0", "0"),
        ("007", "7"),
        ("-12.50", "-12.5"),
        ("1E-7", "0.0000001"),
        ("1.5e+2", "150"),
        ("100e-2", "1"),
        ("1.0000000000000", "1"),
        ("0.000000000001", "0.000000000001"),
        ("1e17", "1" + "0" * 17),
        ("9" * 18 + "." + "9" * 12, "9" * 18 + "." + "9" * 12),
        ("0e999", "0"),
    ],
)
def test_a_value_is_read(text: str, expected: str) -> None:
    assert f"{parse_value(text):f}" == expected


@pytest.mark.parametrize("text", NO_VALUES)
def test_a_text_that_is_no_value_is_not_read(text: str) -> None:
    assert parse_value(text) is None
