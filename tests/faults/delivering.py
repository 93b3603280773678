"""Own the webhooks of the fault tests: who is told what, and what must have arrived."""

import json
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing.connection import Connection

import metering
from tests.faults.usage import NOW, open_store
from tests.webhook_receiver import Received, Receiver

PATHS = ("/a", "/b")
# The lease of a process that died is over by then.
LATER = NOW + timedelta(minutes=10)


def add_endpoints(store: metering.Metering, receiver: Receiver) -> None:
    for path in PATHS:
        store.webhook_endpoints.create(url=receiver.url + path, enabled_events=["*"])


def create_meters(store: metering.Metering, names: Sequence[str]) -> None:
    for name in names:
        store.meters.create(
            display_name=name,
            event_name=name,
            default_aggregation={"formula": "sum"},
        )


def event_ids(store: metering.Metering) -> list[str]:
    """The ids of all events of a store, in the order of the log."""
    return [each.id for each in store.events.list(limit=100)][::-1]


def told(received: Sequence[Received], path: str) -> list[str]:
    """The ids of the events that arrived at a path, as often as they did."""
    return [json.loads(each.body)["id"] for each in received if each.path == path]


def marked_delivered(store: metering.Metering, path: str) -> set[str]:
    """The ids of the events that a store says it has delivered."""
    (endpoint,) = [
        each for each in store.webhook_endpoints.list() if each.url.endswith(path)
    ]
    deliveries = store.webhook_endpoints.deliveries(endpoint.id, limit=100)
    return {each.event for each in deliveries if each.status == "delivered"}


def record_and_deliver(target: str, names: Sequence[str], pipe: Connection) -> None:
    """Create meters, and deliver after each."""
    with open_store(target) as store:
        for name in names:
            create_meters(store, [name])
            pipe.send(store.deliver())
