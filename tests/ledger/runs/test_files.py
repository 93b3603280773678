"""A file of a run holds what was written, or it is no run."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ledger.errors import RunsDirectoryError
from ledger.runs.files import RunColumns, RunIdentity, open_run, runs_in, write_run

IDENTITY = RunIdentity.of("totals", 3, 100, 250, bytes(range(32)))
COLUMNS: RunColumns = {
    "hour": np.array([5, 6, 2**62], np.int64),
    "hash": np.array([2**64 - 1], np.uint64),
    "empty": np.array([], np.int32),
    "name": pa.array(["größe", None, ""]),
    "model": pa.array(["a", "b", "a"]).dictionary_encode(),
    "value": pa.array([b"0123456789abcdef"], pa.binary(16)),
}


def whole(path: Path) -> bool:
    return open_run(path) is not None


def test_columns_come_back_as_they_were_written(tmp_path: Path) -> None:
    written = write_run(tmp_path / "made" / "with it", IDENTITY, COLUMNS)

    found = open_run(written.path)

    assert found is not None
    for run in (written, found):
        assert run.identity == IDENTITY
        for name, column in COLUMNS.items():
            assert run.array(name).equals(pa.array(column))
        assert run.numbers("hour").tolist() == [5, 6, 2**62]
        assert run.numbers("hash").dtype == np.uint64
        assert run.numbers("empty").tolist() == []


def test_a_slice_is_written_as_what_it_shows(tmp_path: Path) -> None:
    written = write_run(
        tmp_path,
        IDENTITY,
        {"number": np.arange(10)[3:5], "name": pa.array(["a", "b", "c"])[1:]},
    )

    assert written.numbers("number").tolist() == [3, 4]
    assert written.array("name").to_pylist() == ["b", "c"]


def test_columns_are_views_that_cannot_be_written_to(tmp_path: Path) -> None:
    numbers = write_run(tmp_path, IDENTITY, COLUMNS).numbers("hour")

    assert not numbers.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        numbers[0] = 1


def test_a_name_says_what_a_run_was_made_of_and_its_checksum(tmp_path: Path) -> None:
    written = write_run(tmp_path, IDENTITY, COLUMNS)

    stem, _, checksum = written.path.stem.rpartition("-")

    assert stem == "totals-3-000000000000100-000000000000250-0001020304050607"
    assert len(checksum) == 32
    assert list(tmp_path.iterdir()) == [written.path]


def test_equal_columns_make_one_file(tmp_path: Path) -> None:
    first = write_run(tmp_path, IDENTITY, COLUMNS)

    again = write_run(tmp_path, IDENTITY, dict(COLUMNS))

    assert again.path == first.path
    assert runs_in(tmp_path, "totals") == [first.path]
    assert first.numbers("hour").tolist() == again.numbers("hour").tolist()


def test_a_mapped_run_stays_readable_when_its_file_is_removed(tmp_path: Path) -> None:
    run = write_run(tmp_path, IDENTITY, COLUMNS)

    run.path.unlink()

    assert run.numbers("hour").tolist() == [5, 6, 2**62]
    assert not whole(run.path)


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = write_run(tmp_path, IDENTITY, {"hour": np.arange(3)}).path
    content = bytearray(path.read_bytes())

    for at in range(len(content)):
        for bit in range(8):
            content[at] ^= 1 << bit
            path.write_bytes(content)
            assert not whole(path), (at, bit)
            content[at] ^= 1 << bit

    path.write_bytes(content)
    assert whole(path)


def test_every_truncation_is_found(tmp_path: Path) -> None:
    path = write_run(tmp_path, IDENTITY, {"hour": np.arange(3)}).path
    content = path.read_bytes()

    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert not whole(path), length

    path.write_bytes(content + b"\0")
    assert not whole(path)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("totals-", "usages-"),
        ("-3-", "-4-"),
        ("-000000000000100-", "-000000000000000-"),
        ("-000000000000250-", "-000000000000251-"),
        ("-0001020304050607-", "-0001020304050608-"),
    ],
)
def test_a_run_under_the_name_of_another_is_none(
    tmp_path: Path, part: str, other: str
) -> None:
    path = write_run(tmp_path, IDENTITY, COLUMNS).path

    renamed = path.rename(tmp_path / path.name.replace(part, other, 1))

    assert renamed != path
    assert not whole(renamed)


def test_whatever_else_lies_in_the_directory_is_no_run(tmp_path: Path) -> None:
    name = write_run(tmp_path, IDENTITY, COLUMNS).path.name
    empty, folder = tmp_path / name.replace("-3-", "-4-"), tmp_path / f"a{name}"
    empty.touch()
    folder.mkdir()
    (tmp_path / "notes.arrow").write_text("buy milk")

    assert not whole(empty)
    assert not whole(folder)
    assert not whole(tmp_path / "notes.arrow")
    assert not whole(tmp_path / "absent" / name)


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(RunsDirectoryError) as raised:
        write_run(tmp_path / "file" / "runs", IDENTITY, COLUMNS)

    assert raised.value.code == "runs_directory_error"
    assert str(raised.value).startswith(
        f"The runs directory {tmp_path / 'file' / 'runs'} cannot be written to: "
    )


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 100, 1 << 16, 799_999])
def test_a_full_disk_is_a_clear_error_and_leaves_nothing(
    tmp_path: Path, size: int
) -> None:
    with files_of_at_most(size), pytest.raises(RunsDirectoryError):
        write_run(tmp_path, IDENTITY, {"hour": np.arange(100_000)})

    assert list(tmp_path.iterdir()) == []
