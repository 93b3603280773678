"""A store of an earlier release is brought up by who is killed at any step, once."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, text

from ledger.database.addresses import open_database
from ledger.migrations import STEPS, add_column, bring_up
from ledger.records.keys import StoredKeys
from ledger.schema import format_version
from tests.faults.dying import die_opening, killed_at_each_step
from tests.figures import Figures
from tests.metering.store_0_1_0 import OldStore, unpacked
from tests.postgresql_server import fresh_database
from tests.profiles import PROFILE
from tests.segment_places import segments_of

LATEST = len(STEPS) + 3

later_key = Table(
    "api_key", MetaData(), Column("expires_at", BigInteger, nullable=False)
)


def add_expiry(connection: Connection) -> None:
    add_column(connection, later_key.c.expires_at, "0")


def copy_names(connection: Connection) -> None:
    # Done twice, it would fail, or leave rows twice.
    connection.execute(text("CREATE TABLE key_name (key_id text, name text)"))
    connection.execute(
        text("INSERT INTO key_name SELECT key_id, name FROM api_key ORDER BY key_id")
    )


def bring_up_further(target: str) -> None:
    """Open a store as a release would that is two formats ahead of this one."""
    with closing(open_database(target, creates=False)) as database:
        bring_up(database, None, (*STEPS, add_expiry, copy_names))


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def old(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OldStore]:
    """A store that release 0.1.0 left, with its segments where tests look for them."""
    directory = tmp_path_factory.mktemp("old")
    if request.param == "sqlite":
        yield unpacked(directory, None)
        return
    with fresh_database(request.getfixturevalue("postgresql_server")) as url:
        store = unpacked(directory, url)
        shutil.copytree(Path(store.places["segments"]), segments_of(url))
        yield store
        shutil.rmtree(segments_of(url).parent)


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_migrates_can_be_killed_at_every_step(
    old: OldStore, processes: ForkServerContext, figures: Figures
) -> None:
    """A kill at any step of a migration leaves the version before or the version after."""
    versions = set()
    for target in killed_at_each_step(
        old.target, bring_up_further, processes, figures, steps_min=2, dies=die_opening
    ):
        versions.add(version_of(target))
        bring_up_further(target)
        assert_brought_up(target, old)

    # Died before anything, between two versions, and at the end.
    before = None if "://" in old.target else 2
    assert PROFILE.stride > 1 or versions >= {before, LATEST - 1, LATEST}


def version_of(target: str) -> int | None:
    with (
        closing(open_database(target, creates=False)) as database,
        database.read() as connection,
    ):
        return format_version(connection)


def assert_brought_up(target: str, old: OldStore) -> None:
    """Check that every key is there with its new column, and copied once."""
    with (
        closing(open_database(target, creates=False)) as database,
        database.read() as connection,
    ):
        assert format_version(connection) == LATEST
        keys = {each.key_id: each.name for each in StoredKeys(connection).all()}
        copied_names = connection.execute(text("SELECT key_id, name FROM key_name"))
        expiries = connection.execute(text("SELECT expires_at FROM api_key"))
        assert [each["id"] for each in old.answers["keys"]] == list(keys)
        assert sorted(map(tuple, copied_names)) == sorted(keys.items())
        assert set(expiries.scalars()) == {0}
