"""Damage to segments and runs is found and named, and never becomes a number."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

import metering
from tests.faults.copying import copied
from tests.faults.usage import (
    assert_holds,
    create_meter,
    expected_totals,
    numbers_by_position,
    open_store,
    table,
    totals,
)
from tests.figures import Figures
from tests.profiles import PROFILE
from tests.segment_places import runs_of, segments_of

EVENTS = 700
FLIPS = 1_000 if PROFILE.is_thorough else 120 // PROFILE.stride
Read = Callable[[metering.Metering], None]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of two segments and a tail."""
    target = str(tmp_path_factory.mktemp("sealed") / "usage")
    create_meter(target)
    with open_store(target) as store:
        store.meter_events.ingest(table(range(400)))
        store.seal()
        store.meter_events.ingest(table(range(400, 600)))
        store.seal()
        store.meter_events.ingest(table(range(600, EVENTS)))
    return target


@pytest.fixture
def target(sealed: str) -> Iterator[str]:
    """A copy of that store, to be damaged."""
    with copied(sealed) as copy:
        yield copy


# What can be read, each with what it must say.


def reads_totals(store: metering.Metering) -> None:
    assert totals(store) == expected_totals(range(EVENTS))


def reads_events(store: metering.Metering) -> None:
    assert sorted(numbers_by_position(store).values()) == list(range(EVENTS))


def reads_by_query(store: metering.Metering) -> None:
    query = "SELECT customer, sum(value) FROM events GROUP BY ALL"
    found = store.sql(query).to_pydict()
    customers, sums = found.values()
    assert dict(zip(customers, sums, strict=True)) == expected_totals(range(EVENTS))


def reads_by_reaggregation(store: metering.Metering) -> None:
    found = store.reaggregate(window="month")
    sums = dict.fromkeys(expected_totals([]), 0)
    for row in found.to_pylist():
        sums[row["customer"]] += row["value"]
    assert sums == expected_totals(range(EVENTS))


def knows_identifiers(store: metering.Metering) -> None:
    receipt = store.meter_events.ingest(table(range(EVENTS)))
    assert (receipt.accepted, receipt.duplicates) == (0, EVENTS)


READS = [
    reads_totals,
    reads_events,
    reads_by_query,
    reads_by_reaggregation,
    knows_identifiers,
]


@contextmanager
def flipped(file: Path, generator: Random) -> Iterator[int]:
    """Flip one bit of a file where it is, and put it right afterwards."""
    bit = generator.randrange(8 * file.stat().st_size)
    flip(file, bit)
    yield bit
    flip(file, bit)


