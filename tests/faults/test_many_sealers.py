"""Several processes append, seal, make anew and read, and it is as if one had."""

from multiprocessing.context import ForkServerContext
from random import Random

import pytest

from tests.faults.copying import runs_of, segments_of
from tests.faults.sealing import Sealed, wander
from tests.faults.usage import assert_holds, create_meter, open_store
from tests.faults.writing import Acknowledged, read_along
from tests.processes import Child, said
from tests.profiles import PROFILE

PROCESSES = 4
EVENTS = 20_000 if PROFILE.is_thorough else 1_500


@pytest.mark.slow
def test_four_processes_that_seal_lose_nothing_double_nothing_and_skip_nothing(
    store_target: str, processes: ForkServerContext
) -> None:
    create_meter(store_target)
    reader = Child(processes, read_along, store_target)
    # Every one of them sends every event, in an order of its own.
    wanderers = [
        Child(
            processes,
            wander,
            store_target,
            Random(seed).sample(range(EVENTS), EVENTS),
            seed,
        )
        for seed in range(PROCESSES)
    ]

    answers = list(said(*wanderers))
    reader.pipe.send("stop")
    (seen,) = said(reader)

    assert [child.exit_code() for child in (*wanderers, reader)] == [0] * 5
    acknowledged = [each for each in answers if isinstance(each, Acknowledged)]
    segments = sum(each.segments for each in answers if isinstance(each, Sealed))
    assert sum(each.accepted for each in acknowledged) == EVENTS
    assert sum(each.duplicates for each in acknowledged) == (PROCESSES - 1) * EVENTS
    assert seen.positions == EVENTS
    assert seen.changes >= 2
    with open_store(store_target) as store:
        assert_holds(store, range(EVENTS))
        # Four raced, each segment was made once.
        assert len(list(segments_of(store_target).iterdir())) == segments > PROCESSES
        store.seal()
        assert_holds(store, range(EVENTS))
    (directory,) = runs_of(store_target).iterdir()
    assert not list(directory.glob("*.tmp"))
