"""No room to seal: one clear error, the log as it was, and on it goes."""

from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import metering
from tests.faults.copying import segments_of
from tests.faults.processes import Child, said
from tests.faults.sealing import seal_without_room
from tests.faults.test_full_disk import fill_up, mounted
from tests.faults.usage import NOW, assert_holds, create_meter, open_store, table

EVENTS = 4_000


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [16, 32])
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


@pytest.mark.parametrize("filled", ["segments", "cache"])
def test_a_full_disk_for_segments_or_runs_does_not_stop_the_log(
    store_target: str, tmp_path: Path, filled: str
) -> None:
    create_meter(store_target)
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        segments = disk if filled == "segments" else tmp_path / "segments"
        cache = disk if filled == "cache" else tmp_path / "runs"
        clock = metering.FixedClock(NOW)
        with metering.connect(
            store_target, clock=clock, segments=segments, cache=cache
        ) as store:
            store.meter_events.ingest(table(range(100)))
            store.seal()
            store.meter_events.ingest(table(range(100, EVENTS)))
            fill_up(disk)

            with pytest.raises(metering.MeteringError) as caught:
                store.seal()
            receipt = store.meter_events.ingest(table(range(EVENTS + 100)))

            assert str(disk) in caught.value.message
            assert caught.value.code in {
                "segment_store_unavailable",
                "runs_directory_error",
            }
            assert (receipt.accepted, receipt.duplicates) == (100, EVENTS)
            assert_holds(store, range(EVENTS + 100))
            (disk / "filler").unlink()
            store.seal()
            assert_holds(store, range(EVENTS + 100))