def flip(file: Path, bit: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(bit // 8)
        (byte,) = opened.read(1)
        opened.seek(bit // 8)
        opened.write(bytes([byte ^ 1 << bit % 8]))


def assert_verify_finds(target: str, file: Path) -> None:
    with open_store(target) as store:
        report = store.verify()
    assert not report.ok
    assert any(file.name in problem for problem in report.problems)
    assert all("\n" not in problem for problem in report.problems)


def refusal(read: Read, store: metering.Metering) -> metering.SegmentStoreError | None:
    """Read, which is right or names what is damaged; say how it was refused."""
    try:
        read(store)
    except metering.SegmentStoreError as error:
        return error
    return None


def assert_right_or_refused(read: Read, store: metering.Metering, file: Path) -> bool:
    error = refusal(read, store)
    assert error is None or isinstance(error, metering.SegmentDamagedError)
    assert error is None or error.name == file.name
    return error is not None


def test_the_last_bytes_of_the_first_column_are_checked(target: str) -> None:
    """Its checksum in the catalog ends before them."""
    file = min(segments_of(target).iterdir())
    chunk = pq.read_metadata(file).row_group(0).column(0)
    end = chunk.data_page_offset + chunk.total_compressed_size

    for at in range(end - 4, end):
        flip(file, 8 * at)
        with open_store(target) as store:
            refusals = [refusal(read, store) for read in (reads_events, reads_by_query)]
            reads_by_reaggregation(store)  # Which needs no position.
        flip(file, 8 * at)
        assert all(isinstance(each, metering.SegmentDamagedError) for each in refusals)


@pytest.mark.slow
@pytest.mark.sweep
def test_every_flipped_bit_is_found_and_none_becomes_a_number(
    target: str, figures: Figures
) -> None:
    """A changed bit is found and named, never summed."""
    generator = Random(20261121)
    files = sorted(segments_of(target).iterdir())
    refusals = 0

    for number in range(FLIPS):
        file = generator.choice(files)
        with flipped(file, generator):
            assert_verify_finds(target, file)
            if number % 2:
                # Made anew, from what is damaged.
                shutil.rmtree(runs_of(target))
            with open_store(target) as store:
                read = READS[number % len(READS)]
                refusals += assert_right_or_refused(read, store, file)
            figures.add("flips")

    assert refusals > FLIPS / 3
    with open_store(target) as store:
        assert_holds(store, range(EVENTS))


@pytest.mark.slow
@pytest.mark.parametrize("read", READS)
def test_a_bit_that_flips_under_an_open_store_never_becomes_a_number(
    target: str, read: Read
) -> None:
    generator = Random(5)
    files = sorted(segments_of(target).iterdir())

    with open_store(target) as store:
        for each in READS:
            each(store)
        for _ in range(FLIPS // len(READS)):
            file = generator.choice(files)
            with flipped(file, generator):
                assert_right_or_refused(read, store, file)
        read(store)


@pytest.mark.slow
def test_a_segment_that_was_cut_short_is_never_read_as_if_it_were_whole(
    target: str,
) -> None:
    for file in sorted(segments_of(target).iterdir()):
        whole = file.read_bytes()
        for number, kept in enumerate(range(0, len(whole), 4096)):
            file.write_bytes(whole[:kept])

            assert_verify_finds(target, file)
            with open_store(target) as store:
                read = READS[number % len(READS)]
                assert_right_or_refused(read, store, file)
        file.write_bytes(whole)
    with open_store(target) as store:
        assert_holds(store, range(EVENTS))


@pytest.mark.parametrize("read", READS)
def test_another_segment_under_the_name_is_refused(target: str, read: Read) -> None:
    file, other = sorted(segments_of(target).iterdir())
    shutil.copy(other, file)
    shutil.rmtree(runs_of(target))

    assert_verify_finds(target, file)
    shutil.rmtree(runs_of(target))
    with open_store(target) as store:
        assert assert_right_or_refused(read, store, file)


def test_a_segment_that_is_missing_is_named_when_the_store_is_opened(
    target: str,
) -> None:
    file, _ = sorted(segments_of(target).iterdir())
    content = file.read_bytes()
    file.unlink()

    with pytest.raises(metering.SegmentMissingError) as caught:
        open_store(target)

    assert caught.value.name == file.name
    assert str(file.parent) in caught.value.message
    file.write_bytes(content)
    with open_store(target) as store:
        assert_holds(store, range(EVENTS))


@pytest.mark.parametrize("read", READS)
def test_a_segment_that_goes_missing_is_named_or_was_read(
    target: str, read: Read
) -> None:
    file, _ = sorted(segments_of(target).iterdir())

    with open_store(target) as store:
        store.catch_up()
        file.unlink()
        error = refusal(read, store)
        report = store.verify()

    assert error is None or isinstance(error, metering.SegmentMissingError)
    assert error is None or error.name == file.name
    assert any(file.name in problem for problem in report.problems)


def test_a_link_under_the_name_of_a_segment_is_not_followed(
    target: str, tmp_path: Path
) -> None:
    file, _ = sorted(segments_of(target).iterdir())
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(metering.SegmentStoreError, match=file.name):
        open_store(target)


@pytest.mark.slow
def test_runs_that_are_damaged_or_lost_are_made_again(target: str) -> None:
    generator = Random(7)
    names = {path.name for path in run_files(target)}

    for number in range(FLIPS // 3):
        file = generator.choice(run_files(target))
        if number % 4 == 0:
            file.unlink()
        elif number % 4 == 1:
            os.truncate(file, generator.randrange(file.stat().st_size))
        else:
            flip(file, generator.randrange(8 * file.stat().st_size))

        with open_store(target) as store:
            READS[number % len(READS)](store)
            knows_identifiers(store)
            assert store.verify().ok
        assert {path.name for path in run_files(target)} == names


def test_runs_of_another_store_are_not_taken_for_our_own(
    target: str, tmp_path: Path
) -> None:
    other = str(tmp_path / "other")
    create_meter(other)
    with open_store(other) as store:
        store.meter_events.ingest(table(range(1_000, 1_400)))
        store.seal()
    (epoch,) = runs_of(target).iterdir()
    for file in run_files(other):
        shutil.copy(file, epoch)

    with open_store(target) as store:
        assert_holds(store, range(EVENTS))


def run_files(target: str) -> list[Path]:
    return sorted(runs_of(target).rglob("*.arrow"))


@pytest.mark.dialect
def test_a_backup_older_than_the_segments_is_refused(
    store_target: str,
) -> None:
    create_meter(store_target)
    with open_store(store_target) as store:
        store.meter_events.ingest(table(range(300)))
        store.seal()
        store.meter_events.ingest(table(range(300, 400)))
    with copied(store_target) as backup:
        with open_store(store_target) as store:
            store.meter_events.ingest(table(range(400, 500)))
            store.seal()
        shutil.rmtree(segments_of(backup))
        shutil.copytree(segments_of(store_target), segments_of(backup))
        newest = max(segments_of(backup).iterdir())

        with pytest.raises(metering.StoreBehindError) as caught:
            open_store(backup)

        assert caught.value.name == newest.name
        assert (caught.value.position, caught.value.up_to) == (401, 501)
        # As the sentence says: without the segments that go beyond it, on it goes.
        newest.unlink()
        with open_store(backup) as store:
            assert_holds(store, range(400))


def test_a_backup_as_long_as_the_segments_goes_on(store_target: str) -> None:
    create_meter(store_target)
    with open_store(store_target) as store:
        store.meter_events.ingest(table(range(400)))
    with copied(store_target) as backup:
        with open_store(store_target) as store:
            store.seal()
        shutil.copytree(segments_of(store_target), segments_of(backup))

        with open_store(backup) as store:
            assert_holds(store, range(400))
            assert store.seal() == 1
            assert_holds(store, range(400))
        assert len(list(segments_of(backup).iterdir())) == 1
