"""The spool: what is recorded is durable at once, and is taken in once."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

import metering
from tests.conftest import Connect
from tests.metering.recording.failing import store_that_fails
from tests.metering.recording.test_recorder import HOUR, record
from tests.metering.usual_usage import (
    NOW,
    PAYLOAD,
    create_event,
    create_meter,
    identifiers,
    timestamps,
    total,
)
from tests.waiting import eventually


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@contextmanager
def left_behind(store: metering.Metering, spool: Path, *names: str) -> Iterator[Path]:
    """Yield the file of a process that recorded these and was killed."""
    recorder = store.recorder(spool=spool, max_age=HOUR)
    recorder.flush()
    for name in names:
        record(recorder, name)
    (file,) = spool.iterdir()
    copy = spool.with_name("left-behind")
    shutil.copy(file, copy)
    with store_that_fails():
        recorder.close(timedelta(0))
    file.unlink()
    copy.rename(file)
    assert identifiers(store) == []
    yield file


def take_in(store: metering.Metering, spool: Path, **settings: object) -> None:
    with store.recorder(spool=spool, **settings) as recorder:  # type: ignore[arg-type]
        assert recorder.flush()


def test_what_is_recorded_is_written_and_leaves_no_file(
    connect: Connect, clock: metering.FixedClock, spool: Path
) -> None:
    store = connect(clock=clock)
    meter = create_meter(store)

    with store.recorder(spool=spool, max_age=HOUR) as recorder:
        recorder.flush()
        for number in range(50):
            record(recorder, f"e-{number}")
        assert identifiers(store) == []
        assert recorder.flush()
        assert len(identifiers(store)) == 50
        record(recorder, "last")

    assert total(store, meter) == 51
    assert list(spool.iterdir()) == []


def test_what_a_killed_process_recorded_is_taken_in_once(
    store: metering.Metering, spool: Path
) -> None:
    meter = create_meter(store)

    with left_behind(store, spool, "one", "two"):
        take_in(store, spool)
        take_in(store, spool)

    assert identifiers(store) == ["one", "two"]
    assert total(store, meter) == 2
    assert list(spool.iterdir()) == []


def test_what_was_written_before_the_kill_counts_once(
    store: metering.Metering, spool: Path
) -> None:
    create_meter(store)

    with left_behind(store, spool, "one", "two") as file:
        kept = file.read_bytes()
        take_in(store, spool)
        file.write_bytes(kept)
        take_in(store, spool)

    assert identifiers(store) == ["one", "two"]


def test_an_identifier_that_may_be_used_again_does_not_count_a_spooled_event_twice(
    connect: Connect, clock: metering.FixedClock, spool: Path
) -> None:
    store = connect(clock=clock, identifier_retention=timedelta(days=1))
    meter = create_meter(store)

    with left_behind(store, spool, "one") as file:
        kept = file.read_bytes()
        take_in(store, spool)
        file.write_bytes(kept)
        clock.advance(timedelta(days=3))
        take_in(store, spool)

    assert total(store, meter) == 1
    create_event(store, identifier="one")
    assert total(store, meter) == 2


def test_what_was_in_time_when_it_was_recorded_is_in_time_for_ever(
    store: metering.Metering, clock: metering.FixedClock, spool: Path
) -> None:
    create_meter(store)

    with left_behind(store, spool, "one"):
        clock.advance(timedelta(days=400))
        take_in(store, spool)

    assert timestamps(store) == [NOW]


def test_the_file_of_a_process_that_lives_is_left_to_it(
    store: metering.Metering, spool: Path
) -> None:
    create_meter(store)

    with store.recorder(spool=spool, max_age=HOUR) as recorder:
        recorder.flush()
        record(recorder, "one")
        take_in(store, spool)
        assert identifiers(store) == []

    assert identifiers(store) == ["one"]


def test_a_line_that_was_being_written_is_no_event(
    store: metering.Metering, spool: Path
) -> None:
    create_meter(store)

    with left_behind(store, spool, "one", "two") as file:
        os.truncate(file, file.stat().st_size - 5)
        take_in(store, spool)

    assert identifiers(store) == ["one"]
    assert list(spool.iterdir()) == []


def test_an_interrupt_and_then_a_full_disk_lose_nothing_that_was_recorded(
    tmp_path: Path, spool: Path
) -> None:
    target = str(tmp_path / "usage")
    program = f"""
import os, resource, signal
from datetime import timedelta
import metering

def sync_and_interrupt(descriptor):
    os.fsync = sync
    sync(descriptor)
    os.kill(os.getpid(), signal.SIGINT)

def record(identifier):
    recorder.record(event_name="tokens", identifier=identifier, payload={PAYLOAD!r})

m = metering.connect({target!r})
recorder = m.recorder(spool={str(spool)!r}, max_age=timedelta(hours=1))
recorder.flush()
record("before")
sync, os.fsync = os.fsync, sync_and_interrupt
try:
    record("interrupted")
except KeyboardInterrupt:
    print("interrupted")
record("after")
[file] = os.scandir({str(spool)!r})
room = file.stat().st_size + 5
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
try:
    record("no room")
