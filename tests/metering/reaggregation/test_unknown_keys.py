"""A key of the payload that no event has is an error that names those there are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.usual_usage import create_event, create_meter

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["unsealed", "sealed"])
def store(request: pytest.FixtureRequest) -> Iterator[metering.Metering]:
    """A store of two meters, the payloads of which have different keys."""
    with metering.connect(":memory:", clock=metering.FixedClock(NOW)) as store:
        for name, key in (("tokens", "model"), ("calls", "path")):
            create_meter(store, name)
            use(store, name, {key: "x"}, NOW - HOUR)
        if request.param == "sealed":
            store.seal()
        use(store, "tokens", {"region": "eu"}, NOW)
        yield store


def use(
    store: metering.Metering, name: str, labels: dict[str, str], when: datetime
) -> None:
    payload = {"stripe_customer_id": "cus_1", "value": "1", **labels}
    create_event(store, name, payload, timestamp=when)


def test_usage_is_not_split_by_a_key_that_no_event_has(
    store: metering.Metering,
) -> None:
    with refused(None, "group_by", "'tokens'", "'modle'", "'model', 'region'"):
        store.reaggregate("tokens", group_by=["model", "modle"])


def test_nothing_is_filtered_by_a_key_that_no_event_has(
    store: metering.Metering,
) -> None:
    with refused(None, "filters", "'modle'", "'model', 'region'"):
        store.reaggregate("tokens", filters={"modle": "x"})


def test_the_keys_are_those_of_the_meters_asked_for(store: metering.Metering) -> None:
    assert store.reaggregate(group_by="path").num_rows > 0
    with refused(None, "group_by", "'path'"):
        store.reaggregate("tokens", group_by="path")


def test_a_key_may_be_absent_from_the_events_that_count(
    store: metering.Metering,
) -> None:
    late = store.reaggregate("tokens", start_time=NOW, group_by="model")

    assert late.column("model").to_pylist() == [None]
    assert store.reaggregate("tokens", filters={"model": "y"}).num_rows == 0


def test_a_meter_without_events_has_no_keys_to_name() -> None:
    with metering.connect(":memory:", clock=metering.FixedClock(NOW)) as store:
        create_meter(store, "tokens")

        assert store.reaggregate(group_by="model").num_rows == 0


def test_payloads_may_hold_no_key_at_all() -> None:
    with metering.connect(":memory:", clock=metering.FixedClock(NOW)) as store:
        create_meter(store, "tokens")
        use(store, "tokens", {}, NOW)

        with refused(None, "group_by", "'model'", "nothing but customer and value"):
            store.reaggregate(group_by="model")
