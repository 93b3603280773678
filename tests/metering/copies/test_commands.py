"""``metering backup`` and ``restore``."""

from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import assert_only_fails, document, run
from tests.metering.usual_usage import create_event, create_meter


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands of a test find their store."""
    path = tmp_path / "store"
    monkeypatch.setenv("METERING_STORE", str(path))
    return path


def test_a_store_is_backed_up_and_restored(place: Path, tmp_path: Path) -> None:
    with metering.connect(place) as m:
        create_meter(m)
        create_event(m)
        m.seal()
    backup, restored = tmp_path / "backup", tmp_path / "restored"

    first = run("backup", backup)
    again = document("backup", backup)
    made = run("restore", backup, "--store", restored)
    other = document("restore", backup, "--store", tmp_path / "other")

    assert first.stdout.startswith("Backed up to position 2: 3 files of 3 copied, ")
    assert (again["position"], again["files"], again["copied_files"]) == (2, 3, 2)
    lines = made.stdout.splitlines()
    assert lines[0].startswith("Restored to position 2: 1 segment, ")
    assert lines[1:] == ["Prove it by", f"  metering verify --store {restored}"]
    assert document("verify", "--store", restored)["digest"] == again["digest"]
    assert (other["digest"], other["origin"]) == (again["digest"], again["epoch"])


def test_what_cannot_be_done_is_one_line(place: Path, tmp_path: Path) -> None:
    assert_only_fails(run("backup", tmp_path / "backup"), "There is no store at")
    with metering.connect(place) as m:
        create_meter(m)
    assert_only_fails(run("backup", place), "it holds 'log.db' and no backup")
    nothing = tmp_path / "nothing"
    assert_only_fails(run("restore", nothing), "There is no complete backup at")
    run("backup", tmp_path / "backup")
    assert_only_fails(run("restore", tmp_path / "backup"), "there is a store already")


def test_a_store_is_copied(place: Path, tmp_path: Path) -> None:
    with metering.connect(place) as m:
        create_meter(m)
        create_event(m)
        m.seal()
        digest = m.verify().digest
    copied, segments = tmp_path / "copied", tmp_path / "segments"

    made = run("copy", place, copied, "--segments", segments)
    again = document("copy", copied, tmp_path / "c", "--source-segments", segments)

    assert made.stdout.startswith("Copied to position 2: 1 segment, ")
    assert again["digest"] == digest
    assert len(list(segments.iterdir())) == 1
    assert_only_fails(run("copy", place, copied), "there is a store already")
    before = run("--store", place, "copy", place, copied)
    assert before.exit_code == 2
    assert "this command takes the stores as arguments" in before.stderr


def test_a_store_is_exported(place: Path, tmp_path: Path) -> None:
    with metering.connect(place) as m:
        create_meter(m)
        create_event(m)

    made = run("export", tmp_path / "export")
    again = document("export", tmp_path / "again")

    assert made.stdout.startswith("Exported up to position 2: 1 event and 1 fact, ")
    assert (again["events"], again["facts"]) == (1, 1)
    assert_only_fails(run("export", tmp_path / "again"), "give an empty place")
