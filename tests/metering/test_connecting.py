"""Where a connection without a target finds its settings."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.usual_usage import create_event, create_meter
from tests.segment_places import places_of


@pytest.fixture
def named(store_target: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of each kind, as the environment names it."""
    monkeypatch.setenv("METERING_STORE", store_target)
    for name, place in places_of(store_target).items():
        monkeypatch.setenv(f"METERING_{name.upper()}", str(place))
    return store_target


def test_the_environment_names_the_store_and_its_places(named: str) -> None:
    with metering.connect() as store:
        create_meter(store)
        create_event(store)
        sealed = store.seal()

    assert sealed == 1
    with metering.connect(named, create=False, **places_of(named)) as store:
        assert store.verify().ok


@pytest.mark.parametrize("value", ["1", "TRUE", "on", "0", "no", ""])
def test_the_environment_says_whether_a_store_is_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("METERING_STORE", str(tmp_path / "usage"))
    monkeypatch.setenv("METERING_LIVEMODE", value)

    with metering.connect() as store:
        assert create_meter(store).livemode is (value in {"1", "TRUE", "on"})


def test_what_is_given_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_STORE", str(tmp_path / "usage"))
    monkeypatch.setenv("METERING_SEGMENTS", str(tmp_path / "unused"))
    monkeypatch.setenv("METERING_LIVEMODE", "1")

    with metering.connect(segments=tmp_path / "far", livemode=False) as store:
        meter = create_meter(store)
        create_event(store)
        store.seal()

    assert not meter.livemode
    assert (tmp_path / "far").is_dir()
    assert not (tmp_path / "unused").exists()


def test_a_target_that_is_given_owes_the_environment_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_STORE", str(tmp_path / "other"))
    monkeypatch.setenv("METERING_SEGMENTS", str(tmp_path / "segments-of-other"))
    monkeypatch.setenv("METERING_LIVEMODE", "1")

    with metering.connect(tmp_path / "usage") as store:
        assert not create_meter(store).livemode

    assert [each.name for each in tmp_path.iterdir()] == ["usage"]


@pytest.mark.parametrize("unset", [{}, {"METERING_STORE": ""}])
def test_without_any_target_the_variable_to_set_is_named(
    monkeypatch: pytest.MonkeyPatch, unset: dict[str, Any]
) -> None:
    monkeypatch.delenv("METERING_STORE", raising=False)
    for name, value in unset.items():
        monkeypatch.setenv(name, value)

    with refused("parameter_missing", "target", "METERING_STORE"):
        metering.connect()


def test_a_flag_that_is_neither_on_nor_off_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_STORE", str(tmp_path / "usage"))
    monkeypatch.setenv("METERING_LIVEMODE", "perhaps")

    with refused("parameter_invalid", "METERING_LIVEMODE", "'perhaps'"):
        metering.connect()

    assert not (tmp_path / "usage").exists()


def test_the_environment_says_how_long_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_STORE", str(tmp_path / "usage"))
    monkeypatch.setenv("METERING_LOCK_TIMEOUT", "1")
    monkeypatch.setenv("METERING_STATEMENT_TIMEOUT", " ")
    monkeypatch.setenv("METERING_POOL_SIZE", "3")

    with (
        metering.connect() as store,
        closing(sqlite3.connect(tmp_path / "usage" / "log.db")) as another,
    ):
        another.execute("BEGIN IMMEDIATE")
        with pytest.raises(metering.StoreBusyError):
            create_meter(store)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "soon", "1000000"])
@pytest.mark.parametrize(
    "name",
    ["METERING_LOCK_TIMEOUT", "METERING_STATEMENT_TIMEOUT", "METERING_POOL_SIZE"],
)
def test_a_number_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("METERING_STORE", str(tmp_path / "usage"))
    monkeypatch.setenv(name, value)

    with refused("parameter_invalid", name, "from 1 to 999999"):
        metering.connect()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lock_timeout", timedelta(0)),
        ("lock_timeout", timedelta(hours=2)),
        ("lock_timeout", 60),
        ("statement_timeout", timedelta(days=2)),
        ("pool_size", 0),
        ("pool_size", True),
        ("pool_size", 1.0),
    ],
)
def test_a_setting_out_of_bounds_is_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    given: dict[str, Any] = {name: value}

    with refused("parameter_invalid", name):
        metering.connect(tmp_path / "usage", **given)
