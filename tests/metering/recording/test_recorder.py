"""The recorder: returns at once, writes many at a time, keeps what it cannot write."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import metering
from metering import aio
from metering.recording.recording import Recording
from tests.conftest import Connect
from tests.metering.recording.failing import store_that_fails
from tests.metering.refusals import refused
from tests.metering.usual_usage import (
    NOW,
    PAYLOAD,
    create_event,
    create_meter,
    identifiers,
    payloads,
    timestamps,
    total,
)
from tests.waiting import eventually

HOUR = timedelta(hours=1)


def record(recorder: metering.Recorder, identifier: str, value: str = "1") -> str:
    return recorder.record(
        event_name="tokens",
        identifier=identifier,
        payload={**PAYLOAD, "value": value},
    )


def test_what_is_recorded_is_written_when_the_recorder_is_closed(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    meter = create_meter(store)

    with store.recorder(max_age=HOUR) as recorder:
        for number in range(50):
            record(recorder, f"e-{number}", str(number))
        assert identifiers(store) == []

    assert identifiers(store) == [f"e-{number}" for number in range(50)]
    assert total(store, meter) == sum(range(50))


def test_a_flush_writes_what_was_recorded_before(store: metering.Metering) -> None:
    create_meter(store)

    with store.recorder(max_age=HOUR) as recorder:
        record(recorder, "one")
        assert recorder.flush()
        assert identifiers(store) == ["one"]
        record(recorder, "two")
        assert recorder.flush(timedelta(minutes=1))
        assert identifiers(store) == ["one", "two"]


@pytest.mark.parametrize(
    ("max_events", "max_age"), [(1_000, timedelta(milliseconds=10)), (4, HOUR)]
)
def test_what_is_old_or_much_is_written_by_itself(
    store: metering.Metering, max_events: int, max_age: timedelta
) -> None:
    create_meter(store)

    with store.recorder(max_events=max_events, max_age=max_age) as recorder:
        for number in range(2):
            record(recorder, f"e-{number}")
        eventually(lambda: identifiers(store) == ["e-0", "e-1"])


def test_an_event_gets_its_identifier_and_its_time_when_it_is_recorded(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    create_meter(store)
    payload = dict(PAYLOAD)

    with store.recorder(max_age=HOUR) as recorder:
        first = recorder.record(event_name="tokens", payload=payload)
        second = recorder.record(
            event_name="tokens", payload=payload, timestamp=NOW - timedelta(days=35)
        )
        payload["value"] = "7"
        clock.advance(timedelta(days=1))

    assert first != second
    assert identifiers(store) == [first, second]
    assert timestamps(store) == [NOW, NOW - timedelta(days=35)]
    assert payloads(store) == [PAYLOAD, PAYLOAD]


@pytest.mark.parametrize("count", [3, 100])
def test_few_and_many_are_recorded_as_create_would(
    store: metering.Metering, count: int
) -> None:
    create_meter(store)
    create_event(store, identifier="taken", payload={**PAYLOAD, "value": "5"})
    told = list[metering.UnrecordedEvent]()

    with store.recorder(max_age=HOUR, on_refused=told.append) as recorder:
        for number in range(count):
            record(recorder, f"e-{number}")
        record(recorder, "e-0")
        record(recorder, "taken", "6")
        record(recorder, "odd", "a lot")
        recorder.record(event_name="unknown", identifier="none", payload=PAYLOAD)
        recorder.record(event_name="tokens", identifier="nobody", payload={"value": 1})

    assert identifiers(store) == ["taken", *(f"e-{each}" for each in range(count))]
    assert [(each.identifier, each.code) for each in told] == [
        ("taken", "identifier_conflict"),
        ("odd", "meter_event_invalid_value"),
        ("none", "no_meter"),
        ("nobody", "meter_event_no_customer_defined"),
    ]
    assert told[1].payload == {**PAYLOAD, "value": "a lot"}
    assert told[1].timestamp == NOW
    assert told[1].message.startswith("Invalid value 'a lot'")


def test_a_retry_without_a_timestamp_counts_once(
    store: metering.Metering, clock: metering.FixedClock
) -> None:
    meter = create_meter(store)
    told = list[metering.UnrecordedEvent]()

    with store.recorder(max_age=HOUR, on_refused=told.append) as recorder:
        record(recorder, "request-1")
        clock.advance(timedelta(seconds=1))
        record(recorder, "request-1")
        recorder.flush()
        clock.advance(timedelta(seconds=1))
        record(recorder, "request-1")

    assert told == []
    assert total(store, meter) == 1


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"event_name": None}, "parameter_missing"),
        ({"identifier": ""}, "parameter_invalid_string_empty"),
        ({"payload": {"value": [1.5]}}, "payload_invalid"),
        ({"timestamp": NOW + timedelta(minutes=6)}, "timestamp_in_future"),
        ({"timestamp": NOW - timedelta(days=36)}, "timestamp_too_far_in_past"),
    ],
)
def test_what_breaks_a_rule_whatever_its_meter_is_refused_at_once(
    store: metering.Metering, event: dict[str, object], code: str
) -> None:
    usual: dict[str, object] = {"event_name": "tokens", "payload": PAYLOAD}

    with (
        store.recorder() as recorder,
        refused(code, kind=metering.MeterEventInvalidError),
    ):
        recorder.record(**{**usual, **event})  # type: ignore[arg-type]  # what is tested


def test_a_callback_that_fails_stops_nothing(
    store: metering.Metering, caplog: pytest.LogCaptureFixture
) -> None:
    create_meter(store)

    def fail(_: metering.UnrecordedEvent) -> None:
        reason = "the callback's own"
        raise ValueError(reason)

    with store.recorder(max_age=HOUR, on_refused=fail) as recorder:
        record(recorder, "odd", "a lot")
        recorder.flush()
        record(recorder, "even")

    assert identifiers(store) == ["even"]
    assert "1 recorded events were refused: meter_event_invalid_value" in caplog.text
    assert "the callback's own" in caplog.text


def test_a_full_recorder_raises_where_it_is_to(store: metering.Metering) -> None:
    create_meter(store)

    with store_that_fails():
        recorder = store.recorder(max_events=3, max_age=HOUR, when_full="raise")
        for number in range(3):
            record(recorder, f"e-{number}")
        with pytest.raises(metering.RecorderFullError) as caught:
            record(recorder, "too many")
    assert caught.value.max_events == 3

    eventually(lambda: len(identifiers(store)) == 3)
    record(recorder, "room again")
    recorder.close()
    assert identifiers(store) == ["e-0", "e-1", "e-2", "room again"]


def test_a_full_recorder_blocks_until_there_is_room(store: metering.Metering) -> None:
    create_meter(store)
    recorder = store.recorder(max_events=2, max_age=HOUR)
    recorded = list[int]()

    def record_five() -> None:
        for number in range(5):
            record(recorder, f"e-{number}")
            recorded.append(number)

    thread = threading.Thread(target=record_five)
    with store_that_fails():
        thread.start()
        eventually(lambda: len(recorded) == 2)
    thread.join()
    recorder.close()

    assert identifiers(store) == [f"e-{number}" for number in range(5)]


def test_what_cannot_be_written_is_kept_and_tried_again(
    store: metering.Metering, caplog: pytest.LogCaptureFixture
) -> None:
    meter = create_meter(store)

    with store.recorder(max_age=HOUR) as recorder:
        record(recorder, "one")
        with store_that_fails(), pytest.raises(metering.StoreUnavailableError):
            recorder.flush()
        eventually(lambda: identifiers(store) == ["one"])

    assert total(store, meter) == 1
    assert "Recorded events are held: The store usage cannot be used" in caplog.text


def test_a_close_that_cannot_write_says_what_is_lost(store: metering.Metering) -> None:
    create_meter(store)
    recorder = store.recorder(max_age=HOUR)
    record(recorder, "one")
    record(recorder, "two")

    with store_that_fails(), pytest.raises(metering.EventsUnrecordedError) as caught:
        recorder.close(timedelta(milliseconds=10))

    assert caught.value.count == 2
    assert [each.identifier for each in recorder.unrecorded] == ["one", "two"]
    assert {each.code for each in recorder.unrecorded} == {"store_unavailable"}
    recorder.close()
    assert identifiers(store) == []


@pytest.mark.parametrize("deed", ["record", "flush"])
def test_a_closed_recorder_is_refused(store: metering.Metering, deed: str) -> None:
    recorder = store.recorder()
    recorder.close()

    deeds: dict[str, Callable[[], object]] = {
        "record": lambda: record(recorder, "late"),
        "flush": recorder.flush,
    }
    with pytest.raises(metering.RecorderClosedError):
        deeds[deed]()


def test_closing_the_connection_writes_what_its_recorders_hold(tmp_path: Path) -> None:
    with metering.connect(tmp_path / "usage") as store:
        create_meter(store)
        recorder = store.recorder(max_age=HOUR)
        record(recorder, "one")

    with pytest.raises(metering.StoreClosedError):
        record(recorder, "late")
    with metering.connect(tmp_path / "usage") as store:
        assert identifiers(store) == ["one"]


def test_a_connection_that_loses_events_says_so_when_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = (timedelta(milliseconds=10),)
    monkeypatch.setattr(Recording.close, "__defaults__", defaults)
    store = metering.connect(tmp_path / "usage")
    create_meter(store)
    recorders = [store.recorder(max_age=HOUR) for _ in range(2)]
    for recorder in recorders:
        record(recorder, "one")

    with store_that_fails(), pytest.raises(metering.EventsUnrecordedError):
        store.close()

    assert [len(recorder.unrecorded) for recorder in recorders] == [1, 1]
    with pytest.raises(metering.StoreClosedError):
        store.catch_up()


def test_a_callback_may_close_the_recorder(store: metering.Metering) -> None:
    create_meter(store)
    recorder = store.recorder(max_age=HOUR, on_refused=lambda _: recorder.close())
    record(recorder, "odd", "a lot")

    recorder.flush()
    eventually(lambda: recorder.recording.is_closed)
    recorder.close()


def test_a_connection_is_closed_while_a_task_waits_for_room(
    store: metering.Metering,
) -> None:
    create_meter(store)

    async def wait_for_room() -> None:
        m = aio.AsyncMetering(store)
        recorder = await m.recorder(max_events=1, max_age=HOUR)
        with store_that_fails():
            await recorder.record(event_name="tokens", payload=PAYLOAD)
            waiting = asyncio.create_task(
                recorder.record(event_name="tokens", payload=PAYLOAD)
            )
            with pytest.raises(metering.StoreUnavailableError):
                await recorder.flush()
        await m.close()
        await asyncio.wait([waiting])
        assert isinstance(waiting.exception(), metering.RecorderClosedError | None)

    asyncio.run(asyncio.wait_for(wait_for_room(), 60))


def test_threads_record_at_once(store: metering.Metering) -> None:
    meter = create_meter(store)

    with store.recorder(max_events=100) as recorder:

        def record_some(first: int) -> None:
            for number in range(first, first + 50):
                record(recorder, f"e-{number}")

        threads = [
            threading.Thread(target=record_some, args=(50 * number,))
            for number in range(100)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len({*identifiers(store)}) == 5_000
    assert total(store, meter) == 5_000


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"max_events": 0}, "max_events"),
        ({"max_age": timedelta(0)}, "max_age"),
        ({"max_age": timedelta(days=1)}, "max_age"),
        ({"when_full": "drop"}, "when_full"),
    ],
)
def test_a_malformed_setting_is_refused(
    store: metering.Metering, settings: dict[str, object], param: str
) -> None:
    with pytest.raises(metering.InvalidRequestError) as caught:
        store.recorder(**settings)  # type: ignore[arg-type]  # what is tested

    assert caught.value.param == param


@pytest.mark.parametrize("spools", [False, True])
def test_tasks_record(
    store: metering.Metering, tmp_path: Path, *, spools: bool
) -> None:
    meter = create_meter(store)

    async def record_much() -> None:
        m = aio.AsyncMetering(store)
        spool = tmp_path / "spool" if spools else None
        async with m.recorder(max_events=10, spool=spool) as recorder:

            async def record_some(first: int) -> None:
                for number in range(first, first + 10):
                    await recorder.record(
                        event_name="tokens",
                        identifier=f"e-{number}",
                        payload=PAYLOAD,
                    )

            await asyncio.gather(*(record_some(10 * each) for each in range(30)))
            assert await recorder.flush()
            assert len(identifiers(store)) == 300
            await recorder.record(event_name="tokens", payload=PAYLOAD)

    asyncio.run(record_much())

    assert total(store, meter) == 301


PROGRAM = """
import os, signal, sys, threading, time
from datetime import timedelta
import metering

