"""Where a connection without a target finds its settings."""

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
