"""The status of a store says how far it is, whichever process asks."""

from datetime import timedelta
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.usual_usage import NOW, cancel_event, create_event, create_meter
from tests.webhook_receiver import answering, running_receiver


def test_an_empty_store_has_nothing_to_do(store: metering.Metering) -> None:
    assert store.status() == metering.StoreStatus(
        position=0,
        event_count=0,
        evaluated_position=None,
        pending_deliveries=0,
        pending_since=None,
    )


def test_events_are_counted_once_sealed_cancelled_or_not(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store, other = (connect(clock=clock, seal_events=None) for _ in range(2))
    create_meter(store)
    for number in range(6):
        create_event(store, identifier=f"id-{number}")
        create_event(store, identifier=f"id-{number}")
        if number in {2, 4}:
            store.seal()
    cancel_event(store, "id-1")

    for connection in (store, other):
        status = connection.status()

        assert status.event_count == 6
        assert status.position == store.position == 8


@pytest.mark.dialect
def test_what_is_evaluated_and_what_is_to_be_delivered_is_told(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock, allow_private_webhooks=True)
    meter = create_meter(store)
    threshold: Any = {"gte": 1, "meter": meter.id, "recurrence": "one_time"}
    store.alerts.create(title="Much", usage_threshold=threshold)
    with running_receiver() as receiver:
        receiver.behaviours["/"] = answering(500)
        store.webhook_endpoints.create(url=f"{receiver.url}/", enabled_events=["*"])
        event = create_event(store)
        before = store.status()
        store.deliver()
        clock.advance(timedelta(seconds=1))
        after = store.status()

    assert before.evaluated_position is not None
    assert before.evaluated_position < event.position
    assert before.pending_deliveries == 0
    assert after.evaluated_position is not None
    assert after.evaluated_position >= event.position
    assert after.pending_deliveries == 1
    assert after.pending_since == NOW
