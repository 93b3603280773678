"""Several processes write to one store, and it is as if one had."""

from multiprocessing.context import ForkServerContext
from random import Random

import pytest

from tests.faults.usage import assert_holds, create_meter, open_store
from tests.faults.writing import read_along, write
from tests.processes import Child, said

WRITERS = 4
EVENTS = 1_500


@pytest.mark.slow
def test_four_processes_lose_nothing_double_nothing_and_no_reader_skips(
    store_target: str, processes: ForkServerContext
) -> None:
    create_meter(store_target)
    reader = Child(processes, read_along, store_target)
    # Every writer sends every event, in an order of its own.
    writers = [
        Child(
            processes,
            write,
            store_target,
            Random(seed).sample(range(EVENTS), EVENTS),
            seed,
        )
        for seed in range(WRITERS)
    ]

    answers = list(said(*writers))
    reader.pipe.send("stop")
    (seen,) = said(reader)

    assert [child.exit_code() for child in (*writers, reader)] == [0] * 5
    assert sum(answer.accepted for answer in answers) == EVENTS
    assert sum(answer.duplicates for answer in answers) == (WRITERS - 1) * EVENTS
    assert seen.positions == EVENTS
    assert seen.changes >= 2
    with open_store(store_target) as store:
        assert_holds(store, range(EVENTS))


@pytest.mark.dialect
@pytest.mark.slow
def test_processes_that_open_a_new_store_at_once_make_one(
    store_target: str, processes: ForkServerContext
) -> None:
    # Without a meter every event is refused: only the opening is raced.
    children = [Child(processes, write, store_target, [], seed) for seed in range(6)]

    assert list(said(*children)) == []

    assert [child.exit_code() for child in children] == [0] * 6
    create_meter(store_target)
    with open_store(store_target) as store:
        assert_holds(store, [])
