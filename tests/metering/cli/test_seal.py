"""``metering seal``, ``metering status``, and where segments and what is derived from them lie."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import metering
from tests.metering.cli.running import assert_only_fails, document, run
from tests.metering.usual_usage import create_event, create_meter

DAY = datetime(2025, 3, 1, tzinfo=UTC)
COUNT = ["sql", "SELECT count(*) AS events FROM events"]


@pytest.fixture
def store(place: Path) -> Path:
    """The path of a store with three events, none sealed."""
    with metering.connect(place, clock=metering.FixedClock(DAY)) as m:
        create_meter(m)
        for number in range(3):
            create_event(m, identifier=f"event-{number}")
    return place


def test_usage_is_sealed_once(store: Path) -> None:
    first = run("seal")
    again = run("seal")

    assert first.stdout.startswith("Sealed the usage up to position 4: 1 segment in ")
    assert again.stdout == "Nothing to seal, or another process is at it\n"
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert len(list((store / "segments").iterdir())) == 1
    assert document(*COUNT) == {"events": 3}


def test_programs_get_numbers(store: Path) -> None:
    first = document("seal")
    again = document("seal")

    assert (first["segments"], first["position"]) == (1, 4)
    assert (again["segments"], again["position"]) == (0, 4)
    assert first["seconds"] >= 0


def test_segments_and_what_follows_from_them_may_lie_elsewhere(
    store: Path, tmp_path: Path
) -> None:
    places: list[str | Path] = ["--segments", tmp_path / "far"]
    places += ["--cache", tmp_path / "near"]

    sealed = run("seal", *places)

    assert sealed.exit_code == 0
    assert document(*places, *COUNT) == {"events": 3}
    assert len(list((tmp_path / "far").iterdir())) == 1
    assert list((tmp_path / "near").rglob("*.arrow"))
    assert not (store / "segments").exists()


def test_places_are_taken_from_the_environment(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_SEGMENTS", (tmp_path / "far").as_uri())
    monkeypatch.setenv("METERING_CACHE", str(tmp_path / "near"))

    run("seal")

    assert len(list((tmp_path / "far").iterdir())) == 1
    assert list((tmp_path / "near").rglob("*.arrow"))
    monkeypatch.delenv("METERING_SEGMENTS")
    assert_only_fails(
        run(*COUNT), "is missing from the segment store", str(store / "segments")
    )


def test_segments_of_another_store_are_no_help(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with metering.connect(other) as m:
        create_meter(m)
        create_event(m)
        m.seal()
    run("seal")

    result = run("--segments", other / "segments", *COUNT)

    assert_only_fails(
        result, "is missing from the segment store", str(other / "segments")
    )


@pytest.mark.parametrize("option", ["--segments", "--cache"])
def test_a_place_that_cannot_be_one_is_named(
    store: Path, tmp_path: Path, option: str
) -> None:
    file = tmp_path / "file"
    file.write_text("not a directory")

    assert_only_fails(run(option, file, "seal"), str(file))
    # What is in the store stays in it.
    assert document(*COUNT) == {"events": 3}


def test_a_store_of_an_older_backup_says_what_to_do(store: Path) -> None:
    database = store / "log.db"
    backup = database.read_bytes()
    with metering.connect(store, clock=metering.FixedClock(DAY)) as m:
        create_event(m, identifier="later")
        m.seal()
    database.write_bytes(backup)

    assert_only_fails(
        run("seal"),
        "The log ends at position 4",
        "up to position 5",
        "restore a backup of the database",
    )


@pytest.mark.usefixtures("store")
def test_people_see_how_far_each_work_is() -> None:
    run("seal")

    shown = run("status")

    assert shown.exit_code == 0
    assert [line.split() for line in shown.stdout.splitlines()] == [
        ["position", "4"],
        ["events", "3"],
        ["sealed", "4"],
        ["to", "deliver", "0"],
    ]


@pytest.mark.usefixtures("store")
def test_programs_see_how_far_each_work_is() -> None:
    found = document("status")

    assert found.pop("loops") == []
    assert found == {
        "position": 4,
        "event_count": 3,
        "evaluated_position": None,
        "pending_deliveries": 0,
        "pending_since": None,
        "ahead_seconds": 0,
        "branch_of": None,
        "branch_position": None,
        "sealed_position": 0,
    }
