"""An awaited connection: off the event loop, grouped, paged, opened and closed."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

import metering
from ledger.database.connections import STATEMENT
from metering import aio
from metering.aio.opening import Opening
from tests.metering.usual_usage import NOW, PAYLOAD, create_meter, identifiers


class _Noting:
    """Notes the threads that reach a database, and the commits of usage."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.commits = 0
        sys.addaudithook(self._on_audit)
        event.listen(Engine, "before_cursor_execute", self._on_statement)

    def _on_audit(self, name: str, arguments: tuple[object, ...]) -> None:
        if name == STATEMENT:
            self.threads.add(threading.get_ident())
            self.commits += "INSERT INTO log_commit" in str(arguments[0])

    def _on_statement(self, *_: object) -> None:
        self.threads.add(threading.get_ident())


@pytest.fixture(scope="module")
def only_noting() -> _Noting:
    # Nothing takes an audit hook away again.
    return _Noting()


@pytest.fixture
def noting(only_noting: _Noting) -> _Noting:
    only_noting.threads.clear()
    only_noting.commits = 0
    return only_noting


async def _create(m: aio.AsyncMetering, identifier: str) -> metering.MeterEvent:
    return await m.meter_events.create(
        event_name="tokens", identifier=identifier, payload=PAYLOAD
    )


def test_no_call_waits_for_a_database_on_the_event_loop(
    store: metering.Metering, noting: _Noting
) -> None:
    async def call_much() -> None:
        m = aio.AsyncMetering(store)
        meter = await m.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        await asyncio.gather(*(_create(m, str(number)) for number in range(20)))
        async for _ in m.meter_events.list():
            pass
        async for _ in (await m.meters.list(limit=1)).auto_paging_iter():
            pass
        await m.meters.event_summaries(
            meter.id, customer="cus_1", start_time=0, end_time=NOW
        )
        await m.reaggregate()
        await m.usage()
        await m.catch_up()
        await m.status()
        async with m.worker():
            await m.position
        await m.close()

    asyncio.run(call_much())

    assert threading.get_ident() not in noting.threads
    assert noting.threads


def test_creates_of_many_tasks_share_commits(
    store: metering.Metering, noting: _Noting
) -> None:
    create_meter(store)

    async def create_all() -> list[metering.MeterEvent]:
        m = aio.AsyncMetering(store)
        return await asyncio.gather(*(_create(m, f"e-{each}") for each in range(64)))

    created = asyncio.run(create_all())

    assert sorted(each.position for each in created) == list(range(2, 66))
    assert 0 < noting.commits < 32


class _Odd(Mapping[str, str]):
    """A payload that breaks whoever reads it."""

    def __getitem__(self, key: str) -> str:
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        raise NotImplementedError

    def __len__(self) -> int:
        return 1


def test_an_event_that_is_refused_fails_its_own_task_alone(
    store: metering.Metering,
) -> None:
    create_meter(store)
    events = [
        ("one", PAYLOAD),
        ("two", {**PAYLOAD, "value": "a lot"}),
        ("three", _Odd()),
        ("one", {**PAYLOAD, "value": "2"}),
        ("four", PAYLOAD),
    ]

    async def create_all() -> list[metering.MeterEvent | BaseException]:
        m = aio.AsyncMetering(store)
        return await asyncio.gather(
            *(
                m.meter_events.create(
                    event_name="tokens", identifier=identifier, payload=payload
                )
                for identifier, payload in events
            ),
            return_exceptions=True,
        )

    outcomes = asyncio.run(create_all())

    assert [type(each) for each in outcomes] == [
        metering.MeterEvent,
        metering.MeterEventInvalidError,
        NotImplementedError,
        metering.IdentifierConflictError,
        metering.MeterEvent,
    ]
    assert identifiers(store) == ["one", "four"]


def test_a_stream_of_events_has_all_of_them_in_order(store: metering.Metering) -> None:
    create_meter(store)
    rows = [
        {"event_name": "tokens", "identifier": f"{n}", **PAYLOAD} for n in range(600)
    ]
    store.meter_events.ingest(rows, now=True)

    async def listed() -> list[str]:
        m = aio.AsyncMetering(store)
        return [each.identifier async for each in m.meter_events.list()]

    assert asyncio.run(listed()) == [str(number) for number in range(600)]