except metering.StoreFullError:
    print("full", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with metering.connect(target) as store:
        create_meter(store)
        ran = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        assert ran.stdout.split() == ["interrupted", "full"], ran.stderr

        take_in(store, spool)

        assert set(identifiers(store)) == {"before", "after"}
    assert list(spool.iterdir()) == []


def test_a_line_that_is_damaged_is_kept_and_said(
    store: metering.Metering, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    create_meter(store)

    with left_behind(store, spool, "one", "two", "three") as file:
        content = file.read_bytes()
        file.write_bytes(content.replace(b'"two"', b'"tow"'))
        take_in(store, spool)

    assert identifiers(store) == ["one", "three"]
    assert [path.suffix for path in spool.iterdir()] == [".damaged"]
    assert "has 1 damaged lines; it is set aside" in caplog.text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((b'"epoch":"', b'"epoch":"0'), "it cannot be read"),
        ((b'{"format":1', b'{"format":2'), "it cannot be read"),
    ],
)
def test_a_file_of_another_kind_is_left_alone(
    store: metering.Metering,
    spool: Path,
    caplog: pytest.LogCaptureFixture,
    change: tuple[bytes, bytes],
    reason: str,
) -> None:
    create_meter(store)

    with left_behind(store, spool, "one") as file:
        file.write_bytes(file.read_bytes().replace(*change))
        take_in(store, spool)

        assert [*spool.iterdir()] == [file]
    assert identifiers(store) == []
    assert f"is left alone: {reason}" in caplog.text


def test_events_for_another_store_wait_for_it(
    tmp_path: Path, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = metering.FixedClock(NOW)
    with (
        metering.connect(tmp_path / "one", clock=clock) as one,
        metering.connect(tmp_path / "other", clock=clock) as other,
    ):
        create_meter(one)
        create_meter(other)
        with left_behind(one, spool, "one"):
            take_in(other, spool)
            assert identifiers(other) == []
            assert "its events are for another store" in caplog.text
            take_in(one, spool)
            assert identifiers(one) == ["one"]


def test_events_wait_for_the_store_that_goes_on_in_the_place_of_theirs(
    tmp_path: Path, spool: Path
) -> None:
    clock = metering.FixedClock(NOW)
    with metering.connect(tmp_path / "one", clock=clock) as one:
        create_meter(one)
        one.backup(tmp_path / "backup")
        with left_behind(one, spool, "late"):
            metering.restore(tmp_path / "backup", tmp_path / "restored")
            with metering.connect(tmp_path / "restored", clock=clock) as restored:
                take_in(restored, spool)
                assert identifiers(restored) == ["late"]


def test_what_is_refused_is_kept_beside_and_can_be_ingested(
    store: metering.Metering, spool: Path
) -> None:
    told = list[metering.UnrecordedEvent]()

    with store.recorder(spool=spool, on_refused=told.append) as recorder:
        record(recorder, "early")
    (kept,) = spool.iterdir()
    meter = create_meter(store)
    receipt = store.meter_events.ingest(kept.rename(kept.with_suffix(".ndjson")))

    assert [each.code for each in told] == ["no_meter"]
    assert receipt.accepted == 1
    assert identifiers(store) == ["early"]
    assert timestamps(store) == [NOW]
    assert total(store, meter) == 1


def test_recording_goes_on_while_the_store_cannot_be_used(
    store: metering.Metering, spool: Path
) -> None:
    create_meter(store)

    with store_that_fails():
        recorder = store.recorder(spool=spool, max_events=2, when_full="raise")
        for number in range(20):
            record(recorder, f"e-{number}")
            if number % 4 == 0:
                with pytest.raises(metering.StoreUnavailableError):
                    recorder.flush()
        # However often it was tried: each file is open, and a process may not have many.
        assert len(list(spool.iterdir())) <= 2
        recorder.close(timedelta(milliseconds=10))
    assert identifiers(store) == []
    assert not recorder.unrecorded
    take_in(store, spool)

    assert sorted(identifiers(store)) == sorted(f"e-{number}" for number in range(20))


def test_what_died_before_it_had_a_name_is_removed(
    store: metering.Metering, spool: Path
) -> None:
    spool.mkdir()
    (spool / "unfinished.spool-new").touch()

    take_in(store, spool)

    assert list(spool.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_refused(
    store: metering.Metering, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(metering.StoreUnavailableError) as caught:
        store.recorder(spool=tmp_path / "file" / "spool")

    assert str(tmp_path / "file" / "spool") in caught.value.message


def test_threads_share_writes(store: metering.Metering, spool: Path) -> None:
    meter = create_meter(store)

    with store.recorder(spool=spool, max_events=50) as recorder:

        def record_some(first: int) -> None:
            for number in range(first, first + 20):
                record(recorder, f"e-{number}")

        threads = [
            threading.Thread(target=record_some, args=(20 * number,))
            for number in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len({*identifiers(store)}) == 400
    assert total(store, meter) == 400
    assert list(spool.iterdir()) == []


@pytest.mark.slow
def test_a_child_that_outlives_its_parent_keeps_nothing_from_being_taken_in(
    tmp_path: Path, spool: Path
) -> None:
    target = str(tmp_path / "usage")
    program = f"""
import os, signal, sys, time
from datetime import timedelta
import metering

m = metering.connect({target!r})
recorder = m.recorder(spool={str(spool)!r}, max_age=timedelta(hours=1))
recorder.record(event_name="tokens", identifier="one", payload={PAYLOAD!r})
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with metering.connect(target) as store:
        create_meter(store)
        parent = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
        )
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            assert parent.wait(60) == -9
            with store.recorder(spool=spool) as recorder:
                eventually(lambda: recorder.flush() and identifiers(store) == ["one"])
        finally:
            os.kill(child, 9)
            parent.stdout.close()
