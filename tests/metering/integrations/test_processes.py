"""A store of several processes: each has its own connection, whatever forks when."""

import asyncio
import os
import threading
from collections import Counter
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import metering
from metering.integrations.processes import ProcessStore
from tests.metering.integrations.backends import assert_once, recorded
from tests.metering.recording.failing import store_that_fails
from tests.processes import Child, forked, said, warm_processes
from tests.segment_places import places_of
from tests.waiting import eventually

EACH = 40
THREADS = 3
FORKS = 3
PAYLOAD = {"stripe_customer_id": "cus_1", "value": "1"}


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    return warm_processes()


def store_at(target: str) -> ProcessStore:
    def connect() -> metering.Metering:
        m = metering.connect(target, **places_of(target))
        m.meters.ensure(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        return m

    return ProcessStore(connect)


def test_a_store_is_opened_once_and_anew_when_it_was_closed(tmp_path: Path) -> None:
    usage = store_at(str(tmp_path / "usage"))

    first = usage.m
    again = usage.m
    usage.close()
    usage.close()
    anew = usage.m

    assert again is first
    assert anew is not first
    assert anew.meters.retrieve(event_name="tokens").status == "active"
    usage.close()


def test_threads_that_use_a_store_at_once_open_it_once(tmp_path: Path) -> None:
    usage, found = store_at(str(tmp_path / "usage")), Counter[int]()
    threads = [
        threading.Thread(target=lambda: found.update([id(usage.m)])) for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {id(usage.m): 8}
    usage.close()


def test_a_store_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    file = tmp_path / "usage"
    file.write_text("in the way")
    usage = store_at(str(file))

    with pytest.raises(metering.StoreUnavailableError):
        _ = usage.m
    file.unlink()

    assert usage.m.position == 1
    usage.close()


def test_what_was_recorded_is_durable_once_the_store_is_closed(tmp_path: Path) -> None:
    target = str(tmp_path / "usage")
    usage = store_at(target)

    for number in range(100):
        record_soon(usage, f"event-{number}")
    usage.close()

    assert recorded(target, "tokens") == {f"event-{number}": 1 for number in range(100)}


def test_a_store_is_closed_whatever_its_recorder_says(tmp_path: Path) -> None:
    usage = store_at(str(tmp_path / "usage"))
    opened = usage.open()
    unrecorded = list[metering.EventsUnrecordedError]()

    def close() -> None:
        try:
            usage.close()
        except metering.EventsUnrecordedError as error:
            unrecorded.append(error)

    with store_that_fails():
        record_soon(usage, "event")
        closing = threading.Thread(target=close)
        closing.start()
        eventually(lambda: opened.recorder.recording.is_closed)
        # Sooner than the close that waits would.
        with pytest.raises(metering.EventsUnrecordedError):
            opened.recorder.close(timedelta(0))
        closing.join()

    assert [error.code for error in unrecorded] == ["events_unrecorded"]
    with pytest.raises(metering.StoreClosedError):
        opened.m.status()


def test_a_store_that_is_closed_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    target = str(tmp_path / "usage")
    usage = ProcessStore(
        partial(metering.connect, target),
        recorder=partial(metering.Metering.recorder, spool=tmp_path / "spool"),
    )
    usage.m.meters.create(
        display_name="Tokens",
        event_name="tokens",
        default_aggregation={"formula": "sum"},
    )

    async def record() -> None:
        opened = usage.open()
        await opened.awaited_recorder.record(event_name="tokens", payload=PAYLOAD)
        await opened.awaited.meter_events.create(event_name="tokens", payload=PAYLOAD)
        await opened.awaited.status()

    asyncio.run(record())
    usage.close()

    began = [each.name for each in threading.enumerate() if each not in before]
    assert [name for name in began if name.startswith("metering")] == []


@pytest.mark.slow
@pytest.mark.dialect
def test_a_process_that_forks_under_load_records_each_event_once(
    store_target: str, processes: ForkServerContext
) -> None:
    forking = Child(processes, fork_under_load, store_target)

    acknowledged = [each for names in said(forking) for each in names]

    assert forking.exit_code() == 0
    found = recorded(store_target, "tokens")
    assert_once(found, acknowledged)
    # The recorders of all processes were closed, so nothing of them is missing either.
    assert len(found) == 2 * EACH * (THREADS + FORKS)


def fork_under_load(target: str, pipe: Connection) -> None:
    """Record on threads, and in children that are forked meanwhile."""
    usage = store_at(target)
    usage.open()
    names: list[str] = []
    threads = [
        threading.Thread(target=record_both, args=(usage, f"thread-{number}", names))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    children = [forked(lambda: in_child(usage, pipe)) for _ in range(FORKS)]
    for thread in threads:
        thread.join()
    assert [os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) for each in children] == (
        [0] * FORKS
    )
    usage.close()
    pipe.send(names)


def in_child(usage: ProcessStore, pipe: Connection) -> None:
    names: list[str] = []
    record_both(usage, f"child-{os.getpid()}", names)
    usage.close()
    pipe.send(names)


def record_both(usage: ProcessStore, name: str, names: list[str]) -> None:
    """Record events that are waited for, which it notes, and as many that are not."""
    for number in range(EACH):
        event = usage.m.meter_events.create(
            event_name="tokens",
            identifier=f"{name}-waited-{number}",
            payload=PAYLOAD,
        )
        names.append(event.identifier)
        record_soon(usage, f"{name}-{number}")


def record_soon(usage: ProcessStore, identifier: str) -> None:
    usage.recorder.record(
        event_name="tokens",
        identifier=identifier,
        payload=PAYLOAD,
    )
