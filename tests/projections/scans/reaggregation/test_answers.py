"""What answers look like, by example."""

import pickle
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ledger.facts.meters import EventTimeWindow
from ledger.usage.columns import TIMESTAMP
from ledger.usage.quantities import QUANTITY
from projections.scans.reaggregation.errors import (
    SummaryTooLargeError,
    ValueUnreadableError,
)
from projections.scans.reaggregation.partial import combine, partial
from projections.scans.reaggregation.question import Question
from tests.projections.scans.reaggregation.asking import (
    HOUR,
    NONE,
    NOON,
    event,
    measure,
    question,
)
from tests.projections.scans.reaggregation.naive import Event
from tests.projections.scans.reaggregation.segments import (
    instant,
    table_of,
    write_segment,
)

MOST = Decimal("9" * 26 + "." + "9" * 12)


def ask(asked: Question, *events: Event) -> pa.Table:
    return combine(asked, [partial(asked, table_of(events), NONE, threads=1)])


def values(answer: pa.Table) -> list[Decimal]:
    found: list[Decimal] = answer.column("value").to_pylist()
    return found


def test_an_answer_has_a_row_for_each_customer_dimension_and_window() -> None:
    asked = question(dimensions=("model",), end=instant(NOON + 24 * HOUR))

    answer = ask(
        asked,
        event(1, 5, customer="cus_2"),
        event(2, "0.5", payload={"model": "small"}),
        event(3, 2, payload={"model": "large"}),
        event(4, 3, payload={"model": "large"}),
        event(5, 7, payload={"model": "large"}, timestamp=NOON + 12 * HOUR),
    )

    day, next_day, end = (NOON + hours * HOUR for hours in (-12, 12, 24))
    assert answer.to_pydict() == {
        "meter": ["mtr_1"] * 4,
        "customer": ["cus_1", "cus_1", "cus_1", "cus_2"],
        "model": ["large", "large", "small", None],
        "window_start": [day, next_day, day, day],
        "window_end": [next_day, end, next_day, next_day],
        "value": [Decimal(5), Decimal(7), Decimal("0.5"), Decimal(5)],
        "event_count": [2, 1, 1, 1],
        "event_name": ["tokens"] * 4,
    }


@pytest.mark.parametrize(
    "formula", ["sum", "count", "avg", "last", "min", "max", "unique_count"]
)
def test_windows_of_several_partials_are_those_of_all_events(formula: str) -> None:
    asked = question(measure(formula), end=instant(NOON + 30 * 24 * HOUR))
    # Days that touch, that lie in between others, and that have nothing in common.
    spans = ((0, 1), (1, 2), (2, 7), (3, 5), (5, 7), (8, 9))
    parts = [
        [
            event(10 * at + day, at * day, timestamp=NOON + day * 24 * HOUR)
            for day in span
        ]
        for at, span in enumerate(spans, 1)
    ]

    combined = combine(
        asked, [partial(asked, table_of(part), NONE, threads=1) for part in parts]
    )

    assert combined.equals(ask(asked, *(each for part in parts for each in part)))
    assert combined.num_rows == 8


def test_an_answer_without_usage_has_its_columns() -> None:
    answer = ask(question(dimensions=("model",)))

    assert answer.num_rows == 0
    assert answer.schema == pa.schema(
        [
            ("meter", pa.string()),
            ("customer", pa.string()),
            ("model", pa.string()),
            ("window_start", TIMESTAMP),
            ("window_end", TIMESTAMP),
            ("value", QUANTITY),
            ("event_count", pa.int64()),
            ("event_name", pa.string()),
        ]
    )


def test_an_answer_to_no_partial_has_its_columns() -> None:
    assert combine(question(), []).column_names == ask(question()).column_names


def test_windows_are_cut_to_the_bounds() -> None:
    asked = question(start=instant(NOON), end=instant(NOON + HOUR))

    answer = ask(asked, event(1), event(2, timestamp=NOON + HOUR))

    assert answer.column("window_start").to_pylist() == [NOON]
    assert answer.column("window_end").to_pylist() == [NOON + HOUR]
    assert values(answer) == [1]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [("sum", "6.5"), ("count", "4"), ("last", "-1"), ("min", "-1"), ("max", "4")],
)
def test_each_formula_gives_its_number(formula: str, expected: str) -> None:
    events = [
        event(1, 4, timestamp=NOON - HOUR),
        event(2, -1, timestamp=NOON + HOUR),
        event(3, "2.5"),
        event(4, 1, timestamp=NOON - HOUR),
    ]

    assert values(ask(question(measure(formula)), *events)) == [Decimal(expected)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["1", "2"], "1.5"),
        (["1", "1", "2"], "1.333333333333"),
        (["0.000000000001", "0"], "0"),
        (["0.000000000003", "0"], "0.000000000002"),
        (["-0.000000000003", "0"], "-0.000000000002"),
        (
            ["12345678901234567890.123456789012", "0", "0"],
            "4115226300411522630.041152263004",
        ),
        ([str(MOST)], str(MOST)),
        ([str(MOST), str(MOST)], str(MOST)),
    ],
)
def test_averages_have_twelve_fraction_digits(given: list[str], expected: str) -> None:
    events = [event(at, value) for at, value in enumerate(given, 1)]

    assert values(ask(question(measure("avg")), *events)) == [Decimal(expected)]


