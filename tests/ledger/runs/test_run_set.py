"""The runs of the sealed log are whole, whatever became of their files."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ledger.errors import RunsDirectoryError
from ledger.runs.building import building
from ledger.runs.files import RunColumns, runs_in, unfinished_in
from ledger.runs.run_set import RunSet
from ledger.segments.entry import Segment
from tests.ledger.runs.catalogs import catalog
from tests.ledger.runs.numbered import Numbered, Numbers, covered

TEN = catalog(*range(1, 11))


def ranges(directory: Path) -> list[str]:
    """The stretches of the runs in a directory, in the order of the log."""
    names = [path.name.split("-") for path in runs_in(directory, "numbers")]
    return sorted(f"{int(name[2])}-{int(name[3])}" for name in names)


def test_no_segments_need_no_runs_and_no_directory(tmp_path: Path) -> None:
    assert covered(tmp_path / "runs", [], Numbered()) == []
    assert not (tmp_path / "runs").exists()


def test_eight_runs_become_one_and_are_removed(tmp_path: Path) -> None:
    kind = Numbered()

    covering = covered(tmp_path, TEN, kind)

    assert covering == [[*range(1, 37)], [*range(37, 46)], [*range(46, 56)]]
    assert kind.merged == [8]
    assert ranges(tmp_path) == ["0-36", "36-45", "45-55"]


def test_only_what_is_new_is_built(tmp_path: Path) -> None:
    kind = Numbered()
    runs = RunSet(tmp_path, kind)
    runs.cover(TEN[:8], kind.build)
    kind.built.clear()

    first, second = runs.cover(TEN[:9], kind.build)

    assert kind.built == ["36-45"]
    assert [len(first.positions), len(second.positions)] == [36, 9]


def test_runs_that_are_open_are_handed_out_again(tmp_path: Path) -> None:
    kind = Numbered()
    runs = RunSet(tmp_path, kind)
    before = runs.cover(TEN[:2], kind.build)
    shutil.rmtree(tmp_path)

    after = runs.cover(TEN[:2], kind.build)

    assert [id(run) for run in after] == [id(run) for run in before]


def test_another_process_builds_nothing_again(tmp_path: Path) -> None:
    expected = covered(tmp_path, TEN, Numbered())
    kind = Numbered()

    assert covered(tmp_path, TEN, kind) == expected
    assert (kind.built, kind.merged) == ([], [])


def test_runs_of_another_version_are_made_anew(tmp_path: Path) -> None:
    expected = covered(tmp_path, TEN, Numbered(version=1))
    kind = Numbered(version=2)

    assert covered(tmp_path, TEN, kind) == expected
    assert len(kind.built) == 10
    assert {path.name.split("-")[1] for path in runs_in(tmp_path, "numbers")} == {"2"}


def test_runs_of_a_later_release_are_left_to_it(tmp_path: Path) -> None:
    covered(tmp_path, TEN, Numbered(version=2))

    covered(tmp_path, TEN, Numbered(version=1))

    kind = Numbered(version=2)
    covered(tmp_path, TEN, kind)
    assert kind.built == []


def test_runs_of_another_history_are_made_anew(tmp_path: Path) -> None:
    """A store restored from a backup goes on differently at the same positions."""
    covered(tmp_path, catalog(2, 3, 4, history="lost"), Numbered())
    kind = Numbered()

    covering = covered(tmp_path, catalog(2, 3, 4), kind)

    assert covering == [[1, 2], [3, 4, 5], [6, 7, 8, 9]]
    assert len(kind.built) == 3
    assert ranges(tmp_path) == ["0-2", "2-5", "5-9"]


def test_other_kinds_in_the_directory_are_left_alone(tmp_path: Path) -> None:
    covered(tmp_path, TEN, Numbered(name="numbers_too"))
    (tmp_path / ".numbers_too-1.tmp").touch()
    (tmp_path / "numbers.txt").touch()

    covered(tmp_path, TEN, Numbered())
    RunSet(tmp_path, Numbered()).clear()

    assert len(runs_in(tmp_path, "numbers_too")) == 3
    assert len(unfinished_in(tmp_path, "numbers_too")) == 1
    assert (tmp_path / "numbers.txt").exists()
    assert runs_in(tmp_path, "numbers") == []


def test_a_process_that_knows_less_of_the_log_takes_nothing_from_one_that_knows_more(
    tmp_path: Path,
) -> None:
    covered(tmp_path, TEN, Numbered())

    assert covered(tmp_path, TEN[:3], Numbered()) == [[1], [2, 3], [4, 5, 6]]

    kind = Numbered()
    covered(tmp_path, TEN, kind)
    assert kind.built == []
    assert ranges(tmp_path) == ["0-36", "36-45", "45-55"]


def test_cleared_runs_are_made_anew(tmp_path: Path) -> None:
    kind = Numbered()
    runs = RunSet(tmp_path, kind)
    before = runs.cover(TEN, kind.build)

    runs.clear()

    assert runs_in(tmp_path, "numbers") == []
    after = runs.cover(TEN, kind.build)
    assert len(kind.built) == 20
    for one, other in zip(before, after, strict=True):
        assert one.positions.tolist() == other.positions.tolist()


def test_clearing_leaves_what_another_process_is_writing(tmp_path: Path) -> None:
    kind = Numbered()
    runs = RunSet(tmp_path, kind)
    runs.cover(TEN, kind.build)
    written_by_another = tmp_path / ".numbers-1-0-55.tmp"
    written_by_another.touch()

    with building(tmp_path, "numbers", patience=0):
        RunSet(tmp_path, Numbered()).clear()
        runs.cover(TEN, kind.build)
        assert written_by_another.exists()

    # Nobody builds: it was abandoned.
    runs.cover(TEN, kind.build)
    assert not written_by_another.exists()


def test_a_run_that_cannot_be_removed_is_a_clear_error(tmp_path: Path) -> None:
    in_the_way = tmp_path / "numbers-1.arrow"
    in_the_way.mkdir()

    with pytest.raises(RunsDirectoryError) as raised:
        RunSet(tmp_path, Numbered()).clear()

    assert str(in_the_way) in str(raised.value)


def test_progress_counts_the_events_that_are_built_and_merged(tmp_path: Path) -> None:
    kind = Numbered()
    told = list[tuple[int, int]]()

    RunSet(tmp_path, kind).cover(TEN, kind.build, lambda *each: told.append(each))

    assert len(told) == 11
    assert told[0] == (1, 91)
    assert told[-1] == (91, 91)
    assert told == sorted(told)


def test_a_segment_that_cannot_be_read_is_an_error_and_the_rest_is_kept(
    tmp_path: Path,
) -> None:
    kind = Numbered()

    def build(segment: Segment) -> RunColumns:
        if segment is TEN[4]:
            raise OSError("the segment store is away")
        return kind.build(segment)

    with pytest.raises(OSError, match="is away"):
        RunSet(tmp_path, kind).cover(TEN, build)

    assert len(covered(tmp_path, TEN, kind)) == 3
    assert sorted(set(kind.built)) == sorted(segment.name for segment in TEN)


def test_two_that_begin_at_once_build_everything_once(tmp_path: Path) -> None:
    kind = Numbered()
    covering = list[list[list[int]]]()
    barrier = threading.Barrier(4)

    def cover() -> None:
        barrier.wait()
        covering.append(covered(tmp_path, TEN, kind))

    threads = [threading.Thread(target=cover) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(covering) == 4
    assert all(each == covering[0] for each in covering)
    assert sorted(kind.built) == sorted(segment.name for segment in TEN)


def test_whoever_loses_patience_builds_beside_the_other(tmp_path: Path) -> None:
    with (
        building(tmp_path, "numbers", patience=0) as first,
        building(tmp_path, "numbers", patience=0.05) as second,
        building(tmp_path, "totals", patience=0) as of_another_kind,
    ):
        assert (first, second, of_another_kind) == (True, False, True)
    with building(tmp_path, "numbers", patience=0) as later:
        assert later


def test_what_another_process_is_writing_is_not_swept(tmp_path: Path) -> None:
    begun = tmp_path / ".numbers-1-begun.tmp"
    covered(tmp_path, TEN, Numbered())
    begun.touch()

    with building(tmp_path, "numbers", patience=0):
        covered(tmp_path, TEN, Numbered())

    assert begun.exists()
    covered(tmp_path, TEN, Numbered())
    assert not begun.exists()


# Whoever is killed leaves some of the files that were there at some time.

SEGMENTS = catalog(*[3] * 67)
EXPECTED = [[*range(1, 193)], [193, 194, 195], [196, 197, 198], [199, 200, 201]]


@dataclass
class Watched(Numbered):
    """Numbers that note which files there are whenever runs are merged."""

    directory: Path = Path()
    files: dict[str, bytes] = field(default_factory=dict)

    def merge(self, runs: Sequence[Numbers]) -> RunColumns:
        self.look()
        return super().merge(runs)

    def look(self) -> None:
        for path in runs_in(self.directory, self.name):
            self.files[path.name] = path.read_bytes()


@cache
def files_of_a_lifetime() -> dict[str, bytes]:
    """Every file there ever was while the log grew, segment by segment."""
    with TemporaryDirectory() as name:
        kind = Watched(directory=Path(name))
        runs = RunSet(Path(name), kind)
        for count in range(1, len(SEGMENTS) + 1):
            runs.cover(SEGMENTS[:count], kind.build)
            kind.look()
    return kind.files


def damaged(content: bytes, at: int) -> Iterator[bytes]:
    yield content
    yield content[: at % len(content)]
    flipped = bytearray(content)
    flipped[at % len(content)] ^= 1
    yield bytes(flipped)


@settings(max_examples=60)
@given(st.data())
def test_whatever_files_are_left_the_runs_are_the_same(data: st.DataObject) -> None:
    """Old or new, missing or damaged: what is used is whole, what is not is swept."""
    files = files_of_a_lifetime()
    left = data.draw(st.sets(st.sampled_from(sorted(files))))
    with TemporaryDirectory() as name:
        directory = Path(name)
        for file in sorted(left):
            versions = damaged(files[file], data.draw(st.integers(0, 1 << 20)))
            content = data.draw(st.sampled_from(list(versions)))
            (directory / file).write_bytes(content)
        (directory / ".numbers-1-left-behind.tmp").write_bytes(b"half a ru")
        kind = Numbered()

        covering = covered(directory, SEGMENTS, kind)

        event(f"{min(len(kind.built), 3)} segments or more were built")
        assert covering == EXPECTED
        assert ranges(directory) == ["0-192", "192-195", "195-198", "198-201"]
        assert covered(directory, SEGMENTS, Numbered()) == EXPECTED
        assert list(chain(*covering)) == [*range(1, 202)]


def test_a_lifetime_has_a_run_of_every_stretch() -> None:
    bounds = [name.split("-")[2:4] for name in files_of_a_lifetime()]

    lengths = sorted(int(up_to) - int(after) for after, up_to in bounds)

    assert lengths == [*[3] * 67, *[24] * 8, 192]
