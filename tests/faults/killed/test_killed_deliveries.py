"""Delivery is killed at any step, or done by many: all arrives, in order, as it is."""

from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.context import ForkServerContext
from typing import Any

import pytest

from tests.conftest import StoreTargets
from tests.faults.delivering import (
    LATER,
    PATHS,
    add_endpoints,
    assert_all_arrived,
    assert_sent_once,
    create_meters,
    deliver_at_once,
    event_ids,
    marked_delivered,
    record_and_deliver,
    told,
)
from tests.faults.dying import deliver, killed_at_each_step
from tests.faults.usage import create, open_store
from tests.figures import Figures
from tests.profiles import PROFILE
from tests.webhook_receiver import Receiver, running_receiver


@pytest.fixture(scope="module")
def about_to_deliver(store_targets: StoreTargets) -> Iterator[tuple[str, Receiver]]:
    """A store with something delivered, something to trigger, and something new."""
    with store_targets() as target, running_receiver() as receiver:
        with open_store(target) as store:
            add_endpoints(store, receiver)
            create_meters(store, ["tokens"])
            store.deliver()
            (meter,) = store.meters.list()
            threshold: Any = {"gte": 1, "meter": meter.id, "recurrence": "one_time"}
            store.alerts.create(title="An alert", usage_threshold=threshold)
            create(store, 1)
            create_meters(store, ["requests"])
        yield target, receiver


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_delivers_can_be_killed_at_every_step(
    about_to_deliver: tuple[str, Receiver],
    processes: ForkServerContext,
    figures: Figures,
) -> None:
    """A kill at any step of a delivery loses nothing and sends one event again at most."""
    original, receiver = about_to_deliver
    states = set()
    earlier = receiver.received
    start = len(receiver.received)
    for target in killed_at_each_step(
        original, deliver, processes, figures, steps_min=20
    ):
        with open_store(target, LATER) as store:
            for path in PATHS:
                arrived = told([*earlier, *receiver.received[start:]], path)
                marked = marked_delivered(store, path)
                assert marked <= set(arrived)
                states.add((len(set(arrived)), len(marked)))
            store.deliver()
            expected = event_ids(store)
            assert len(expected) == 3
            assert_all_arrived(store, [*earlier, *receiver.received[start:]], expected)
            assert store.deliver().delivered == 0
            assert store.verify().problems == ()
        start = len(receiver.received)

    # Died after something had arrived and before it was written.
    assert PROFILE.stride > 1 or {(2, 1), (3, 2)} <= states


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 3])
def test_processes_that_deliver_at_once_send_nothing_twice(
    store_target: str, processes: ForkServerContext, number: int
) -> None:
    with running_receiver() as receiver:
        with open_store(store_target) as store:
            add_endpoints(store, receiver)

        names = [
            [f"meter {seed} {each}" for each in range(12)] for seed in range(number)
        ]
        receipts = deliver_at_once(processes, record_and_deliver, store_target, names)
        with open_store(store_target) as store:
            receipts.append(store.deliver())
            expected = event_ids(store)

        assert len(expected) == 12 * number
        assert_sent_once(receiver, receipts, expected)
        assert all(told(receiver.received, path) == expected for path in PATHS)
        assert sum(each.enqueued for each in receipts) == 2 * len(expected)


def test_clocks_that_differ_by_minutes_do_no_harm(
    store_target: str, processes: ForkServerContext
) -> None:
    early, late = (datetime(2026, 3, 2, 12, at, tzinfo=UTC) for at in (0, 30))
    with (
        running_receiver() as receiver,
        open_store(store_target, early) as slow,
        open_store(store_target, late) as fast,
    ):
        add_endpoints(slow, receiver)
        create_meters(slow, ["first"])
        fast.deliver()
        create_meters(fast, ["second"])
        slow.deliver()
        create_meters(slow, ["third"])
        fast.deliver()

        expected = event_ids(slow)
        for path in PATHS:
            assert told(receiver.received, path) == expected
            assert marked_delivered(slow, path) == set(expected)
