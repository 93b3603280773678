"""Re-aggregation refuses what it cannot answer, and names the argument."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import metering
from tests.metering.refusals import refused

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[metering.Metering]:
    """A store of one meter and one event."""
    with metering.connect(":memory:", clock=metering.FixedClock(NOW)) as store:
        store.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        store.meter_events.create(
            event_name="tokens", payload={"stripe_customer_id": "cus_1", "value": "2"}
        )
        yield store


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"meters": ["calls"]}, "meters"),
    ({"meters": True}, "meters"),
    ({"window": "fortnight"}, "window"),
    ({"timezone": "Mars/Olympus"}, "timezone"),
    ({"timezone": ""}, "timezone"),
    ({"timezone": "../UTC"}, "timezone"),
    ({"formula": "median"}, "formula"),
    ({"value_key": ""}, "value_key"),
    ({"value_key": "stripe_customer_id"}, "value_key"),
    ({"group_by": ["value"]}, "group_by"),
    ({"group_by": ["stripe_customer_id"]}, "group_by"),
    ({"group_by": ["customer"]}, "group_by"),
    ({"group_by": ["model", "model"]}, "group_by"),
    ({"group_by": [""]}, "group_by"),
    ({"group_by": True}, "group_by"),
    ({"filters": {"stripe_customer_id": "cus_1"}}, "filters"),
    ({"filters": {"model": [1]}}, "filters"),
    ({"filters": {"model": None}}, "filters"),
    ({"filters": {"model": []}}, "filters"),
    ({"filters": {"customer": ()}}, "filters"),
    ({"filters": {"meter": "calls"}}, "filters"),
    ({"filters": [1]}, "filters"),
    ({"filters": True}, "filters"),
    ({"customers": ()}, "customers"),
    ({"customers": [1]}, "customers"),
    ({"customers": True}, "customers"),
    ({"as_of": 3}, "as_of"),
    ({"as_of": -1}, "as_of"),
    ({"as_of": "yesterday"}, "as_of"),
    ({"as_of": "2026-03-02T00:00:00.000001Z"}, "as_of"),
    ({"start_time": "2026-03-02", "end_time": "2026-03-01"}, "end_time"),
    ({"start_time": datetime(2026, 3, 2)}, "start_time"),  # noqa: DTZ001  # the point
]


@pytest.mark.parametrize(("arguments", "param"), REFUSED)
def test_what_cannot_be_answered_is_refused_by_name(
    store: metering.Metering, arguments: dict[str, Any], param: str
) -> None:
    with refused(param=param):
        store.reaggregate(**arguments)


def test_a_store_without_events_has_no_usage() -> None:
    with metering.connect(":memory:", clock=metering.FixedClock(NOW)) as store:
        table = store.reaggregate(window="hour", timezone="Asia/Kathmandu")

    assert table.num_rows == 0
    assert table.schema.names == [
        "meter", "customer", "window_start", "window_end", "value", "event_count",
        "event_name",
    ]  # fmt: skip


def test_nothing_was_known_at_the_beginning(store: metering.Metering) -> None:
    assert store.reaggregate(as_of=0).num_rows == 0
    assert store.reaggregate(as_of=1).num_rows == 0
    assert store.reaggregate(as_of=2).column("event_count").to_pylist() == [1]
    assert store.reaggregate(as_of=NOW).num_rows == 1


@pytest.mark.parametrize("end", ["2026-03-01", "2026-03-02"])
def test_nothing_is_found_before_the_first_event(
    store: metering.Metering, end: str
) -> None:
    assert store.reaggregate(end_time=end).num_rows == 0


def test_nothing_is_found_after_the_last_event(store: metering.Metering) -> None:
    assert store.reaggregate(start_time="2026-03-03").num_rows == 0
