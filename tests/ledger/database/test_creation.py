"""What a store makes has its entry on disk before anything in it is acknowledged."""

import os
import sys
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import metering
from tests.faults.usage import NOW, create_meter, table
from tests.processes import Child, said, warm_processes


@pytest.fixture(scope="module")
def starter() -> ForkServerContext:
    return warm_processes()


def make_everything(target: str, cache: str, pipe: Connection) -> None:
    """Make a store, its segments and its runs; say which directories were synced."""
    synced = set[str]()

    def note(name: str, arguments: tuple[object, ...]) -> None:
        flags = arguments[2] if name == "open" else None
        if isinstance(flags, int) and flags & os.O_DIRECTORY:
            synced.add(str(arguments[0]))

    # It is this process's own, which ends with it.
    sys.addaudithook(note)
    create_meter(target)
    clock = metering.FixedClock(NOW)
    with metering.connect(target, clock=clock, cache=cache) as store:
        store.meter_events.ingest(table(range(10)))
        store.seal()
    pipe.send(sorted(synced))


@pytest.mark.slow
def test_the_entries_of_all_that_a_store_makes_are_brought_to_disk(
    starter: ForkServerContext, tmp_path: Path
) -> None:
    target, cache = tmp_path / "new" / "usage", tmp_path / "cache" / "runs"
    child = Child(starter, make_everything, str(target), str(cache))

    (synced,) = said(child)

    assert child.exit_code() == 0
    made_in = [tmp_path, tmp_path / "new", target, target / "segments", cache.parent]
    assert {str(each) for each in made_in} <= set(synced)
