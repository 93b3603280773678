"""Summaries: questions, answers, and what is refused."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.reaggregation.questions import MICROSECOND, ask, at, use, values
from tests.metering.refusals import refused
from tests.metering.usual_usage import NOW, create_event, create_meter


@pytest.mark.dialect
def test_a_summary_has_the_fields_of_its_question(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    meter = create_meter(store)
    use(store, at(10, 9), "12.50")

    [summary] = store.meters.event_summaries(
        meter.id, customer="cus_1", start_time=at(10), end_time=at(11)
    )

    assert summary == metering.MeterEventSummary(
        id=summary.id,
        aggregated_value=Decimal("12.5"),
        start_time=at(10),
        end_time=at(11),
        meter=meter.id,
        livemode=False,
        position=2,
        customer="cus_1",
    )
    assert summary.object == "billing.meter_event_summary"
    assert summary.id.startswith("mtrusg_")
    assert isinstance(summary.aggregated_value, Decimal)


@pytest.mark.parametrize("formula", ["sum", "count", "last"])
@pytest.mark.parametrize("window", [None, "hour", "day"])
def test_a_window_without_usage_is_zero(
    store: metering.Metering, formula: str, window: str | None
) -> None:
    meter = create_meter(store, formula=formula, event_time_window=window)
    use(store, at(10))

    assert ask(store, meter, at(11), at(12)) == [(at(11), at(12), Decimal(0))]
    assert values(ask(store, meter, at(10), at(11), customer="nobody")) == [0]
    assert ask(store, meter, at(11), at(12), value_grouping_window="hour") == []


def test_times_may_be_seconds_datetimes_of_any_zone_and_texts(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    use(store, at(10, 9))
    tokyo = timezone(timedelta(hours=9))
    starts = [
        at(10, 9),
        1770714000,
        datetime(2026, 2, 10, 18, tzinfo=tokyo),
        "2026-02-10T09:00:00Z",
        "2026-02-10 09:00",
        "2026-02-10T18:00:00+09:00",
        "1770714000",
    ]

    for start in starts:
        assert ask(store, tokens, start, "2026-02-11") == [
            (at(10, 9), at(11), Decimal(1))
        ]


def test_equal_questions_have_equal_ids_and_other_ones_others(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    meter, words = create_meter(store), create_meter(store, "words")
    use(store, at(10, 9))

    def ids(
        connection: metering.Metering, which: metering.Meter, **more: Any
    ) -> list[str]:
        question: dict[str, Any] = {
            "customer": "cus_1",
            "start_time": at(10),
            "end_time": at(11),
            **more,
        }
        found = connection.meters.event_summaries(which.id, **question)
        return [each.id for each in found]

    before = ids(store, meter)
    use(store, at(10, 10))

    assert before == ids(store, meter) == ids(other, meter)
    assert before == ids(store, meter, start_time="2026-02-10")
    different = [
        *before,
        *ids(store, words),
        *ids(store, meter, customer="cus_2"),
        *ids(store, meter, end_time=at(11, 1)),
        *ids(store, meter, start_time=at(9)),
        *ids(store, meter, value_grouping_window="hour"),
    ]
    assert len(different) == len(set(different)) == 7


def test_an_answer_says_up_to_which_position_it_counts(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    meter = create_meter(store)

    for position in (2, 3, 4):
        use(other, at(10, 9))
        [summary] = store.meters.event_summaries(
            meter.id, customer="cus_1", start_time=at(10), end_time=at(11)
        )

        assert summary.position == position
        assert summary.aggregated_value == position - 1


def test_customers_are_kept_apart(connect: Connect, clock: metering.FixedClock) -> None:
    store = connect(clock=clock)
    meter = create_meter(store)
    customers = ["cus_1", "CUS_1", "cus_1 ", "客户", "é", "e\u0301", "'; --", "a\nb"]
    for power, customer in enumerate(customers):
        create_event(
            store, payload={"stripe_customer_id": customer, "value": 10**power}
        )

    found = [
        values(ask(store, meter, 0, NOW + MICROSECOND, customer=customer))
        for customer in customers
    ]

    assert found == [[10**power] for power in range(len(customers))]


REFUSED_QUESTIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"end_time": at(10)}, "parameter_invalid", "end_time"),
    ({"end_time": at(9)}, "parameter_invalid", "end_time"),
    ({"start_time": datetime(2026, 2, 10)}, "timestamp_invalid", "start_time"),  # noqa: DTZ001
    ({"end_time": datetime(2026, 2, 11)}, "timestamp_invalid", "end_time"),  # noqa: DTZ001
    ({"start_time": "yesterday"}, "timestamp_invalid", "start_time"),
    ({"start_time": None}, "parameter_missing", "start_time"),
    ({"end_time": 1.5e9}, "timestamp_invalid", "end_time"),
    ({"end_time": 10**15}, "timestamp_invalid", "end_time"),
    ({"start_time": -(10**15)}, "timestamp_invalid", "start_time"),
    ({"customer": ""}, "parameter_invalid", "customer"),
    ({"customer": None}, "parameter_missing", "customer"),
    ({"customer": 5}, "parameter_invalid", "customer"),
    ({"customer": "\ud800"}, "invalid_characters", "customer"),
    ({"value_grouping_window": "week"}, "parameter_invalid", "value_grouping_window"),
    ({"value_grouping_window": ["hour"]}, "parameter_invalid", "value_grouping_window"),
    (
        {"value_grouping_window": "hour", "fill": True, "start_time": 0, "end_time": 10**10},
        "parameter_invalid",
        "end_time",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code", "param"), REFUSED_QUESTIONS)
def test_a_malformed_question_is_refused_and_told_why(
    store: metering.Metering,
    tokens: metering.Meter,
    changes: dict[str, Any],
    code: str,
    param: str,
) -> None:
    question: dict[str, Any] = {
        "customer": "cus_1",
        "start_time": at(10),
        "end_time": at(11),
    }

    with refused(code, param, param):
        store.meters.event_summaries(tokens.id, **{**question, **changes})


def test_an_inactive_meter_still_has_summaries(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    use(store, at(10, 9))
    store.meters.deactivate(tokens.id)

    assert values(ask(store, tokens, at(10), at(11))) == [1]
