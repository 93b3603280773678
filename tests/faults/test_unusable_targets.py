"""A target that cannot hold a store is refused in one clear sentence that names it."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

import metering
from tests.faults.test_full_disk import mounted
from tests.faults.usage import (
    assert_holds,
    create_meter,
    numbers_by_position,
    open_store,
    table,
)


def assert_refused(target: Path | str) -> metering.MeteringError:
    with pytest.raises(metering.MeteringError) as caught:
        metering.connect(target)

    assert caught.value.code == "store_unavailable"
    assert str(target) in caught.value.message
    return caught.value


def test_a_directory_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")

    assert_refused(tmp_path / "file" / "usage")


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")

    assert_refused(tmp_path / "file")


def test_a_directory_that_cannot_be_written_to_is_refused() -> None:
    assert_refused("/proc/usage")
    assert_refused("/proc/self")


def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.db").mkdir()

    assert_refused(tmp_path)


@pytest.mark.parametrize("other", ["notes.txt", "segments"])
def test_a_directory_of_something_else_is_refused_and_left_alone(
    tmp_path: Path, other: str
) -> None:
    (tmp_path / other).mkdir()

    refusal = assert_refused(tmp_path)

    assert f"holds '{other}' and no store" in refusal.message
    assert [each.name for each in tmp_path.iterdir()] == [other]


def test_a_mounted_volume_and_a_kept_directory_are_empty(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".gitkeep").touch()

    create_meter(str(tmp_path))

    with open_store(str(tmp_path)) as store:
        assert_holds(store, [])


@pytest.mark.parametrize(
    "content",
    [b"event_name,value\ntokens,1\n" * 100, b"PAR1" * 1000, bytes(range(256)) * 64],
    ids=["text", "parquet", "noise"],
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "log.db").write_bytes(content)

    assert_refused(tmp_path)

    assert (tmp_path / "log.db").read_bytes() == content


def test_a_database_of_something_else_gets_a_log_beside_its_tables(
    tmp_path: Path,
) -> None:
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        connection.execute("CREATE TABLE notes (note text)")
        connection.execute("INSERT INTO notes VALUES ('mine')")
        connection.commit()

    create_meter(str(tmp_path))

    with open_store(str(tmp_path)) as store:
        assert_holds(store, [])
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        assert connection.execute("SELECT note FROM notes").fetchall() == [("mine",)]


def test_a_file_that_was_cut_short_is_never_read_as_if_it_were_whole(
    tmp_path: Path,
) -> None:
    create_meter(str(tmp_path))
    with open_store(str(tmp_path)) as store:
        store.meter_events.ingest(table(range(2_000)))
    file = tmp_path / "log.db"
    whole = file.read_bytes()

    for kept in range(8192, len(whole), 8192):
        file.write_bytes(whole[:kept])
        with pytest.raises(metering.MeteringError) as caught:
            read_everything(tmp_path)

        assert caught.value.code in {"store_unavailable", "log_damaged"}
    file.write_bytes(whole)
    assert read_everything(tmp_path) == list(range(2_000))


def read_everything(directory: Path) -> list[int]:
    with open_store(str(directory)) as store:
        return list(numbers_by_position(store).values())


def test_a_store_on_a_disk_that_became_read_only_is_refused(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    target = str(disk / "usage")

    with mounted(disk, "-t", "tmpfs", "tmpfs"):
        create_meter(target)
        remount(disk, "ro")
        assert_refused(target)
        remount(disk, "rw")
        with open_store(target) as store:
            assert_holds(store, [])


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)
