"""An endpoint of a worker that was killed is another worker's soon, however many die."""

from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

import pytest

from tests.faults.usage import NOW, create_meter, open_store
from tests.processes import Child
from tests.webhook_receiver import Receiver, answering, running_receiver

WEBHOOK_TIMEOUT = timedelta(seconds=10)
MICROSECOND = timedelta(microseconds=1)


def deliver_until_killed(target: str, now: datetime, pipe: Connection) -> None:
    """Make an attempt to which there is no answer."""
    with open_store(target, now) as store:
        store.deliver()
        pipe.send("it was answered")


@pytest.mark.slow
def test_the_lease_of_a_killed_worker_ends_within_twice_the_timeout(
    store_target: str, processes: ForkServerContext
) -> None:
    now = NOW
    with running_receiver() as receiver:
        with open_store(store_target) as store:
            store.webhook_endpoints.create(url=f"{receiver.url}/", enabled_events=["*"])
        create_meter(store_target)
        receiver.behaviours["/"] = receiver.stalling

        for _ in range(3):
            die_in_an_attempt(processes, store_target, now, receiver)
            now += 2 * WEBHOOK_TIMEOUT
            with open_store(store_target, now - MICROSECOND) as store:
                assert store.deliver().delivered == 0
        receiver.behaviours["/"] = answering(204)
        with open_store(store_target, now) as store:
            assert store.deliver().delivered == 1
        receiver.released.set()


def die_in_an_attempt(
    processes: ForkServerContext, target: str, now: datetime, receiver: Receiver
) -> None:
    child = Child(processes, deliver_until_killed, target, now)
    receiver.next()
    child.kill()
