"""A recorder records what single creates would, however its events are cut into batches."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import metering
from ledger.usage.rows import FEW
from tests.empty_stores import empty_store
from tests.metering.usual_usage import NOW, create_meter

EVENTS = st.fixed_dictionaries(
    {
        "event_name": st.sampled_from(["tokens", "calls", "words", "unknown"]),
        "identifier": st.sampled_from([f"e-{number}" for number in range(40)]),
        "timestamp": st.sampled_from(
            [
                None,
                NOW,
                NOW - timedelta(hours=1),
                NOW - timedelta(days=36),
                int(NOW.timestamp()) + 300,
                "2026-02-30",
            ]
        ),
        "payload": st.dictionaries(
            st.sampled_from(["stripe_customer_id", "value", "model", "", "naïve\0"]),
            st.sampled_from(
                ["cus_1", "NULL", "1", 7, Decimal("0.5"), 5.0, "1e2", "a lot", "", "é"]
            ),
            max_size=4,
        ),
    }
)


@given(
    events=st.lists(EVENTS, max_size=80), cuts=st.sets(st.integers(0, 80), max_size=4)
)
def test_a_recorder_records_and_refuses_what_single_creates_would(
    events: list[dict[str, Any]], cuts: set[int]
) -> None:
    """What one event comes to does not depend on what it came with."""
    codes = list[tuple[str, str]]()
    with store_with_meters() as store:
        for each in events:
            try:
                store.meter_events.create(**each)
            except metering.InvalidRequestError as error:
                codes.append((each["identifier"], error.code))
        expected = listed(store)

    told = list[tuple[str, str]]()
    with (
        store_with_meters() as store,
        store.recorder(
            max_age=timedelta(hours=1),
            on_refused=lambda each: told.append((each.identifier, each.code)),
        ) as recorder,
    ):
        for number, each in enumerate(events):
            try:
                recorder.record(**each)
            except metering.InvalidRequestError as error:
                told.append((each["identifier"], error.code))
            if number in cuts:
                recorder.flush()
        recorder.flush()

        assert listed(store) == expected
        # Of two rules that are broken, the one that needs no meter is found first.
        assert sorted(each for each, _ in told) == sorted(each for each, _ in codes)
        assert store.verify().problems == ()


@pytest.mark.parametrize("count", [1, FEW + 1])
@pytest.mark.parametrize("customer", ["NULL", "null", Decimal("0.5"), 5.0, 7])
def test_who_is_a_customer_does_not_depend_on_how_many_events_come_together(
    customer: str | float | Decimal, count: int
) -> None:
    payload = {"stripe_customer_id": customer, "value": "1"}
    events: list[dict[str, Any]] = [
        {"event_name": "tokens", "identifier": f"e-{n}", "payload": payload}
        for n in range(count)
    ]
    refused = list[str]()
    with store_with_meters() as store:
        for each in events:
            try:
                store.meter_events.create(**each)
            except metering.MeterEventInvalidError as error:
                refused.append(error.code)
        expected = listed(store)
    told = list[str]()
    with (
        store_with_meters() as store,
        store.recorder(on_refused=lambda each: told.append(each.code)) as recorder,
    ):
        for each in events:
            try:
                recorder.record(**each)
            except metering.MeterEventInvalidError as error:
                told.append(error.code)
        recorder.flush()

        assert told == refused
        assert listed(store) == expected


@contextmanager
def store_with_meters() -> Iterator[metering.Metering]:
    with empty_store(clock=metering.FixedClock(NOW)) as store:
        create_meter(store)
        create_meter(store, "calls", formula="count")
        create_meter(store, "words", formula="unique_count")
        yield store


def listed(store: metering.Metering) -> list[tuple[object, ...]]:
    return [
        (each.event_name, each.identifier, each.timestamp, each.payload)
        for each in store.meter_events.list()
    ]
