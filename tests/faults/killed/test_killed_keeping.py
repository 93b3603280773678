"""A process that keeps small commits as columns is killed: the next one begins as well."""

from collections.abc import Iterator
from multiprocessing.context import ForkServerContext

import pytest

import metering
from tests.conftest import StoreTargets
from tests.faults.copying import copied
from tests.faults.dying import die_writing, killed_at_each_step
from tests.faults.usage import assert_holds, create, create_meter, open_store
from tests.figures import Figures
from tests.processes import Child, said
from tests.profiles import PROFILE
from tests.segment_places import runs_of

EVENTS = 520


@pytest.fixture(scope="module")
def many_small_commits(store_targets: StoreTargets) -> Iterator[str]:
    """A store of single events, none of which is kept."""
    with store_targets() as target:
        create_meter(target)
        with open_store(target) as store:
            for number in range(EVENTS):
                create(store, number)
        for path in runs_of(target).rglob("passage-*"):
            path.unlink()
        yield target


def keep(store: metering.Metering) -> None:
    """Take everything in, and keep it."""
    store.catch_up()
    store.close()


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_can_be_killed_at_every_step(
    many_small_commits: str, processes: ForkServerContext, figures: Figures
) -> None:
    """A kill while small commits are kept as columns costs the next process nothing."""
    for target in killed_at_each_step(
        many_small_commits, keep, processes, figures, steps_min=2
    ):
        assert_begins_as_well(target)


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_can_be_killed_while_it_writes_a_file(
    many_small_commits: str, processes: ForkServerContext, figures: Figures
) -> None:
    """A kill in the middle of a file of small commits costs the next process nothing."""
    deaths = 0
    for kilobytes in range(0, 64, 4 if PROFILE.is_thorough else 16):
        with copied(many_small_commits) as target:
            child = Child(processes, die_writing, keep, target, kilobytes << 10)
            answers = list(said(child))

            assert child.exit_code() == 0 if answers else -25
            deaths += not answers
            assert_begins_as_well(target)

    figures.add("kills", deaths)
    assert deaths > 0


def assert_begins_as_well(target: str) -> None:
    for _ in range(2):
        with open_store(target) as store:
            assert_holds(store, range(EVENTS))
            assert store.verify().ok
            assert create(store, 7).duplicate
    assert len(list(runs_of(target).rglob("passage-*"))) == 1
    assert list(runs_of(target).rglob(".passage-*.tmp")) == []
