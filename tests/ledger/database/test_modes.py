"""What a store makes is its owner's alone, unless its directory is shared with a group."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from typer.testing import CliRunner

import metering
from ledger.database.addresses import open_database
from ledger.database.directories import make_directory, open_private
from ledger.places import own_cache
from metering.cli.app import app
from tests.metering.usual_usage import create_event


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def fill(directory: Path) -> dict[Path, int]:
    """Make every kind of file that a store makes, and return their modes."""
    with (
        metering.connect(directory / "store", cache=directory / "cache") as store,
        store.recorder(spool=directory / "spool") as recorder,
        closing(sqlite3.connect(directory / "store" / "log.db")) as reader,
    ):
        store.meters.ensure(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        create_event(store)
        store.seal()
        create_event(store, identifier="another")
        recorder.record(event_name="tokens", payload={"value": "1"})
        # A reader holds the write-ahead log, and the index of it, open.
        reader.execute("SELECT count(*) FROM log_head").fetchone()
        return {each: stat.S_IMODE(each.stat().st_mode) for each in found(directory)}


def found(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*"))


SUFFIXES = {".db", ".db-wal", ".db-shm", ".turns", ".sealing", ".parquet", ".arrow"}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o002, 0o077, 0o777])
def test_what_a_store_makes_is_for_its_owner_alone(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        modes = fill(tmp_path)

    made = {path.name[path.name.rfind(".") :] for path in modes}
    assert SUFFIXES - made == set()
    directories = [path for path in modes if path.is_dir()]
    assert {path.name for path in directories} >= {
        "store",
        "segments",
        "cache",
        "spool",
    }
    assert {oct(modes[path]) for path in directories} == {"0o700"}
    assert {oct(modes[path]) for path in modes if path not in directories} == {"0o600"}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_in_a_directory_that_a_group_shares_the_group_reads_and_writes(
    tmp_path: Path, mask: int
) -> None:
    tmp_path.chmod(0o2770)

    with umask(mask):
        modes = fill(tmp_path)

    directories = [path for path in modes if path.is_dir()]
    assert {oct(modes[path]) for path in directories} == {"0o2770"}
    assert {oct(modes[path]) for path in modes if path not in directories} == {"0o660"}


@pytest.mark.parametrize("mode", [0o755, 0o775, 0o777, 0o1777, 0o2755])
def test_a_directory_that_was_not_meant_to_be_shared_is_not(
    tmp_path: Path, mode: int
) -> None:
    tmp_path.chmod(mode)

    with umask(0):
        modes = fill(tmp_path)

    assert not [path for path in modes if modes[path] & 0o077]


def test_a_mode_that_was_given_to_a_file_is_left(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "store" / "log.db").chmod(0o640)

    modes = fill(tmp_path)

    kept = {
        path.name: oct(mode) for path, mode in modes.items() if "log.db" in path.name
    }
    assert kept["log.db"] == "0o640"
    # SQLite makes these anew, as the file is.
    assert kept["log.db-wal"] == kept["log.db-shm"] == "0o640"
    assert kept["log.db.turns"] == "0o600"


def test_nothing_is_open_to_others_while_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What makes it gives it a mode that no later change has to lessen.
    monkeypatch.setattr(os, "fchmod", _refused)

    with umask(0):
        make_directory(tmp_path / "a" / "b")
        os.close(open_private(tmp_path / "a" / "b" / "file", os.O_RDWR))
        open_database(tmp_path / "a" / "store", creates=True).close()

    modes = {stat.S_IMODE(path.stat().st_mode) for path in found(tmp_path)}
    assert modes == {0o700, 0o600}


def _refused(*_: object) -> None:
    raise PermissionError


@pytest.mark.parametrize("name", ["a ?mode=ro", "a%20b", "a#b", "a&modeof=c", "ä ö"])
def test_a_directory_of_any_name_holds_a_store(tmp_path: Path, name: str) -> None:
    modes = fill(tmp_path / name)

    assert modes[tmp_path / name / "store" / "log.db"] == 0o600
    assert found(tmp_path)[0] == tmp_path / name


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user comes to, unlike those of pytest."""
    with TemporaryDirectory(dir="/tmp") as made:  # as it is everywhere
        Path(made).chmod(0o755)
        yield Path(made)


def test_a_store_that_every_user_can_read_is_complained_of(public: Path) -> None:
    above, store = public / "above", public / "above" / "store"

    def complaints() -> str:
        return CliRunner().invoke(app, ["verify", "--store", str(store)]).stderr

    metering.connect(store).close()
    assert complaints() == ""

    (store / "log.db").chmod(0o644)
    store.chmod(0o755)
    # Nobody else comes so far.
    assert complaints() == ""

    above.chmod(0o755)
    assert "log.db, as its mode is 0644" in complaints()


def test_a_secret_key_that_every_user_can_read_is_complained_of(
    tmp_path: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metering.connect(tmp_path / "s").close()
    key = public / "metering"
    key.write_text("ab" * 32)
    key.chmod(0o644)
    monkeypatch.setenv("METERING_SECRET_KEY", str(key))

    result = CliRunner().invoke(app, ["verify", "--store", str(tmp_path / "s")])

    assert f"{key}, as its mode is 0644" in result.stderr


def test_a_link_that_others_may_have_put_there_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "store").mkdir()
    for suffix in (".turns", ".sealing"):
        (tmp_path / "store" / f"log.db{suffix}").symlink_to(victim)

    with pytest.raises(metering.MeteringError, match=r"log\.db"):
        fill(tmp_path)
    (tmp_path / "store" / "log.db.sealing").unlink()
    fill(tmp_path)

    assert victim.read_bytes() == b"precious"


def test_the_cache_of_a_user_is_made_for_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))

    with umask(0):
        assert own_cache() == tmp_path / "home" / "cache" / "metering"

    assert {stat.S_IMODE(each.stat().st_mode) for each in found(tmp_path)} == {0o700}
