"""A store on PostgreSQL that was given no segment store keeps its segments in itself."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

import metering
from tests.metering import usual_usage
from tests.metering.cli.running import document
from tests.metering.usual_usage import NOW, cancel_event, create_event, create_meter
from tests.waiting import eventually

pytestmark = [pytest.mark.dialect, pytest.mark.postgresql]


def batch(first: int, count: int) -> pa.Table:
    """Events of two models."""
    models = pa.array(f"model-{number % 2}" for number in range(first, first + count))
    return usual_usage.batch(first, count, value="{}.5").append_column("model", models)


@pytest.fixture
def connected(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> partial[metering.Metering]:
    """Connect to a store of the test's own, whose caches are its own as well."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    clock = metering.FixedClock(NOW)
    return partial(metering.connect, postgresql_url, clock=clock, seal_events=None)


def names_inside(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT name FROM metering.log_segment_chunk")
        return {name for (name,) in found}


def answers(store: metering.Metering) -> tuple[object, ...]:
    (meter,) = store.meters.list()
    return (
        list(store.meter_events.list()),
        usual_usage.total(store, meter),
        store.reaggregate(group_by=["model"]).to_pylist(),
        store.sql("SELECT * FROM events ORDER BY position").to_pylist(),
        store.position,
    )


def fill(store: metering.Metering, segments: int) -> None:
    create_meter(store)
    for number in range(segments):
        store.meter_events.ingest(batch(100 * number, 100))
        cancel_event(store, f"event-{100 * number + 7}")
        assert store.seal() == 1
    create_event(store, identifier="tail")


def test_answers_stay_as_they_were(
    connected: partial[metering.Metering], postgresql_url: str
) -> None:
    with connected() as store:
        create_meter(store)
        store.meter_events.ingest(batch(0, 100))
        cancel_event(store, "event-3")
        before = answers(store)

        assert store.seal() == 1

        assert answers(store) == before
        report = store.verify()
        assert (report.ok, report.segments) == (True, 1)
    assert len(names_inside(postgresql_url)) == 1
    with connected() as store:
        assert answers(store) == before
        with pytest.raises(metering.IdentifierConflictError):
            create_event(store, identifier="event-4")


def test_a_store_seals_itself(connected: partial[metering.Metering]) -> None:
    with connected(seal_events=50) as store:
        create_meter(store)
        store.meter_events.ingest(batch(0, 80))

        eventually(lambda: store.verify().segments == 1)


@pytest.mark.slow
def test_another_process_re_aggregates_what_lies_in_the_database(
    connected: partial[metering.Metering],
) -> None:
    with connected() as store:
        fill(store, segments=3)
        expected = store.reaggregate(group_by=["model"])

        spawned = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawned) as executor:
            found = store.reaggregate(group_by=["model"], executor=executor)

    assert found.equals(expected)


def test_segments_move_to_the_store_that_is_given(
    connected: partial[metering.Metering], postgresql_url: str, tmp_path: Path
) -> None:
    with connected() as store:
        fill(store, segments=3)
        before = answers(store)

    with connected(segments=tmp_path / "far") as store:
        assert answers(store) == before
        assert not (tmp_path / "far").exists()
        assert store.seal() == 4
        assert answers(store) == before
        assert store.verify().ok

    assert names_inside(postgresql_url) == set()
    assert len(list((tmp_path / "far").iterdir())) == 4
    with pytest.raises(metering.SegmentMissingError, match="segments="):
        connected()


def test_the_command_line_needs_no_segment_store(
    connected: partial[metering.Metering], postgresql_url: str, tmp_path: Path
) -> None:
    with connected() as store:
        create_meter(store)
        store.meter_events.ingest(batch(0, 100))
    count = ["sql", "SELECT count(*) AS events FROM events"]
    target: list[str | Path] = ["--store", postgresql_url]

    assert document("seal", *target)["segments"] == 1
    assert document("verify", *target)["ok"]
    assert document(*count, *target) == {"events": 100}
    far: list[str | Path] = [*target, "--segments", tmp_path / "far"]
    assert document("seal", *far)["segments"] == 1
    assert document(*count, *far) == {"events": 100}
    assert len(list((tmp_path / "far").iterdir())) == 1


def test_runs_lie_in_a_temporary_directory_where_there_is_no_cache(
    connected: partial[metering.Metering],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no directory")
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_the_way))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    with connected() as store:
        fill(store, segments=1)

    (own,) = (tmp_path / "temporary").iterdir()
    assert own.name.startswith("metering-")
    assert list(own.rglob("*.arrow"))
