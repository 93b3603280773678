"""Filters take payload keys, `customer` and `meter`; no other column, and no empty list."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.usual_usage import create_event, create_meter

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[metering.Metering]:
    """A store of two meters and three customers, half of their events sealed.

    Payloads have keys with the names of columns, too.
    """
    with metering.connect(":memory:", clock=metering.FixedClock(NOW)) as store:
        create_meter(store, "tokens")
        create_meter(store, "calls", "count")
        for number in range(12):
            create_event(
                store,
                ("tokens", "calls")[number % 2],
                {
                    "stripe_customer_id": f"cus_{number % 3}",
                    "value": "1",
                    "model": ("small", "large")[number // 6],
                    "customer": "cus_9",
                    "meter": "water",
                    "timestamp": "noon",
                },
                timestamp=NOW - timedelta(hours=number),
            )
            if number == 5:
                store.seal()
        yield store


def counts(store: metering.Metering, **asked: Any) -> dict[tuple[str, str], int]:
    """Events by event name and customer."""
    names = {each.id: each.event_name for each in store.meters.list()}
    rows = store.reaggregate(window="month", **asked).to_pylist()
    found: dict[tuple[str, str], int] = {}
    for row in rows:
        key = names[row["meter"]], row["customer"]
        found[key] = found.get(key, 0) + row["event_count"]
    return found


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"customer": "cus_1"}, {("tokens", "cus_1"): 2, ("calls", "cus_1"): 2}),
        ({"customer": ["cus_9", "cus_1"], "meter": "calls"}, {("calls", "cus_1"): 2}),
        ({"customer": "cus_9"}, {}),
        ({"customer": "cus_1", "model": "small"}, {("tokens", "cus_1"): 1,
                                                   ("calls", "cus_1"): 1}),
        ({"meter": "tokens"}, {("tokens", f"cus_{at}"): 2 for at in range(3)}),
    ],
)  # fmt: skip
def test_customers_and_meters_are_columns_to_filter_by(
    store: metering.Metering,
    filters: dict[str, Any],
    expected: dict[tuple[str, str], int],
) -> None:
    assert counts(store, filters=filters) == expected


def test_a_filter_of_meters_takes_ids_and_keeps_to_the_meters_asked_for(
    store: metering.Metering,
) -> None:
    tokens = store.meters.retrieve(event_name="tokens").id
    both = [tokens, "calls"]

    assert counts(store, filters={"meter": both}) == counts(store)
    assert counts(store, meters="tokens", filters={"meter": both}) == counts(
        store, meters=[tokens]
    )
    assert counts(store, meters="tokens", filters={"meter": "calls"}) == {}


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("event_name", "filter by meter"),
        ("timestamp", "start_time"),
        ("window_start", "start_time"),
        ("window_end", "end_time"),
        ("position", "as_of"),
        ("recorded_at", "as_of"),
        ("identifier", "sql"),
        ("value", "rows of the answer"),
        ("event_count", "rows of the answer"),
        ("cancelled", "never count"),
        ("payload", "key of the payload"),
        ("stripe_customer_id", "filter by customer"),
    ],
)
def test_other_columns_are_refused_with_what_to_use_instead(
    store: metering.Metering, name: str, instead: str
) -> None:
    with refused(None, "filters", repr(name), instead):
        store.reaggregate(filters={name: "noon"})


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("customer", "result"),
        ("meter", "result"),
        ("window_start", "result"),
        ("event_name", "result"),
        ("timestamp", "window"),
        ("position", "as_of"),
        ("identifier", "sql"),
    ],
)
def test_usage_is_split_by_no_column(
    store: metering.Metering, name: str, instead: str
) -> None:
    with refused(None, "group_by", repr(name), instead):
        store.reaggregate(group_by=[name])