m = metering.connect({target!r})
recorder = m.recorder(max_age=timedelta(hours=1))
for number in range(20):
    recorder.record(event_name="tokens", identifier=f"e-{{number}}",
        payload={{"stripe_customer_id": "cus_1", "value": "1"}})
{ending}
"""
ENDINGS = {
    "exits": ("sys.exit(3)", 3),
    "is terminated": (
        """
threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start()
threading.Event().wait(60)
""",
        143,
    ),
    "is terminated in an event loop": (
        """
import asyncio
from metering import aio

recorder.close()

async def record() -> None:
    async with aio.AsyncMetering(m) as awaited, awaited.recorder() as recorder:
        await recorder.record(event_name="tokens", identifier="e-19",
            payload={"stripe_customer_id": "cus_1", "value": "1"})
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)

asyncio.run(record())
""",
        143,
    ),
    "has a child that records": (
        """
if os.fork() == 0:
    try:
        recorder.record(event_name="tokens", payload={})
    except metering.StoreForkedError:
        sys.exit(7)
    sys.exit(1)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
""",
        7,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_that_ends_in_order_writes_what_it_recorded(
    tmp_path: Path, ending: str
) -> None:
    target = str(tmp_path / "usage")
    with metering.connect(target) as store:
        create_meter(store)
    code, status = ENDINGS[ending]

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(target=target, ending=code)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == status, done.stderr
    with metering.connect(target) as store:
        assert identifiers(store) == [f"e-{number}" for number in range(20)]


def test_a_handler_of_the_process_s_own_stays(store: metering.Metering) -> None:
    def handle(*_: object) -> None:
        raise AssertionError("SIGTERM")

    before = signal.signal(signal.SIGTERM, handle)
    try:
        with store.recorder():
            assert signal.getsignal(signal.SIGTERM) is handle
        assert signal.getsignal(signal.SIGTERM) is handle
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with store.recorder(exits_on_sigterm=False):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        with store.recorder():
            with store.recorder():
                pass
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
