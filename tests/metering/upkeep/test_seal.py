"""Sealing moves usage into segments, when asked or by itself, and changes no answer."""

import logging
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import metering
from ledger.background import Backoff
from metering.store.sealing import BackgroundSealing
from tests.conftest import Connect
from tests.metering import usual_usage
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import (
    NOW,
    cancel_event,
    create_event,
    create_meter,
    total,
)
from tests.segment_places import places_of, segments_of
from tests.waiting import eventually

batch = partial(usual_usage.batch, value="{}.5")


def worth(numbers: range) -> Decimal:
    """What these events of a batch add up to."""
    return sum(map(Decimal, numbers), Decimal(0)) + len(numbers) * Decimal("0.5")


def open_store(connect: Connect, **keywords: object) -> metering.Metering:
    return connect(clock=metering.FixedClock(NOW), **keywords)


def segments_in(store: metering.Metering) -> int:
    report = store.verify()
    assert report.ok
    return report.segments


@pytest.mark.dialect
def test_answers_stay_as_they_were(connect: Connect) -> None:
    store = open_store(connect, seal_events=None)
    meter = create_meter(store)
    store.meter_events.ingest(batch(0, 100))
    create_event(store, identifier="late", timestamp=NOW)
    cancel_event(store, "event-3")
    before = list(store.meter_events.list()), total(store, meter), store.position

    assert store.seal() == 1

    after = list(store.meter_events.list()), total(store, meter), store.position
    assert after == before
    assert store.seal() == 0
    assert create_event(store, identifier="late", timestamp=NOW).duplicate
    with pytest.raises(metering.IdentifierConflictError):
        create_event(store, identifier="event-5")
    # What is sealed can be cancelled all the same.
    cancel_event(store, "event-0")
    cancel_event(store, "event-6")
    assert total(store, meter, "cus_0") == worth(range(9, 100, 3))


def test_what_has_no_usage_is_not_sealed(connect: Connect) -> None:
    store = open_store(connect)

    assert store.seal() == 0
    create_meter(store)
    assert store.seal() == 0
    assert segments_in(store) == 0


def test_progress_is_told_by_position(connect: Connect) -> None:
    store = open_store(connect, seal_events=None)
    create_meter(store)
    store.meter_events.ingest(batch(0, 100))
    told = []

    store.seal(lambda reached, last: told.append((reached, last)))

    assert told == [(101, 101)]


def test_a_segment_is_a_file_that_others_read(tmp_path: Path) -> None:
    clock = metering.FixedClock(NOW)
    with metering.connect(tmp_path / "usage", clock=clock) as store:
        create_meter(store)
        store.meter_events.ingest(batch(0, 100))
        store.seal()

    (file,) = (tmp_path / "usage" / "segments").iterdir()
    found = pq.read_table(file)
    assert sorted(found.column("identifier").to_pylist()) == sorted(
        f"event-{number}" for number in range(100)
    )
    assert found.column("customer").combine_chunks().to_pylist()[0] == "cus_0"


def test_segments_may_lie_elsewhere(tmp_path: Path) -> None:
    places = {"segments": tmp_path / "far", "cache": tmp_path / "near"}
    clock = metering.FixedClock(NOW)
    with metering.connect(tmp_path / "usage", clock=clock, **places) as store:  # type: ignore[arg-type]  # only paths
        meter = create_meter(store)
        store.meter_events.ingest(batch(0, 100))
        store.seal()
        expected = total(store, meter)

    assert len(list((tmp_path / "far").iterdir())) == 1
    assert {path.name for path in (tmp_path / "usage").iterdir()} == {
        "log.db",
        "log.db.sealing",
        "log.db.turns",
    }
    with pytest.raises(metering.SegmentMissingError, match="name the segment store"):
        metering.connect(tmp_path / "usage")
    url = (tmp_path / "far").as_uri()
    with metering.connect(tmp_path / "usage", segments=url) as store:
        assert total(store, meter) == expected


def test_a_store_seals_itself_when_enough_has_gathered(connect: Connect) -> None:
    store = open_store(connect, seal_events=50)
    meter = create_meter(store)
    store.meter_events.ingest(batch(0, 40))
    assert segments_in(store) == 0

    store.meter_events.ingest(batch(40, 40))

    eventually(lambda: segments_in(store) == 1)
    assert total(store, meter) == worth(range(1, 80, 3))


