"""A store on SQLite outlives forks: what parent and child acknowledge is there."""

import os
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import metering
from ledger.database.sqlite import SQLiteDatabase
from metering import StoreForkedError
from tests.processes import Child, forked, said, warm_processes


@pytest.fixture
def processes() -> ForkServerContext:
    return warm_processes()


def test_what_a_child_records_outlives_the_connection_of_its_parent(
    tmp_path: Path, processes: ForkServerContext
) -> None:
    forking = Child(processes, record_and_fork, str(tmp_path / "usage"))

    assert list(said(forking)) == ["of the parent", "of the child", "after the close"]

    assert forking.exit_code() == 0
    with metering.connect(tmp_path / "usage") as m:
        found = {event.identifier for event in m.meter_events.list(event_name="tokens")}
    assert found == {"of the parent", "of the child", "after the close"}


def test_a_child_refuses_a_store_that_was_in_use_when_it_was_forked(
    tmp_path: Path, processes: ForkServerContext
) -> None:
    forking = Child(processes, fork_while_reading, str(tmp_path / "usage"))

    refusal, of_the_parent = said(forking)

    assert "log.db was in use when this process was forked; fork when" in refusal
    assert of_the_parent == "of the parent"
    assert forking.exit_code() == 0


def record_and_fork(target: str, pipe: Connection) -> None:
    m = opened(target)
    record(m, "of the parent", pipe)
    closed, close = os.pipe()

    def in_child() -> None:
        with metering.connect(target) as own:
            record(own, "of the child", pipe)
            os.write(close, b".")
            os.read(wait, 1)
            record(own, "after the close", pipe)

    wait, go_on = os.pipe()
    child = forked(in_child)
    os.read(closed, 1)
    m.close()
    os.write(go_on, b".")
    assert os.waitpid(child, 0)[1] == 0


def fork_while_reading(target: str, pipe: Connection) -> None:
    m = opened(target)

    def in_child() -> None:
        with pytest.raises(StoreForkedError) as refusal:
            metering.connect(target)
        pipe.send(str(refusal.value))

    with closing(SQLiteDatabase(Path(target) / "log.db")) as database:
        with database.read():
            child = forked(in_child)
        assert os.waitpid(child, 0)[1] == 0
    record(m, "of the parent", pipe)
    m.close()


def opened(target: str) -> metering.Metering:
    m = metering.connect(target)
    m.meters.ensure(
        display_name="t", event_name="tokens", default_aggregation={"formula": "sum"}
    )
    return m


def record(m: metering.Metering, identifier: str, pipe: Connection) -> None:
    m.meter_events.create(
        event_name="tokens",
        identifier=identifier,
        payload={"stripe_customer_id": "cus_1", "value": "1"},
    )
    pipe.send(identifier)