@pytest.mark.parametrize("cursor", ["starting_after", "ending_before"])
def test_pages_are_those_of_the_library(store: metering.Metering, cursor: str) -> None:
    meters = [create_meter(store, f"meter-{number}") for number in range(7)]
    bounds: dict[str, Any] = {cursor: meters[3].id}
    page = store.meters.list(limit=2, **bounds)

    async def listed() -> tuple[
        aio.AsyncListObject[metering.Meter], list[str], list[str]
    ]:
        m = aio.AsyncMetering(store)
        first = await m.meters.list(limit=2, **bounds)
        second = await first.next_page()
        last = await second.next_page()
        assert (last.data, last.has_more) == ([], False)
        names = [each.event_name async for each in first.auto_paging_iter()]
        return first, [each.event_name for each in second], names

    first, second, names = asyncio.run(listed())

    assert (first.data, first.has_more) == (page.data, page.has_more)
    assert first.to_dict() == page.to_dict()
    assert second == [each.event_name for each in page.next_page()]
    assert names == [each.event_name for each in page.auto_paging_iter()]
    assert page.next_page().next_page() == []


def test_a_connection_is_opened_awaited_or_in_a_with_statement(tmp_path: Path) -> None:
    async def open_twice() -> list[int]:
        m = await aio.connect(tmp_path / "usage")
        create_meter(m.sync)
        await m.close()
        async with aio.connect(tmp_path / "usage", create=False) as again:
            found = await again.position
        with pytest.raises(metering.StoreClosedError):
            await again.position
        with pytest.raises(metering.StoreClosedError):
            await _create(again, "late")
        with pytest.raises(metering.StoreClosedError):
            await again.catch_up()
        return [found]

    assert asyncio.run(open_twice()) == [1]


def test_what_cannot_be_opened_is_refused_where_it_is_awaited(tmp_path: Path) -> None:
    async def open_nothing() -> None:
        async with aio.connect(tmp_path / "usage", create=False):
            raise AssertionError("it is open")

    with pytest.raises(metering.StoreMissingError):
        asyncio.run(open_nothing())


def test_a_connection_whose_opening_is_cancelled_is_closed(tmp_path: Path) -> None:
    store = metering.connect(tmp_path / "usage")
    may_open, is_opening = threading.Event(), threading.Event()

    def open_late() -> metering.Metering:
        is_opening.set()
        assert may_open.wait(60)
        return store

    async def give_up() -> None:
        opening = asyncio.ensure_future(_opened(Opening(open_late, aio.AsyncMetering)))
        await asyncio.to_thread(is_opening.wait)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        may_open.set()
        while True:
            try:
                assert store.position == 0
            except metering.StoreClosedError:
                return
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(give_up(), 60))


async def _opened(
    opening: Opening[metering.Metering, aio.AsyncMetering],
) -> aio.AsyncMetering:
    return await opening


def test_one_connection_serves_one_event_loop_after_another(
    store: metering.Metering,
) -> None:
    create_meter(store)
    m = aio.AsyncMetering(store)

    for number in range(3):
        asyncio.run(_create(m, f"e-{number}"))

    assert identifiers(store) == ["e-0", "e-1", "e-2"]


def test_event_loops_of_several_threads_share_a_connection(
    store: metering.Metering,
) -> None:
    create_meter(store)
    m = aio.AsyncMetering(store)

    async def create_some(first: int) -> None:
        await asyncio.gather(*(_create(m, f"e-{first + each}") for each in range(25)))

    threads = [
        threading.Thread(target=asyncio.run, args=(create_some(25 * number),))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(identifiers(store)) == sorted(f"e-{number}" for number in range(100))


def test_a_worker_with_a_fault_raises_it_where_it_is_left(
    store: metering.Metering,
) -> None:
    create_meter(store)
    failure = RuntimeError("reported")

    def fail(_: metering.WorkReceipt) -> None:
        raise failure

    async def work() -> None:
        m = aio.AsyncMetering(store)
        meter = (await m.meters.list())[0]
        async with m.worker(poll=timedelta(milliseconds=1), progress=fail) as worker:
            await m.alerts.create(
                title="Much",
                usage_threshold={
                    "gte": 1,
                    "meter": meter.id,
                    "recurrence": "one_time",
                },
            )
            await _create(m, "much")
            while not any(each.failing_since for each in await m.loops()):
                await asyncio.sleep(0.01)
            assert not worker.has_ended

    with pytest.raises(RuntimeError, match="reported"):
        asyncio.run(asyncio.wait_for(work(), 60))


@pytest.mark.slow
def test_a_child_of_a_fork_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, sys, warnings
import metering
from metering import aio

warnings.simplefilter("ignore")
store = metering.connect({str(tmp_path / "usage")!r})
m = aio.AsyncMetering(store)
asyncio.run(m.catch_up())
child = os.fork()
if child == 0:
    async def ask(call):
        try:
            await call
        except metering.StoreForkedError:
            return 0
        return 1

    create = m.meter_events.create(event_name="tokens", payload={{}})
    os._exit(asyncio.run(ask(create)) + asyncio.run(ask(m.catch_up())))
_, status = os.waitpid(child, 0)
sys.exit(status)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
