"""Own the webhooks of the fault tests: who is told what, and what must have arrived."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

import metering
from tests.faults.usage import NOW, open_store
from tests.processes import Child, said
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
    newest_first = store.events.list(limit=100).auto_paging_iter()
    return [each.id for each in newest_first][::-1]


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


def assert_all_arrived(
    store: metering.Metering, received: Sequence[Received], expected: Sequence[str]
) -> None:
    """Check that each path got all, in order, one of them twice at most, the same."""
    bodies: dict[str, bytes] = {}
    for path in PATHS:
        arrived = told(received, path)
        assert list(dict.fromkeys(arrived)) == expected
        assert len(arrived) <= len(expected) + 1
        assert marked_delivered(store, path) == set(expected)
        at_path = [each.body for each in received if each.path == path]
        for event_id, body in zip(arrived, at_path, strict=True):
            assert bodies.setdefault(event_id, body) == body


def deliver_at_once(
    processes: ForkServerContext,
    task: Callable[..., None],
    target: str,
    arguments: Sequence[object],
) -> list[metering.DeliveryReceipt]:
    """Let a process work on a store for each argument; return what they delivered."""
    children = [Child(processes, task, target, each) for each in arguments]
    receipts = list(said(*children))
    assert [child.exit_code() for child in children] == [0] * len(children)
    return receipts


def assert_sent_once(
    receiver: Receiver,
    receipts: Sequence[metering.DeliveryReceipt],
    expected: Sequence[str],
) -> None:
    """Check that each path got all, once, and that the receipts say so."""
    for path in PATHS:
        assert sorted(told(receiver.received, path)) == sorted(expected)
    assert sum(each.delivered for each in receipts) == 2 * len(expected)
    assert sum(each.failed for each in receipts) == 0


def record_and_deliver(target: str, names: Sequence[str], pipe: Connection) -> None:
    """Create meters, and deliver after each."""
    with open_store(target) as store:
        for name in names:
            create_meters(store, [name])
            pipe.send(store.deliver())
