"""Every list follows one protocol, and every resource turns into JSON."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

import metering
from metering.stream.error_reports import RefusedEvent
from tests.empty_stores import empty_store
from tests.metering.refusals import refused
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import NOW, create_event, create_meter
from tests.webhook_receiver import running_receiver

Fetch = Callable[..., metering.ListObject[Any]]


def meters(store: metering.Metering) -> Fetch:
    for number in range(5):
        create_meter(store, f"event_{number}")
    return store.meters.list


def credit_grants(store: metering.Metering) -> Fetch:
    for number in range(1, 6):
        grant(store, number)
    return store.credit_grants.list


def transactions(store: metering.Metering) -> Fetch:
    credit_grants(store)
    return lambda **page: store.credit_balance_transactions.list("cus_1", **page)


def alerts(store: metering.Metering) -> Fetch:
    meter = create_meter(store)
    for gte in range(1, 6):
        threshold: metering.UsageThresholdParams = {
            "gte": gte,
            "meter": meter.id,
            "recurrence": "one_time",
        }
        store.alerts.create(title="Much", usage_threshold=threshold)
    return store.alerts.list


def events(store: metering.Metering) -> Fetch:
    meters(store)
    return store.events.list


def summaries(store: metering.Metering) -> Fetch:
    meter = create_meter(store)
    return lambda **page: store.meters.event_summaries(
        meter.id,
        customer="cus_1",
        start_time=NOW,
        end_time=NOW + timedelta(hours=5),
        value_grouping_window="hour",
        fill=True,
        **page,
    )


def api_keys(store: metering.Metering) -> Fetch:
    for number in range(5):
        store.api_keys.create(name=f"Key {number}")
    return store.api_keys.list


def webhook_endpoints(store: metering.Metering) -> Fetch:
    for _ in range(5):
        store.webhook_endpoints.create(url="https://a.example/", enabled_events=["*"])
    return store.webhook_endpoints.list


LISTS = [
    meters, credit_grants, transactions, alerts, events, summaries, api_keys,
    webhook_endpoints,
]  # fmt: skip


def check(fetch: Fetch, id_of: Callable[[Any], str] = lambda each: each.id) -> None:
    """Five resources are listed newest first, forwards and backwards by pages."""
    every = [id_of(each) for each in fetch(limit=100)]
    assert len(every) == len(set(every)) == 5

    page = fetch(limit=2)
    assert [id_of(each) for each in page.data] == every[:2]
    assert (page.object, page.has_more) == ("list", True)
    assert [id_of(each) for each in page.auto_paging_iter()] == every
    assert [id_of(each) for each in page] == every[:2]

    last = fetch(limit=2, starting_after=every[2])
    assert ([id_of(each) for each in last], last.has_more) == (every[3:], False)

    before = fetch(limit=2, ending_before=every[4])
    assert ([id_of(each) for each in before], before.has_more) == (every[2:4], True)
    backwards = [id_of(each) for each in before.auto_paging_iter()]
    assert backwards == every[3::-1]

    assert [id_of(each) for each in fetch(limit=2, ending_before=every[1])] == every[:1]
    assert fetch(starting_after=every[4]) == fetch(ending_before=every[0]) == []

    for cursor in ("starting_after", "ending_before"):
        for unknown in ("none", "\0"):
            with refused(param=cursor, kind=metering.ResourceMissingError):
                fetch(**{cursor: unknown})
    for limit in (0, 101, True):
        with refused("parameter_invalid", "limit"):
            fetch(limit=limit)
    with refused("parameters_exclusive", "ending_before"):
        fetch(starting_after=every[0], ending_before=every[4])


@pytest.mark.parametrize("prepare", LISTS)
def test_a_list_is_read_by_pages_in_both_directions(
    store: metering.Metering, prepare: Callable[[metering.Metering], Fetch]
) -> None:
    check(prepare(store))


def test_error_reports_are_read_by_pages_in_both_directions(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    create_meter(store)
    for number in range(5):
        refused = RefusedEvent(
            event_name="tokens",
            code="meter_event_invalid_value",
            message="It is no number",
            identifier=f"request_{number}",
            request=None,
        )
        store.internals.add_refused([refused])
        clock.advance(timedelta(seconds=10))

    check(store.error_reports.list)


def test_deliveries_are_read_by_pages_in_both_directions(
    clock: metering.FixedClock,
) -> None:
    with (
        empty_store(clock=clock, allow_private_webhooks=True) as store,
        running_receiver() as receiver,
    ):
        endpoint = store.webhook_endpoints.create(
            url=receiver.url + "/", enabled_events=["*"]
        )
        meters(store)
        store.deliver()

        check(
            lambda **page: store.webhook_endpoints.deliveries(endpoint.id, **page),
            lambda each: each.event,
        )


def test_a_short_list_is_whole_without_a_limit(store: metering.Metering) -> None:
    for number in range(12):
        create_meter(store, f"event_{number}")

    assert len(store.meters.list()) == 12
    assert not store.meters.list().has_more
    assert len(store.events.list()) == 10


def test_a_resource_is_a_dict_that_json_can_write(store: metering.Metering) -> None:
    meter = create_meter(store)
    event = create_event(store, payload={"stripe_customer_id": "c", "value": "0.10"})
    [summary] = store.meters.event_summaries(
        meter.id,
        customer="c",
        start_time=NOW - timedelta(days=1),
        end_time=NOW + timedelta(days=1),
    )

    plain = summary.to_dict()

    assert plain == json.loads(msgspec.json.encode(summary))
    assert Decimal(plain["aggregated_value"]) == summary.aggregated_value
    assert plain["start_time"] == "2026-02-28T12:00:00Z"
    assert json.loads(json.dumps(event.to_dict()))["payload"] == event.payload
    page = store.meters.list(limit=1).to_dict()
    assert page == {"object": "list", "data": [meter.to_dict()], "has_more": False}
