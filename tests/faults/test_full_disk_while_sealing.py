"""No room to seal: one clear error, the log as it was, and on it goes."""

import gc
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import metering
from tests.faults.sealing import seal_without_room
from tests.faults.test_full_disk import fill_up, mounted
from tests.faults.usage import NOW, assert_holds, create_meter, open_store, table
from tests.processes import Child, said
from tests.segment_places import segments_of

EVENTS = 4_000


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [32, 48])
def test_files_that_may_not_grow_stop_a_sealing_and_nothing_else(
    store_target: str, processes: ForkServerContext, kilobytes: int
) -> None:
    create_meter(store_target)
    with open_store(store_target) as store:
        store.meter_events.ingest(table(range(EVENTS)))

    child = Child(processes, seal_without_room, store_target, kilobytes << 10)
    (no_room,) = said(child)

    assert child.exit_code() == 0
    assert no_room.code == "segment_store_unavailable"
    assert str(segments_of(store_target)) in no_room.sentence
    assert no_room.is_event_accepted
    assert no_room.kept == list(range(EVENTS + 1))
    assert no_room.segments_when_room_returned == 1
    with open_store(store_target) as store:
        assert_holds(store, range(EVENTS + 1))
    assert len(list(segments_of(store_target).iterdir())) == 1


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        yield disk
        # What a store has mapped stays so until nobody holds on to the store.
        gc.collect()


def test_a_full_disk_for_segments_does_not_stop_the_log(
    store_target: str, tmp_path: Path, disk: Path
) -> None:
    create_meter(store_target)
    with connected(store_target, segments=disk, cache=tmp_path / "runs") as store:
        store.meter_events.ingest(table(range(100)))
        store.seal()
        store.meter_events.ingest(table(range(100, EVENTS)))
        fill_up(disk)

        with pytest.raises(metering.SegmentStoreUnavailableError, match=disk.name):
            store.seal()
        receipt = store.meter_events.ingest(table(range(EVENTS + 100)))

        assert (receipt.accepted, receipt.duplicates) == (100, EVENTS)
        assert_holds(store, range(EVENTS + 100))
        (disk / "filler").unlink()
        assert store.seal() == 1
        assert_holds(store, range(EVENTS + 100))
    assert len([path for path in disk.iterdir() if path.is_file()]) == 2


def test_a_full_disk_for_runs_is_told_and_nothing_is_lost(
    store_target: str, tmp_path: Path, disk: Path
) -> None:
    create_meter(store_target)
    with connected(store_target, segments=tmp_path / "segments", cache=disk) as store:
        store.meter_events.ingest(table(range(100)))
        store.seal()
        store.meter_events.ingest(table(range(100, EVENTS)))
        fill_up(disk)

        with pytest.raises(metering.MeteringError, match=disk.name):
            store.seal()

        (disk / "filler").unlink()
        receipt = store.meter_events.ingest(table(range(EVENTS + 100)))
        assert (receipt.accepted, receipt.duplicates) == (100, EVENTS)
        assert_holds(store, range(EVENTS + 100))


def connected(target: str, *, segments: Path, cache: Path) -> metering.Metering:
    clock = metering.FixedClock(NOW)
    return metering.connect(target, clock=clock, segments=segments, cache=cache)