def test_unique_texts_are_counted_as_they_are_written() -> None:
    texts = ["1", "1.0", "", "1", "é", "e\u0301"]
    events = [event(at, payload={"user": text}) for at, text in enumerate(texts, 1)]
    asked = question(measure("unique_count", payload_key="user"))

    answer = ask(asked, *events, event(9))

    assert values(answer) == [5]
    assert answer.column("event_count").to_pylist() == [6]


def test_of_a_preaggregated_meter_a_filtered_event_still_hides_the_one_before() -> None:
    once_a_day = measure(event_time_window=EventTimeWindow.DAY)
    asked = question(once_a_day, filters={"model": frozenset(["large"])})

    assert values(ask(asked, event(1, 5, payload={"model": "large"}))) == [5]
    assert values(
        ask(
            asked,
            event(1, 5, payload={"model": "large"}),
            event(2, 6, payload={"model": "small"}),
        )
    ) == []  # fmt: skip


def test_of_a_preaggregated_meter_only_what_counts_must_be_a_number() -> None:
    once_a_day = measure(event_time_window=EventTimeWindow.DAY, payload_key="amount")

    answer = ask(
        question(once_a_day),
        event(1, payload={"amount": "a lot"}),
        event(2, payload={"amount": "12"}),
    )

    assert values(answer) == [12]


def test_a_sum_that_needs_few_digits_is_right_beside_one_that_needs_many() -> None:
    asked = question(measure(), measure(meter_id="mtr_2", event_name="calls"))

    answer = ask(asked, event(1, -3), event(2, MOST, event_name="calls"))

    assert values(answer) == [Decimal(-3), MOST]


@pytest.mark.parametrize("most", [MOST, MOST.copy_negate()])
def test_a_sum_may_be_the_greatest_number_and_no_greater(most: Decimal) -> None:
    unit = Decimal("0.000000000001").copy_sign(most)
    beyond_and_back = [event(1, most), event(2, 1), event(3, -1), event(4, most)]

    assert values(ask(question(), *beyond_and_back, event(5, most.copy_negate()))) == [
        most
    ]
    with pytest.raises(SummaryTooLargeError, match="customer 'cus_1' on meter mtr_1"):
        ask(question(), event(1, most), event(2, unit))


@pytest.mark.parametrize("most", [MOST, MOST.copy_negate()])
def test_a_sum_that_is_too_large_can_be_null_beside_the_others(most: Decimal) -> None:
    asked = question(measure(), skips_too_large=True)
    events = [
        event(1, most),
        event(2, most),
        event(3, most, customer="cus_2"),
        event(4, 5, customer="cus_3"),
    ]

    answer = ask(asked, *events)

    assert answer["customer"].to_pylist() == ["cus_1", "cus_2", "cus_3"]
    assert values(answer) == [None, most, 5]
    assert answer["event_count"].to_pylist() == [2, 1, 1]
    assert answer.schema == ask(asked).schema


def test_all_series_whose_sum_is_too_large_are_counted_and_the_first_named() -> None:
    asked = question(
        measure(),
        measure(meter_id="mtr_2", event_name="calls"),
        dimensions=("model",),
    )
    names = [(name, f"cus_{n:02}") for name in ("calls", "tokens") for n in range(7)]
    events = [
        event(at, MOST, event_name=name, customer=customer, payload={"model": model})
        for at, (name, customer, model) in enumerate(
            [(*each, model) for each in names for model in "aabb"], 1
        )
    ]

    with pytest.raises(SummaryTooLargeError) as raised:
        ask(asked, *events, event(100, 1, customer="cus_99"))

    expected = [("mtr_1", f"cus_{n:02}") for n in range(7)]
    expected += [("mtr_2", f"cus_{n:02}") for n in range(3)]
    assert raised.value.series == tuple(expected)
    assert raised.value.count == 14
    assert "customer 'cus_02' on meter mtr_2, 4 more add up to" in raised.value.message


def test_a_text_that_is_no_number_is_named_with_its_position() -> None:
    asked = question(measure(payload_key="amount"))
    events = [event(at, payload={"amount": text}) for at, text in [(7, "1_0"), (3, "")]]

    with pytest.raises(ValueUnreadableError, match="position 3 has ''") as raised:
        ask(asked, *events)

    assert (raised.value.position, raised.value.key) == (3, "amount")
    assert raised.value.code == "value_unreadable"


@pytest.mark.parametrize(
    "error",
    [
        SummaryTooLargeError([("mtr_1", "cus_1")], 5),
        ValueUnreadableError(3, "amount", "1_0"),
    ],
)
def test_errors_can_be_sent(error: Exception) -> None:
    sent = pickle.loads(pickle.dumps(error))

    assert type(sent) is type(error)
    assert vars(sent) == vars(error)


def test_unknown_cancelled_positions_do_no_harm() -> None:
    cancelled = np.array([900, 2, 2, 1], np.int64)

    found = partial(question(), table_of([event(2), event(3)]), cancelled, threads=1)

    assert values(combine(question(), [found])) == [1]


@pytest.mark.parametrize("place", [table_of, None])
def test_progress_is_told_of_every_event(
    place: Callable[[list[Event]], pa.Table] | None, tmp_path: Path
) -> None:
    events = [event(at) for at in range(1, 100)]
    ignored = [event(at, event_name="calls") for at in range(100, 150)]
    told: list[int] = []

    partial(
        question(),
        place([*events, *ignored])
        if place
        else [
            write_segment(events, tmp_path / "a"),
            write_segment(ignored, tmp_path / "b"),
        ],
        NONE,
        threads=2,
        progress=told.append,
    )

    assert sum(told) == 149
