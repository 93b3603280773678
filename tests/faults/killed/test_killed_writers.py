"""A writer is killed at any moment: what it acknowledged stays, and nothing is torn."""

import sqlite3
import time
from contextlib import closing
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random

import pytest

from tests.conftest import StoreTargets
from tests.empty_stores import without_store
from tests.faults.dying import killed_again_and_again
from tests.faults.usage import (
    assert_holds,
    create_meter,
    numbers_by_position,
    open_store,
    table,
)
from tests.faults.writing import write, write_awaited
from tests.figures import Figures
from tests.processes import Child, said
from tests.profiles import PROFILE

KILLS = 40 if PROFILE.is_thorough else 12


@pytest.mark.slow
def test_killed_writers_keep_what_they_acknowledged(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    """What was acknowledged is there after a kill at any moment, once."""
    create_meter(store_target)
    acknowledged: set[int] = set()

    for _ in killed_again_and_again(
        write, store_target, processes, acknowledged, figures, kills=KILLS
    ):
        with open_store(store_target) as store:
            kept = set(numbers_by_position(store).values())
            assert acknowledged <= kept
            assert_holds(store, range(len(kept)))
        assert_is_whole(store_target)

    with open_store(store_target) as store:
        kept = set(numbers_by_position(store).values())
        everything = range(len(kept) + 1_000)
        receipt = store.meter_events.ingest(table(everything))

        assert (receipt.accepted, receipt.duplicates) == (1_000, len(kept))
        assert_holds(store, everything)


@pytest.mark.slow
def test_killed_tasks_keep_what_they_acknowledged(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    """What tasks of an event loop were acknowledged is there after a kill at any moment, once."""
    create_meter(store_target)
    acknowledged: set[int] = set()

    for _ in killed_again_and_again(
        write_awaited, store_target, processes, acknowledged, figures, kills=KILLS // 2
    ):
        with open_store(store_target) as store:
            # Those that were cancelled need not be there.
            kept = set(numbers_by_position(store).values())
            assert acknowledged <= kept
            assert_holds(store, kept)


@pytest.mark.slow
def test_a_store_whose_making_was_killed_can_be_opened(
    store_targets: StoreTargets, processes: ForkServerContext, figures: Figures
) -> None:
    """A store whose making was killed is made by the next that opens it."""
    generator = Random(7)

    for _ in range(6):
        with store_targets() as target:
            child = Child(processes, write, without_store(target), [], 0)
            death = time.monotonic() + generator.uniform(0.01, 0.1)
            list(said(child, until=death))
            child.kill()
            child.exit_code()

            create_meter(target)
            with open_store(target) as store:
                assert_holds(store, [])
            assert_is_whole(target)
        figures.add("kills")


def assert_is_whole(target: str) -> None:
    """Let SQLite check its own file; PostgreSQL has no such check to run."""
    file = Path(target) / "log.db"
    if file.exists():
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute("PRAGMA integrity_check").fetchall()
        assert rows == [("ok",)]
