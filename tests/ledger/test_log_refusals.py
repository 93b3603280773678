"""A store that cannot be used says so in one clear sentence, and stays as it is."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

import metering
from ledger.database.addresses import open_database
from ledger.errors import (
    LogDamagedError,
    StoreClosedError,
    StoreMissingError,
    StoreUnavailableError,
    StoreVersionError,
)
from ledger.log import Log
from ledger.schema import FORMAT_VERSION
from tests.ledger.conftest import OpenDatabase, OpenLog
from tests.ledger.drafts import append, draft, meter_created, record, row, stored_rows

pytestmark = pytest.mark.dialect

ROOT = Path(__file__).parents[2]


def run(open_store: OpenDatabase, statement: str) -> None:
    with open_store().write() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0, 2_000_000_000])
def test_a_store_of_another_format_is_refused(
    open_log: OpenLog, open_store: OpenDatabase, version: int
) -> None:
    append(open_log(), row("a"))
    run(open_store, f"UPDATE log_head SET format_version = {version}")

    with pytest.raises(StoreVersionError) as caught:
        open_log()

    assert (caught.value.found, caught.value.supported) == (version, FORMAT_VERSION)
    assert caught.value.code == "store_version"
    run(open_store, f"UPDATE log_head SET format_version = {FORMAT_VERSION}")
    assert stored_rows(open_log()) == [(1, row("a"))]


def test_a_log_that_must_exist_is_missed_where_it_does_not(
    open_log: OpenLog, open_store: OpenDatabase
) -> None:
    with pytest.raises(StoreMissingError):
        open_log(epoch=None)

    append(open_log(), row("a"))
    assert stored_rows(open_log(epoch=None)) == [(1, row("a"))]


def test_a_store_that_must_exist_is_missed_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreMissingError) as caught:
        metering.connect(tmp_path / "usage", create=False)

    assert caught.value.store == str(tmp_path / "usage")
    assert not (tmp_path / "usage").exists()


@pytest.mark.parametrize(
    "use",
    [
        lambda log: log.head(),
        lambda log: log.catch_up(),
        lambda log: list(log.commits()),
        lambda log: log.events_at(np.array([1])),
        lambda log: list(log.commits_at([1])),
        lambda log: log.append_usage(draft([row("b")])),
        lambda log: log.find_event("tokens", "a"),
        lambda log: record(log, meter_created("tokens")),
        lambda log: log.rebuild(),
    ],
    ids=[
        "head", "catch_up", "commits", "events_at", "commits_at", "append_usage",
        "find_event", "writing", "rebuild",
    ],
)  # fmt: skip
def test_a_closed_log_refuses_everything(
    log: Log, use: Callable[[Log], object]
) -> None:
    append(log, row("a"))
    log.close()

    with pytest.raises(StoreClosedError):
        use(log)


def test_closing_twice_is_closing_once(log: Log) -> None:
    log.close()
    log.close()

    with pytest.raises(StoreClosedError):
        log.head()


def test_a_forked_child_is_refused_and_the_parent_goes_on(store_target: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "tests.ledger.forking", store_target],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )

    child, parent = (json.loads(line) for line in finished.stdout.splitlines())
    assert child == {
        "create": "store_forked",
        "read": "store_forked",
        "connected_again": [2, 3],
    }
    assert parent == {"positions": [2, 3, 4], "ok": True}


def test_a_store_that_was_replaced_by_another_is_refused(
    open_log: OpenLog, open_store: OpenDatabase
) -> None:
    log = open_log()
    append(log, row("a"), row("b"))
    run(open_store, "DELETE FROM log_commit")
    run(open_store, "DELETE FROM log_head")
    other = open_log(epoch="epoch-2")
    append(other, *[row(f"other-{number}") for number in range(5)])

    with pytest.raises(LogDamagedError, match="replaced"):
        log.catch_up()
    with pytest.raises(LogDamagedError, match="replaced"):
        append(log, row("c"))
    assert len(stored_rows(other)) == 5


def test_a_store_that_was_set_back_takes_no_appends_of_the_old_one(
    open_log: OpenLog, open_store: OpenDatabase
) -> None:
    log = open_log()
    append(log, row("a"))
    old_head = log.head()
    append(log, row("b"))
    run(open_store, "DELETE FROM log_commit WHERE first_position = 2")
    with open_store().write() as connection:
        connection.execute(
            text("UPDATE log_head SET position = 1, digest = :digest"),
            {"digest": old_head.digest},
        )

    with pytest.raises(LogDamagedError):
        append(log, row("c"))

    assert stored_rows(open_log()) == [(1, row("a"))]


@pytest.mark.parametrize(
    "address",
    [
        "mysql://user:secret@localhost/usage",
        "sqlite:///usage.db",
        "postgresql://user:secret@127.0.0.1:1/usage",
        "postgresql://user:secret@127.0.0.1:port/usage",
        "postgres://user:secret@127.0.0.1:1/usage",
        "http://user:secret@example.org/",
        "://",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(
    address: str,
) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        metering.connect(address)

    assert "secret" not in caught.value.message
    assert caught.value.code == "store_unavailable"


def test_a_server_that_forgets_what_it_acknowledged_is_refused(
    postgresql_url: str,
) -> None:
    database = open_database(postgresql_url, creates=True)
    name = postgresql_url.rpartition("/")[2].partition("?")[0]
    with database.write() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit TO off"))
    database.close()

    with pytest.raises(metering.MeteringError) as caught:
        metering.connect(postgresql_url)

    assert caught.value.code == "unsafe_durability"
    assert "synchronous_commit" in caught.value.message


def test_a_store_in_memory_is_gone_when_it_is_closed() -> None:
    with metering.connect(":memory:") as first:
        first.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        assert first.position == 1

    with metering.connect(":memory:", identifier_retention=timedelta(1)) as second:
        assert second.position == 0
