"""``metering verify`` with segments, and with a checkpoint that was kept elsewhere."""

import json
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import Result

import metering
from tests.metering.cli.running import assert_only_fails, document, run
from tests.metering.usual_usage import create_event, create_meter

DAY = datetime(2025, 3, 1, tzinfo=UTC)


def problem_of(result: Result) -> str:
    """The one problem that a verification came to."""
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["ok"] is False
    (problem,) = document["problems"]
    assert isinstance(problem, str)
    return problem


def send(store: Path, identifier: str) -> None:
    with metering.connect(store, clock=metering.FixedClock(DAY)) as m:
        create_event(m, identifier=identifier)


@pytest.fixture
def store(place: Path) -> Path:
    """The path of a store with three events, two of them sealed."""
    with metering.connect(place, clock=metering.FixedClock(DAY)) as m:
        create_meter(m)
        create_event(m, identifier="event-1")
        create_event(m, identifier="event-2")
        m.seal()
        create_event(m, identifier="event-3")
    return place


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Where a checkpoint may be kept."""
    return tmp_path / "checkpoint.json"


def test_a_damaged_segment_is_named_once(store: Path) -> None:
    (file,) = (store / "segments").iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)

    shown = run("verify")
    problem = problem_of(run("verify", "--json"))

    assert shown.exit_code == 1
    assert shown.stdout.splitlines()[-1] == "Problems: 1"
    assert problem == (
        f"The segment {file.name} is damaged: what is stored is not what was sealed;"
        " restore it from a backup of the segment store"
    )
    assert problem in shown.stdout


def test_a_missing_segment_is_named(store: Path) -> None:
    (file,) = (store / "segments").iterdir()
    file.unlink()

    assert_only_fails(
        run("verify"), file.name, "is missing", "restore it from a backup"
    )


def test_a_checkpoint_that_names_a_key_twice_is_none(
    store: Path, checkpoint: Path
) -> None:
    run("verify", "--checkpoint", checkpoint)
    text = checkpoint.read_text()
    checkpoint.write_text(text.replace('"position"', '"position": 1, "position"'))

    refused = run("verify", "--checkpoint", checkpoint)

    assert_only_fails(refused, "names the key 'position' twice")


def test_a_checkpoint_is_kept_and_renewed(store: Path, checkpoint: Path) -> None:
    first = run("verify", "--checkpoint", checkpoint)
    saved = json.loads(checkpoint.read_bytes())
    send(store, "event-4")
    second = run("verify", "--checkpoint", checkpoint)
    renewed = json.loads(checkpoint.read_bytes())

    assert first.stdout.splitlines()[-1] == (
        f"Saved the first checkpoint in {checkpoint}; keep it outside the store"
    )
    assert second.stdout.splitlines()[-1] == (
        "The log goes on from the checkpoint at position 4; saved the new one in"
        f" {checkpoint}"
    )
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert (saved["position"], renewed["position"]) == (4, 5)
    assert saved["epoch"] == renewed["epoch"]
    assert list(checkpoint.parent.glob("*checkpoint*")) == [checkpoint]


def test_a_log_that_was_truncated_is_found(
    store: Path, checkpoint: Path, tmp_path: Path
) -> None:
    shutil.copytree(store, tmp_path / "backup")
    send(store, "event-4")
    run("verify", "--checkpoint", checkpoint)
    kept = checkpoint.read_bytes()

    result = run(
        "verify", "--store", tmp_path / "backup", "--checkpoint", checkpoint, "--json"
    )

    assert problem_of(result) == (
        "The log ends at position 4, but went on to 5 when the checkpoint was saved: it"
        " was truncated, or restored from an older backup"
    )
    assert checkpoint.read_bytes() == kept


def test_a_log_that_was_rewritten_is_found(
    store: Path, checkpoint: Path, tmp_path: Path
) -> None:
    shutil.copytree(store, tmp_path / "copy")
    send(store, "event-4")
    run("verify", "--checkpoint", checkpoint)
    send(tmp_path / "copy", "another")

    result = run(
        "verify", "--store", tmp_path / "copy", "--checkpoint", checkpoint, "--json"
    )

    assert "it was rewritten" in problem_of(result)


def test_a_checkpoint_of_another_store_is_told(
    store: Path, checkpoint: Path, tmp_path: Path
) -> None:
    with metering.connect(tmp_path / "other") as m:
        create_meter(m)
    run("verify", "--store", tmp_path / "other", "--checkpoint", checkpoint)

    result = run("verify", "--checkpoint", checkpoint, "--json")

    assert "is of another log" in problem_of(result)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1, 2]",
        b"\xff\xfe",
        b'{"epoch": "x", "position": "4", "digest": "y"}',
        b'{"epoch": "x", "position": 4}',
    ],
)
def test_a_file_that_holds_no_checkpoint_is_refused_and_left_alone(
    store: Path, checkpoint: Path, content: bytes
) -> None:
    checkpoint.write_bytes(content)

    result = run("verify", "--checkpoint", checkpoint)

    assert_only_fails(result, str(checkpoint), "holds no checkpoint")
    assert checkpoint.read_bytes() == content


def test_a_place_that_no_file_can_have_is_refused_before_the_work(
    store: Path, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere" / "checkpoint.json"

    assert_only_fails(run("verify", "--checkpoint", nowhere), "there is no directory")
    assert_only_fails(run("verify", "--checkpoint", tmp_path), "Is a directory")
    assert not nowhere.parent.exists()


def test_a_checkpoint_that_cannot_be_saved_is_told(store: Path) -> None:
    assert_only_fails(run("verify", "--checkpoint", "/proc/checkpoint.json"), "/proc")


def test_what_is_verified_is_counted(store: Path) -> None:
    shown, told = run("verify"), document("verify")

    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[:4] == [
        "position   4",
        "commits    4",
        "entries    4",
        "segments   1",
    ]
    assert told["digest"] in shown.stdout
    assert shown.stdout.splitlines()[-1] == "Verified: nothing is wrong"
    assert (told["ok"], told["segments"]) == (True, 1)
    assert told["position"] == told["entries"] == told["commits"] == 4
    assert told["sqlite_version"] == sqlite3.sqlite_version
    assert told["epoch"] + "-" in next((store / "segments").iterdir()).name


def test_a_damaged_commit_is_named(store: Path) -> None:
    with sqlite3.connect(store / "log.db") as connection:
        connection.execute("UPDATE log_commit SET recorded_at = recorded_at + 1")
    connection.close()

    result = run("verify")

    assert result.exit_code == 1
    assert "damaged at position 4" in result.stdout
