"""The store in a directory: whole files or none, whatever happens to who writes them."""

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from ledger.errors import (
    SegmentDamagedError,
    SegmentMissingError,
    SegmentStoreUnavailableError,
)
from ledger.segments.store import SegmentStore, open_segment_store
from tests.ledger.segments.interrupted_put import NAME, content_of_size

SIZE = 1 << 20
CONTENT = pa.py_buffer(content_of_size(SIZE))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "segments"


@pytest.fixture
def store(directory: Path) -> SegmentStore:
    return open_segment_store(directory)


def put_by_another_process(
    directory: Path, how: str, limit: int
) -> subprocess.CompletedProcess[str]:
    module = "tests.ledger.segments.interrupted_put"
    return subprocess.run(
        [sys.executable, "-m", module, str(directory), str(SIZE), how, str(limit)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


def left_behind(directory: Path) -> list[str]:
    return [each.name for each in directory.iterdir() if each.name.startswith(".")]


def test_a_file_lies_in_the_directory_under_its_name(
    store: SegmentStore, directory: Path
) -> None:
    store.put(NAME, CONTENT)

    assert store.path(NAME) == str(directory / NAME)
    assert (directory / NAME).read_bytes() == CONTENT.to_pybytes()
    assert [each.name for each in directory.iterdir()] == [NAME]


def test_a_relative_directory_stays_the_same_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_segment_store("some/segments")

    monkeypatch.chdir("/")
    store.put(NAME, CONTENT)

    assert store.url == str(tmp_path / "some/segments")
    assert (tmp_path / "some/segments" / NAME).is_file()


@pytest.mark.parametrize("host", ["", "localhost"])
def test_a_file_url_means_a_directory(tmp_path: Path, host: str) -> None:
    directory = tmp_path / "of all # usage"
    escaped = str(directory).replace(" ", "%20").replace("#", "%23")

    store = open_segment_store(f"file://{host}{escaped}")
    store.put(NAME, CONTENT)

    assert store.url == str(directory)
    assert (directory / NAME).is_file()


@pytest.mark.parametrize("url", ["file://host/data", "file:///data?x=y"])
def test_a_file_url_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(SegmentStoreUnavailableError, match="three slashes"):
        open_segment_store(url)


def test_an_absent_directory_is_an_empty_store(
    store: SegmentStore, directory: Path
) -> None:
    store.sweep()
    store.remove(NAME)

    assert store.names("") == []
    assert store.size(NAME) is None
    with pytest.raises(SegmentMissingError):
        store.path(NAME)
    assert not directory.exists()


@pytest.mark.parametrize("place", ["", "a-file", "a-file/segments", "a\0b"])
def test_a_place_that_is_no_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a-file").write_text("no directory")

    with pytest.raises(SegmentStoreUnavailableError) as caught:
        open_segment_store(place)

    assert place in caught.value.message


def test_other_files_are_not_of_the_store(store: SegmentStore, directory: Path) -> None:
    store.put(NAME, CONTENT)
    (directory / "directory").mkdir()
    (directory / "notes of mine.txt").write_text("not a name of a segment")
    (directory / ".notes.tmp").write_text("not a name of a put")
    (directory / f".{NAME}.0123456789abcdef.tmp").symlink_to(directory / NAME)

    store.sweep()

    assert store.names("") == [NAME]
    assert len([*directory.iterdir()]) == 5


@pytest.mark.parametrize("planted", ["link", "dangling link", "pipe", "directory"])
def test_what_is_planted_under_a_name_is_refused(
    store: SegmentStore, directory: Path, tmp_path: Path, planted: str
) -> None:
    directory.mkdir()
    target = tmp_path / "target"
    match planted:
        case "link":
            target.write_text("for other eyes")
            (directory / NAME).symlink_to(target)
        case "dangling link":
            (directory / NAME).symlink_to(target)
        case "pipe":
            os.mkfifo(directory / NAME)
        case _:
            (directory / NAME).mkdir()

    for refused in (store.open, store.path, store.size):
        with pytest.raises(SegmentDamagedError, match="is a link or no file at all"):
            refused(NAME)

    assert store.names("") == []


def test_a_put_replaces_a_planted_link_and_leaves_its_target_alone(
    store: SegmentStore, directory: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("of somebody else")
    directory.mkdir()
    (directory / NAME).symlink_to(target)

    store.put(NAME, CONTENT)

    assert target.read_text() == "of somebody else"
    assert (directory / NAME).read_bytes() == CONTENT.to_pybytes()
    assert not (directory / NAME).is_symlink()


def test_a_put_that_cannot_take_its_place_leaves_nothing(
    store: SegmentStore, directory: Path
) -> None:
    (directory / NAME).mkdir(parents=True)

    with pytest.raises(SegmentStoreUnavailableError) as caught:
        store.put(NAME, CONTENT)

    assert caught.value.reason == "Is a directory"
    assert left_behind(directory) == []


@pytest.mark.slow
def test_a_put_killed_at_any_step_is_whole_or_absent(
    store: SegmentStore, directory: Path
) -> None:
    for step in count(1):
        ended = put_by_another_process(directory, "killed-at", step)

        names = store.names("")
        for name in names:
            with store.open(name) as file:
                assert file.read_buffer().equals(CONTENT)
            store.remove(name)
        if ended.returncode == 0:
            assert names == [NAME]
            break
        store.sweep()
        assert not directory.exists() or [*directory.iterdir()] == []
    assert step > 5, "it was not killed at every step"


def test_half_a_file_is_never_seen_and_is_swept(
    store: SegmentStore, directory: Path
) -> None:
    ended = put_by_another_process(directory, "killed-beyond", SIZE // 2)

    assert ended.returncode < 0
    [half] = left_behind(directory)
    assert (directory / half).stat().st_size == SIZE // 2
    assert store.names("") == []
    assert store.size(NAME) is None
    store.sweep()
    assert left_behind(directory) == []


def test_a_sweep_leaves_the_file_of_a_living_writer(
    store: SegmentStore, directory: Path
) -> None:
    directory.mkdir()
    begun = directory / f".{NAME}.0123456789abcdef.tmp"
    with begun.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        store.sweep()

        assert begun.exists()
    store.sweep()
    assert not begun.exists()


def test_puts_succeed_while_others_sweep(store: SegmentStore, directory: Path) -> None:
    is_over = threading.Event()

    def sweep() -> None:
        while not is_over.is_set():
            open_segment_store(directory).sweep()

    sweeping = [threading.Thread(target=sweep) for _ in range(3)]
    for thread in sweeping:
        thread.start()
    try:
        for number in range(200):
            store.put(f"segment-{number:03}", pa.py_buffer(b"content"))
    finally:
        is_over.set()
        for thread in sweeping:
            thread.join()

    assert store.names("") == [f"segment-{number:03}" for number in range(200)]
    assert left_behind(directory) == []


def test_a_file_that_may_not_grow_is_one_clear_error_and_leaves_nothing(
    store: SegmentStore, directory: Path
) -> None:
    ended = put_by_another_process(directory, "refused-beyond", SIZE // 2)

    assert ended.returncode == 0
    assert ended.stdout == (
        f"The segment store {directory} cannot be used: File too large\n"
    )
    assert [*directory.iterdir()] == []
    store.put(NAME, CONTENT)
    assert store.names("") == [NAME]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(disk)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(small_disk: Path) -> None:
    store = open_segment_store(small_disk / "segments")
    store.put("first", CONTENT)

    with pytest.raises(SegmentStoreUnavailableError) as caught:
        store.put("second", CONTENT)

    assert caught.value.reason == "No space left on device"
    assert [each.name for each in (small_disk / "segments").iterdir()] == ["first"]
    store.remove("first")
    store.put("second", CONTENT)
    assert store.names("") == ["second"]


def test_a_disk_that_may_only_be_read_is_read_and_not_written(small_disk: Path) -> None:
    store = open_segment_store(small_disk)
    store.put("first", CONTENT)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    with store.open("first") as file:
        assert file.read_buffer().equals(CONTENT)
    absent = open_segment_store(small_disk / "absent")
    refusals: list[Callable[[], None]] = [
        lambda: store.put("second", CONTENT),
        lambda: store.remove("first"),
        lambda: absent.put("first", CONTENT),
    ]
    for refused in refusals:
        with pytest.raises(SegmentStoreUnavailableError) as caught:
            refused()
        assert caught.value.reason == "Read-only file system"
    assert store.names("") == ["first"]
