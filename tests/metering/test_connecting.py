"""Where a connection without a target finds its settings."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import metering
from metering.environment import secret_keys_of
from tests.metering.refusals import refused
from tests.metering.usual_usage import create_event, create_meter
from tests.segment_places import places_of

KEY = "0123456789abcdef" * 4
_HINT = "openssl rand -hex 32"


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
    [
        "METERING_LOCK_TIMEOUT",
        "METERING_STATEMENT_TIMEOUT",
        "METERING_POOL_SIZE",
        "METERING_CLOCK_SKEW_MAX",
    ],
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
        ("clock_skew_max", 60),
        ("clock_skew_max", timedelta(0)),
        ("clock_skew_max", timedelta(milliseconds=999)),
    ],
)
def test_a_setting_out_of_bounds_is_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    given: dict[str, Any] = {name: value}

    with refused("parameter_invalid", name):
        metering.connect(tmp_path / "usage", **given)


@pytest.mark.parametrize("text", [KEY, f" {KEY}\n", f"{KEY},{KEY[::-1]}"])
@pytest.mark.parametrize("is_in_file", [False, True])
def test_the_environment_or_a_file_holds_secret_keys(
    tmp_path: Path, text: str, *, is_in_file: bool
) -> None:
    if is_in_file:
        (tmp_path / "key").write_text(text)

    named = str(tmp_path / "key") if is_in_file else text
    found = secret_keys_of({"METERING_SECRET_KEY": named})

    assert found.names[0] == secret_keys_of({"METERING_SECRET_KEY": KEY}).names[0]
    assert len(found.names) == text.count(",") + 1


@pytest.mark.parametrize("unset", [{}, {"METERING_SECRET_KEY": " "}])
def test_without_the_variable_there_is_no_secret_key(unset: dict[str, str]) -> None:
    assert not secret_keys_of(unset)


@pytest.mark.parametrize("text", [KEY[1:], f"{KEY}0", "x" * 64, f"{KEY} hunter2"])
@pytest.mark.parametrize("is_in_file", [False, True])
def test_what_is_no_secret_key_is_refused_and_not_shown(
    tmp_path: Path, text: str, *, is_in_file: bool
) -> None:
    (tmp_path / "key").write_text(text)
    named = str(tmp_path / "key") if is_in_file else text

    with pytest.raises(metering.InvalidRequestError, match=_HINT) as raised:
        secret_keys_of({"METERING_SECRET_KEY": named})

    assert raised.value.param == "METERING_SECRET_KEY"
    assert text.rsplit(maxsplit=1)[-1] not in raised.value.message


def test_a_key_file_that_is_absent_empty_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "bytes").write_bytes(b"\xff" * 32)

    for name, reason in (
        ("absent", "No such file"),
        ("empty", "is empty"),
        ("bytes", "no text"),
    ):
        with pytest.raises(metering.InvalidRequestError, match=f"{reason}.*{_HINT}"):
            secret_keys_of({"METERING_SECRET_KEY": str(tmp_path / name)})


def test_a_secret_key_is_read_also_where_a_target_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERING_SECRET_KEY", "short")

    with refused("parameter_invalid", "METERING_SECRET_KEY", "key 1 of 1"):
        metering.connect(tmp_path / "usage")


def test_the_environment_says_how_far_off_clocks_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a target is given: it is a matter of the machine."""
    tomorrow = metering.SystemClock().now() + timedelta(days=1)
    with metering.connect(tmp_path / "usage", clock=metering.FixedClock(tomorrow)) as m:
        create_meter(m)

    with (
        metering.connect(tmp_path / "usage") as judged,
        pytest.raises(metering.ClockSkewError),
    ):
        create_event(judged)
    monkeypatch.setenv("METERING_CLOCK_SKEW_MAX", "100000")
    with metering.connect(tmp_path / "usage") as lenient:
        assert create_event(lenient).position == 2
    with (
        metering.connect(tmp_path / "usage", clock_skew_max=timedelta(hours=1)) as m,
        pytest.raises(metering.ClockSkewError),
    ):
        create_event(m)
