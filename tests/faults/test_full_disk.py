"""The disk is full: one clear error, nothing lost, and on it goes when there is room."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import metering
from tests.faults.usage import (
    assert_holds,
    create,
    create_meter,
    numbers_by_position,
    open_store,
    record,
    table,
)
from tests.faults.writing import fill, write_until_full
from tests.processes import Child, said

BALLAST = 1 << 20


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [120, 300, 1_000])
def test_files_that_may_not_grow_refuse_events_and_keep_those_before(
    tmp_path: Path, processes: ForkServerContext, kilobytes: int
) -> None:
    target = str(tmp_path / "usage")
    create_meter(target)

    child = Child(processes, fill, target, kilobytes << 10)
    (ran_out,) = said(child)

    assert child.exit_code() == 0
    assert ran_out.code in {"store_full", "store_unavailable"}
    assert target in ran_out.sentence
    # Batches have 500 events: whole ones were kept, from the first on.
    assert ran_out.kept == list(range(len(ran_out.kept)))
    assert len(ran_out.kept) % 500 == 0
    events = range(len(ran_out.kept) + 1_000)
    assert ran_out.kept_after_room_returned == list(events)
    with open_store(target) as store:
        assert_holds(store, events)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=4m", "tmpfs") as disk:
        yield disk


@contextmanager
def mounted(at: Path, *arguments: str) -> Iterator[Path]:
    at.mkdir(exist_ok=True)
    command = ["mount", *arguments, str(at)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.strip()}")
    try:
        yield at
    finally:
        # Lazily: files of runs may still be mapped.
        subprocess.run(["umount", "--lazy", at], check=True)


def test_a_full_disk_refuses_events_and_keeps_those_before(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * BALLAST)
    target = str(small_disk / "usage")
    create_meter(target)

    with open_store(target) as store:
        error, acknowledged = write_until_full(store)
        kept = list(numbers_by_position(store).values())
        with pytest.raises(metering.MeteringError):
            store.meter_events.ingest(table(range(acknowledged, acknowledged + 500)))
        ballast.unlink()
        receipt = store.meter_events.ingest(table(range(acknowledged + 1_000)))

        assert error.code == "store_full"
        assert acknowledged > 0
        assert kept == list(range(acknowledged))
        assert (receipt.accepted, receipt.duplicates) == (1_000, acknowledged)
        assert_holds(store, range(acknowledged + 1_000))
    with open_store(target) as store:
        assert_holds(store, range(acknowledged + 1_000))


def test_a_store_that_is_open_can_be_read_on_a_full_disk(small_disk: Path) -> None:
    target = str(small_disk / "usage")
    create_meter(target)

    with open_store(target) as store:
        store.meter_events.ingest(table(range(1_000)))
        fill_up(small_disk)

        assert_holds(store, range(1_000))


def test_a_store_that_has_no_room_to_be_opened_says_so(small_disk: Path) -> None:
    target = str(small_disk / "usage")
    create_meter(target)
    fill_up(small_disk)

    with pytest.raises(metering.MeteringError) as caught:
        open_store(target)

    assert caught.value.code in {"store_full", "store_unavailable"}
    assert target in caught.value.message
    (small_disk / "filler").unlink()
    with open_store(target) as store:
        assert_holds(store, [])


def test_a_single_event_on_a_full_disk_is_refused_clearly(small_disk: Path) -> None:
    target = str(small_disk / "usage")
    create_meter(target)

    with open_store(target) as store:
        _, acknowledged = write_until_full(store)
        fill_up(small_disk)
        refused = list[str]()
        for number in range(acknowledged, acknowledged + 200):
            try:
                create(store, number)
            except metering.MeteringError as error:
                refused.append(error.code)

        assert set(refused) == {"store_full"}
        assert_holds(store, range(acknowledged + 200 - len(refused)))


def test_a_spool_on_a_full_disk_refuses_events_and_keeps_those_before(
    small_disk: Path, tmp_path: Path
) -> None:
    target, spool = str(tmp_path / "usage"), small_disk / "spool"
    create_meter(target)

    with open_store(target) as store:
        recorder = store.recorder(spool=spool, max_events=1_000_000)
        recorder.flush()
        fill_up(small_disk)
        kept = list[int]()
        refusal: metering.MeteringError | None = None
        while refusal is None:
            try:
                record(recorder, len(kept))
                kept.append(len(kept))
            except metering.MeteringError as error:
                refusal = error
        assert refusal.code == "store_full"
        assert str(spool) in refusal.message
        (small_disk / "filler").unlink()
        for number in range(len(kept), len(kept) + 100):
            record(recorder, number)
        recorder.close()

        assert_holds(store, range(len(kept) + 100))
    assert list(spool.iterdir()) == []


def fill_up(disk: Path) -> None:
    """Leave not a byte free."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"\0" * 4096)
        except OSError:
            return