def test_a_store_seals_itself_when_enough_commits_have_gathered(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metering.store.sealing._SEAL_COMMITS", 10)
    store = open_store(connect)
    create_meter(store)
    for number in range(5):
        create_event(store, identifier=f"event-{number}")
    assert segments_in(store) == 0

    for number in range(5, 10):
        create_event(store, identifier=f"event-{number}")

    eventually(lambda: segments_in(store) == 1)
    assert store._engine.log.tail_size.commits == 0  # noqa: SLF001 (nothing else shows it)


def test_a_store_seals_itself_when_its_events_are_large(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metering.store.sealing._SEAL_BYTES", 500)
    store = open_store(connect)
    create_meter(store)
    create_event(store, identifier="small")
    assert segments_in(store) == 0

    create_event(store, payload={**usual_usage.PAYLOAD, "note": "x" * 500})

    eventually(lambda: segments_in(store) == 1)


def test_processes_that_live_too_short_to_seal_leave_a_bounded_tail(
    store_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metering.store.sealing._SEAL_COMMITS", 3)
    places = places_of(store_target)
    clock = metering.FixedClock(NOW)
    tails = []
    for number in range(12):
        with metering.connect(store_target, clock=clock, **places) as store:
            if number == 0:
                create_meter(store)
            create_event(store, identifier=f"event-{number}")
        with metering.connect(store_target, clock=clock, **places) as store:
            store.catch_up()
            tails.append(store._engine.log.tail_size.commits)  # noqa: SLF001 (nothing else shows it)

    # The meter is a commit as well.
    assert tails == [2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]


def test_a_process_that_closes_seals_one_segment_of_a_long_tail(
    store_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = places_of(store_target)
    clock = metering.FixedClock(NOW)
    with metering.connect(
        store_target, clock=clock, seal_events=None, **places
    ) as store:
        create_meter(store)
        for number in range(9):
            create_event(store, identifier=f"event-{number}")
    monkeypatch.setattr("ledger.sealing._COMMITS_AT_MOST", 4)
    monkeypatch.setattr("metering.store.sealing._SEAL_COMMITS", 3)

    with metering.connect(store_target, clock=clock, **places) as store:
        create_event(store, identifier="last")

    with metering.connect(store_target, clock=clock, **places) as store:
        assert segments_in(store) == 1
        assert store._engine.log.tail_size.events == 6  # noqa: SLF001 (nothing else shows it)


def test_sealing_goes_on_after_a_fault(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(connect, seal_events=None)
    create_meter(store)
    store.meter_events.ingest(batch(0, 100))
    faults = [ZeroDivisionError("a fault of this program")]

    def evaluate() -> None:
        if faults:
            raise faults.pop()

    at_once = Backoff(first_seconds=0.0, longest_seconds=0.0)
    log = store._engine.log  # noqa: SLF001  # of which the sealing has a fault
    sealing = BackgroundSealing(log, 10, evaluate, backoff=at_once)
    with caplog.at_level(logging.ERROR, "metering.store.sealing"):
        sealing.appended()
        eventually(lambda: segments_in(store) == 1)
    sealing.stop()

    assert [record.getMessage() for record in caplog.records] == [
        "The tail could not be sealed"
    ]


def test_a_store_that_should_not_seal_itself_does_not(connect: Connect) -> None:
    store = open_store(connect, seal_events=None)
    create_meter(store)

    store.meter_events.ingest(batch(0, 2_000))

    assert not threads_of_sealing()
    assert segments_in(store) == 0


@pytest.mark.slow
def test_a_tail_is_bounded_also_under_a_load_that_never_pauses(
    connect: Connect,
) -> None:
    store = open_store(connect, seal_events=50)
    meter = create_meter(store)
    sent = 0

    # Ten times the length is sealed whatever else goes on.
    while sent < 500 or segments_in(store) < 2:
        store.meter_events.ingest(batch(sent, 20))
        sent += 20
        assert sent < 1_000_000, "it is never sealed"

    assert total(store, meter) == worth(range(1, sent, 3))


def test_a_bulk_load_waits_for_a_sealing_that_it_outran(connect: Connect) -> None:
    store = open_store(connect, seal_events=None)
    create_meter(store)
    store.meter_events.ingest(batch(0, 200))
    has_begun, may_go_on = threading.Event(), threading.Event()

    def evaluate() -> None:
        has_begun.set()
        may_go_on.wait()

    log = store._engine.log  # noqa: SLF001  # of which the sealing takes long
    sealing = BackgroundSealing(log, 10, evaluate)
    sealing.appended()
    has_begun.wait()
    with ThreadPoolExecutor(1) as loading:
        waiting = loading.submit(sealing.wait_if_outrun)
        waiters = sealing._changed._waiters  # type: ignore[attr-defined]  # noqa: SLF001 (nothing else shows it)
        eventually(lambda: bool(waiters) or waiting.done())
        assert not waiting.done()
        may_go_on.set()
        waiting.result()

        assert segments_in(store) == 1
    sealing.stop()


def test_a_sealing_that_fails_is_told_once_and_never_to_who_appends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "segments"
    clock = metering.FixedClock(NOW)
    keywords = {"clock": clock, "seal_events": 50, "segments": place}
    with metering.connect(tmp_path / "usage", **keywords) as store:  # type: ignore[arg-type]  # as they are named
        create_meter(store)
        place.write_text("in the way of the directory")

        with caplog.at_level(logging.WARNING, "metering.store.sealing"):
            store.meter_events.ingest(batch(0, 100))
            eventually(lambda: bool(caplog.records))
            receipt = store.meter_events.ingest(batch(100, 100))

        assert receipt.accepted == 100
        (record,) = caplog.records
        assert str(place) in record.getMessage()
        place.unlink()
        assert store.seal() == 1


@pytest.mark.slow
def test_a_store_can_be_closed_while_it_seals_itself(
    store_target: str, connect: Connect
) -> None:
    sent = 0
    create_meter(open_store(connect, seal_events=None))
    keywords = places_of(store_target)
    for _ in range(2):
        clock = metering.FixedClock(NOW)
        with metering.connect(
            store_target, clock=clock, seal_events=100, **keywords
        ) as store:
            sealed = len(files_of_segments(store_target))
            # Until some of it is sealed, and closed at once.
            while len(files_of_segments(store_target)) == sealed:
                store.meter_events.ingest(batch(sent, 200))
                sent += 200

        assert not threads_of_sealing()

    reopened = open_store(connect)
    events = list(reopened.meter_events.list())
    assert len(events) == sent
    assert reopened.verify().ok


def files_of_segments(target: str) -> list[Path]:
    directory = segments_of(target)
    return [*directory.iterdir()] if directory.exists() else []


def test_a_closed_store_does_not_wait_for_its_next_sealing(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than any test may take.
    monkeypatch.setattr("metering.store.sealing._QUIET_SECONDS", 3_600)
    store = open_store(connect, seal_events=10)
    create_meter(store)
    store.meter_events.ingest(batch(0, 50))
    assert threads_of_sealing()

    store.close()

    assert not threads_of_sealing()


def threads_of_sealing() -> list[str]:
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name == "metering-sealing"
    ]


def test_a_store_that_was_sealed_opens_with_what_came_after(connect: Connect) -> None:
    first = open_store(connect, seal_events=None)
    meter = create_meter(first)
    first.meter_events.ingest(batch(0, 100))
    first.seal()
    first.meter_events.ingest(batch(100, 50))

    second = open_store(connect)

    assert total(second, meter) == worth(range(1, 150, 3))
    assert second.position == 151
    assert next(second.meter_events.list()).created == datetime(
        2026, 3, 1, 12, tzinfo=UTC
    )


def test_a_copy_of_a_store_removes_no_segment_of_the_original(tmp_path: Path) -> None:
    segments = str(tmp_path / "segments")
    with metering.connect(tmp_path / "usage", segments=segments) as store:
        meter = create_meter(store)
        create_event(store, identifier="event-0")
    shutil.copytree(tmp_path / "usage", tmp_path / "copy")

    with (
        metering.connect(tmp_path / "copy", segments=segments) as copy,
        metering.connect(tmp_path / "usage", segments=segments) as store,
    ):
        create_event(store, identifier="event-1")
        assert store.seal() == 1
        assert copy.seal() == 1

        assert (total(store, meter), total(copy, meter)) == (Decimal(2), Decimal(1))
        assert store.verify().ok
        assert copy.verify().ok


def test_facts_make_no_tail_too_long(connect: Connect) -> None:
    clock = metering.FixedClock(NOW)
    with connect(clock=clock, seal_events=3) as store:
        for number in range(10):
            grant(store, 100, customer=f"cus_{number}")
        assert not store._engine.sealing.is_due  # noqa: SLF001 (nothing else shows it)
