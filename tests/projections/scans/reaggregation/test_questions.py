"""Questions: what is computed of a meter, and what fits together."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import pytest

from ledger.facts.meters import EventTimeWindow, Formula, MeterCreated
from projections.calendar import WindowUnit, windows_between
from projections.kernels.meters import MeterDefinition, apply_fact
from projections.scans.reaggregation.question import (
    RESULT_COLUMNS,
    Measure,
    Question,
    measure_of,
)
from projections.windows import DAY


def meter(formula: Formula) -> MeterDefinition:
    fact = MeterCreated(
        meter_id="mtr_1",
        event_name="tokens",
        display_name="Tokens",
        formula=formula,
        customer_payload_key="account",
        value_payload_key="amount",
        event_time_window=EventTimeWindow.DAY,
    )
    made = apply_fact({}, fact, position=1, recorded_at=0)
    assert made is not None
    return made


def question(
    measures: Sequence[Measure] = (),
    dimensions: Sequence[str] = (),
    bounds: tuple[int, int] = (0, DAY),
) -> Question:
    return Question(
        measures=tuple(measures),
        start=bounds[0],
        end=bounds[1],
        windows=windows_between(WindowUnit.DAY, UTC, 0, DAY),
        dimensions=tuple(dimensions),
        up_to=1,
    )


# The meter's own formula, the one asked for, the key asked for: where it looks.
WHERE_IT_LOOKS = [
    ("sum", None, None, None),
    ("sum", None, "amount", None),
    ("sum", None, "cost", "cost"),
    ("sum", "max", None, None),
    ("sum", "count", None, None),
    ("sum", "count", "cost", "cost"),
    ("sum", "unique_count", None, None),
    ("sum", "unique_count", "model", "model"),
    ("count", None, None, None),
    ("count", None, "cost", "cost"),
    ("count", "sum", None, "amount"),
    ("count", "sum", "cost", "cost"),
    ("unique_count", None, None, "amount"),
    ("unique_count", "count", None, None),
    ("unique_count", "avg", None, "amount"),
]


@pytest.mark.parametrize(("own", "asked", "key", "expected"), WHERE_IT_LOOKS)
def test_a_measure_looks_where_the_value_was_left(
    own: str, asked: str | None, key: str | None, expected: str | None
) -> None:
    formula = None if asked is None else Formula(asked)

    found = measure_of(meter(Formula(own)), formula=formula, value_key=key)

    assert found == Measure(
        meter_id="mtr_1",
        event_name="tokens",
        formula=Formula(asked or own),
        event_time_window=EventTimeWindow.DAY,
        payload_key=expected,
    )


@pytest.mark.parametrize(
    "asked",
    [
        *({"dimensions": [name]} for name in RESULT_COLUMNS),
        {"dimensions": ["model", "model"]},
        {"measures": [measure_of(meter(Formula.SUM))] * 2},
        {"bounds": (5, 5)},
        {"bounds": (6, 5)},
    ],
    ids=str,
)
def test_a_question_names_columns_and_events_once_and_is_about_some_time(
    asked: dict[str, Any],
) -> None:
    with pytest.raises(AssertionError):
        question(**asked)
