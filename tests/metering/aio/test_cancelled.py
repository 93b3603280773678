"""Tasks that are cancelled while they create: nothing acknowledged is lost or doubled."""

import asyncio
import threading
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import metering
from metering import aio
from tests.empty_stores import empty_store
from tests.metering.usual_usage import NOW, PAYLOAD, create_meter, identifiers, total

TASKS = 30


@given(seed=st.integers(0, 1 << 30), cancelled=st.integers(0, TASKS))
def test_what_was_acknowledged_is_there_and_what_is_sent_again_counts_once(
    seed: int, cancelled: int
) -> None:
    """A create is durable once it has returned; a cancelled one may be recorded."""
    generator = Random(seed)

    async def create(m: aio.AsyncMetering, number: int) -> None:
        await m.meter_events.create(
            event_name="tokens", identifier=f"e-{number}", payload=PAYLOAD
        )

    async def live(m: aio.AsyncMetering) -> set[str]:
        tasks = [asyncio.create_task(create(m, number)) for number in range(TASKS)]
        for number in generator.sample(range(TASKS), cancelled):
            for _ in range(generator.randrange(4)):
                await asyncio.sleep(0)
            tasks[number].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        return {f"e-{number}" for number, each in enumerate(done) if each is None}

    async def send_all_again(m: aio.AsyncMetering) -> None:
        await asyncio.gather(*(create(m, number) for number in range(TASKS)))

    with empty_store(clock=metering.FixedClock(NOW)) as store:
        meter = create_meter(store)
        m = aio.AsyncMetering(store)
        acknowledged = asyncio.run(live(m))

        assert len(acknowledged) >= TASKS - cancelled
        assert acknowledged <= {*identifiers(store)}
        asyncio.run(send_all_again(m))
        assert sorted(identifiers(store)) == sorted(f"e-{n}" for n in range(TASKS))
        assert total(store, meter) == TASKS
        m.calls.close()


def test_a_call_whose_turn_has_not_come_is_not_made(store: metering.Metering) -> None:
    async def cancel_one_that_waits() -> None:
        m = aio.AsyncMetering(store, threads=1)
        is_cancelled = threading.Event()
        first = asyncio.create_task(m.calls.run(is_cancelled.wait))
        second = asyncio.create_task(
            m.meters.create(
                display_name="second",
                event_name="second",
                default_aggregation={"formula": "count"},
            )
        )
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        is_cancelled.set()
        await first
        m.calls.close()

    asyncio.run(cancel_one_that_waits())
    assert list(store.meters.list()) == []


def test_spooled_events_of_cancelled_tasks_count(
    store: metering.Metering, tmp_path: Path
) -> None:
    """A client that has gone has used what it asked for."""
    create_meter(store)
    names = [f"e-{number}" for number in range(TASKS)]

    async def cancel_all(m: aio.AsyncMetering) -> None:
        recorder = await m.recorder(spool=tmp_path / "spool")
        tasks = [
            asyncio.create_task(
                recorder.record(event_name="tokens", identifier=name, payload=PAYLOAD)
            )
            for name in names
        ]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await recorder.close()

    m = aio.AsyncMetering(store)
    asyncio.run(cancel_all(m))
    m.calls.close()

    assert sorted(identifiers(store)) == sorted(names)
