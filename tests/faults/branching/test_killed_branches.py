"""A process that makes a branch is killed at any step: it is there whole, or not at all."""

from multiprocessing.context import ForkServerContext

import pytest

import metering
from tests.faults.dying import die_opening
from tests.faults.usage import create, create_meter, open_store
from tests.figures import Figures
from tests.metering.branching.usual_branches import beside
from tests.metering.usual_credits import balance, grant
from tests.processes import Child, said
from tests.profiles import budget, drawing

_STEPS = 300
"""More than branching takes, most of which create tables."""


def branch(target: str) -> None:
    origin, place = target.split("\n")
    with open_store(origin) as store:
        store.branch(place).close()


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_branches_can_be_killed_at_any_step(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    """A kill at any step of branching leaves a whole branch or none, and the origin."""
    create_meter(store_target)
    with open_store(store_target) as store:
        create(store, 0)
        grant(store, 1_000)
        store.seal()
        create(store, 1)
    draw = drawing("branch")

    for number in range(budget(600)):
        place = beside(store_target, f"branch_{number}")
        step = draw.randrange(1, _STEPS)
        child = Child(processes, die_opening, branch, f"{store_target}\n{place}", step)
        answers = list(said(child))
        assert child.exit_code() == (0 if answers else -9)
        figures.add("kills", 1 - len(answers))

        with open_store(store_target) as store:
            try:
                made = metering.connect(place, create=False)
            except metering.StoreMissingError:
                assert not answers
                made = store.branch(place)
            with made:
                assert made.position == store.position == 4
                assert balance(made) == balance(store)
                assert made.verify().problems == ()
            assert store.verify().problems == ()
