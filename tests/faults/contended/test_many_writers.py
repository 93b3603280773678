"""Several processes write to one store, and it is as if one had."""

from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from random import Random

import pytest

from tests.empty_stores import without_store
from tests.faults.sealing import Sealed, wander
from tests.faults.usage import assert_holds, create_meter, open_store
from tests.faults.writing import Acknowledged, Task, read_along, write
from tests.processes import PATIENCE_SECONDS, Child, said
from tests.profiles import PROFILE
from tests.segment_places import runs_of, segments_of

WRITERS = 4
EVENTS = 20_000 if PROFILE.is_thorough else 800
SENT_BY_MOST = EVENTS * 3 // 4


@pytest.mark.slow
@pytest.mark.parametrize("task", [write, wander])
def test_four_processes_lose_nothing_double_nothing_and_no_reader_skips(
    store_target: str, processes: ForkServerContext, task: Task
) -> None:
    """Whether they only write, or seal, make anew and read between."""
    create_meter(store_target)
    reader = Child(processes, read_along, store_target)

    def writer(seed: int, events: int) -> Child:
        """Send events, in an order of its own."""
        numbers = Random(seed).sample(range(events), events)
        return Child(processes, task, store_target, numbers, seed)

    writers = [writer(seed, SENT_BY_MOST) for seed in range(WRITERS - 1)]
    # However busy the machine is, the reader sees some before it can see all.
    assert reader.pipe.poll(PATIENCE_SECONDS), "the reader hangs"
    reader.pipe.recv()
    writers.append(writer(WRITERS, EVENTS))

    answers = list(said(*writers))
    reader.pipe.send("stop")
    (seen,) = said(reader)

    assert [child.exit_code() for child in (*writers, reader)] == [0] * 5
    acknowledged = [each for each in answers if isinstance(each, Acknowledged)]
    segments = sum(each.segments for each in answers if isinstance(each, Sealed))
    assert sum(each.accepted for each in acknowledged) == EVENTS
    assert sum(each.duplicates for each in acknowledged) == (WRITERS - 1) * SENT_BY_MOST
    assert seen.positions == EVENTS
    assert seen.changes >= 2
    assert segments >= 2 or task is write
    with open_store(store_target) as store:
        assert_holds(store, range(EVENTS))
        # Four raced, each segment was made once.
        assert len(list(segments_of(store_target).glob("*"))) == segments
        store.seal()
        assert_holds(store, range(EVENTS))
    (directory,) = runs_of(store_target).iterdir()
    assert not list(directory.glob("*.tmp"))


@pytest.mark.dialect
@pytest.mark.slow
def test_processes_that_open_a_new_store_at_once_make_one(
    store_target: str, processes: ForkServerContext
) -> None:
    # Without a meter every event is refused: only the opening is raced.
    target = without_store(store_target)
    children = [Child(processes, write, target, [], seed) for seed in range(6)]

    assert list(said(*children)) == []

    assert [child.exit_code() for child in children] == [0] * 6
    create_meter(store_target)
    with open_store(store_target) as store:
        assert_holds(store, [])


@pytest.mark.dialect
@pytest.mark.slow
def test_processes_that_ensure_a_meter_at_once_make_one(
    store_target: str, processes: ForkServerContext
) -> None:
    children = [Child(processes, ensure_meter, store_target) for _ in range(6)]

    meters = list(said(*children))

    assert [child.exit_code() for child in children] == [0] * 6
    with open_store(store_target) as store:
        assert meters == [store.meters.retrieve(event_name="tokens").id] * 6
        assert store.position == 1


def ensure_meter(target: str, pipe: Connection) -> None:
    with open_store(target) as store:
        meter = store.meters.ensure(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        pipe.send(meter.id)
