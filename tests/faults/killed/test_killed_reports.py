"""Reports are made by who is killed at any step, or by many: each is told of, once."""

from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

import pytest

import metering
from metering.stream.error_reports import RefusedEvent
from tests.conftest import StoreTargets
from tests.faults.delivering import (
    LATER,
    PATHS,
    assert_all_arrived,
    assert_sent_once,
    create_meters,
    deliver_at_once,
    told,
)
from tests.faults.dying import deliver, killed_at_each_step
from tests.faults.usage import NOW, open_store
from tests.figures import Figures
from tests.profiles import PROFILE
from tests.webhook_receiver import Receiver, running_receiver

REPORT = "v1.billing.meter.error_report_triggered"
NO_METER = "v1.billing.meter.no_meter_found"
METERS = [f"meter {number}" for number in range(5)]
WINDOW = timedelta(seconds=10)
EARLIER = NOW - timedelta(hours=1)


def add_endpoints(store: metering.Metering, receiver: Receiver) -> None:
    for path in PATHS:
        store.webhook_endpoints.create(
            url=receiver.url + path, enabled_events=[REPORT, NO_METER]
        )


def refuse(store: metering.Metering, *event_names: str) -> None:
    store.internals.add_refused(
        [
            RefusedEvent(
                event_name=name,
                code="archived_meter" if name in METERS else "no_meter",
                message="It was refused",
                identifier="request_1",
                request=None,
            )
            for name in event_names
        ]
    )


def report_ids(store: metering.Metering) -> list[str]:
    """The ids of all reports of a store, the first one first."""
    return [each.id for each in store.error_reports.list(limit=100)][::-1]


@pytest.fixture(scope="module")
def about_to_report(store_targets: StoreTargets) -> Iterator[tuple[str, Receiver]]:
    """A store with a report that is made and sent to nobody yet, and one to make."""
    with store_targets() as target, running_receiver() as receiver:
        with open_store(target, EARLIER) as store:
            add_endpoints(store, receiver)
            refuse(store, "nothing")
        with open_store(target, EARLIER + WINDOW) as store:
            refuse(store, "nothing")
        yield target, receiver


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_reports_can_be_killed_at_every_step(
    about_to_report: tuple[str, Receiver],
    processes: ForkServerContext,
    figures: Figures,
) -> None:
    """A kill at any step of a report of refused events sends it all the same, once."""
    original, receiver = about_to_report
    counts = set()
    start = len(receiver.received)
    for target in killed_at_each_step(
        original, deliver, processes, figures, steps_min=20
    ):
        counts.add(len(told(receiver.received[start:], PATHS[0])))
        with open_store(target, LATER) as store:
            store.deliver()
            expected = report_ids(store)
            assert len(expected) == 2
            assert_all_arrived(store, receiver.received[start:], expected)
            assert store.deliver() == metering.DeliveryReceipt(
                enqueued=0, delivered=0, failed=0
            )
        start = len(receiver.received)

    # Died after something had arrived and before it was written.
    assert PROFILE.stride > 1 or counts == {0, 1, 2}


def report_and_deliver(target: str, windows: int, pipe: Connection) -> None:
    """Have events refused in each of some windows, and deliver after each."""
    clock = metering.FixedClock(NOW)
    with metering.connect(
        target,
        clock=clock,
        allow_private_webhooks=True,
        webhook_timeout=timedelta(minutes=1),
    ) as store:
        for _ in range(windows):
            refuse(store, "nothing", *METERS)
            clock.advance(WINDOW)
            pipe.send(store.deliver())


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 3])
def test_processes_that_report_at_once_tell_of_nothing_twice(
    store_target: str, processes: ForkServerContext, number: int
) -> None:
    with running_receiver() as receiver:
        with open_store(store_target, EARLIER) as store:
            add_endpoints(store, receiver)
            create_meters(store, METERS)

        # Few windows: the clocks stay closer than a lease is long.
        receipts = deliver_at_once(
            processes, report_and_deliver, store_target, [4] * number
        )
        with open_store(store_target, LATER) as store:
            receipts.append(store.deliver())
            expected = report_ids(store)

        assert len(expected) >= 24
        assert_sent_once(receiver, receipts, expected)
