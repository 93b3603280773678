"""A recorder's process is killed: a spool keeps all, a buffer loses no more than it says."""

from functools import partial
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.faults.copying import copied
from tests.faults.dying import killed_again_and_again
from tests.faults.killed.recording import (
    HELD_MAX,
    die_recording,
    record_held,
    record_spooled,
    take_in,
)
from tests.faults.usage import (
    assert_holds,
    create_meter,
    numbers_by_position,
    open_store,
)
from tests.figures import Figures
from tests.processes import Child, said
from tests.profiles import PROFILE, steps

KILLS = 40 if PROFILE.is_thorough else 6
STEPS_MIN = 15


@pytest.mark.slow
def test_what_was_recorded_in_a_spool_is_there_once(
    store_target: str, processes: ForkServerContext, tmp_path: Path, figures: Figures
) -> None:
    """What was recorded in a spool is there once, whenever its process is killed."""
    create_meter(store_target)
    spool = tmp_path / "spool"
    acknowledged: set[int] = set()

    for _ in killed_again_and_again(
        partial(record_spooled, spool=spool),
        store_target,
        processes,
        acknowledged,
        figures,
        kills=KILLS,
    ):
        with open_store(store_target) as store:
            take_in(store, spool)
            kept = set(numbers_by_position(store).values())
            assert acknowledged <= kept
            assert_holds(store, kept)

    assert list(spool.iterdir()) == []


@pytest.mark.slow
def test_a_kill_loses_no_more_than_may_be_held(
    store_target: str, processes: ForkServerContext
) -> None:
    create_meter(store_target)

    for _ in range(2):
        child = Child(processes, record_held, store_target, range(100_000), 0.0)
        recorded = 0
        for answer in said(child):
            recorded += len(answer.numbers)
            if recorded >= 20 * HELD_MAX:
                break
        child.kill()
        recorded += sum(len(answer.numbers) for answer in said(child))
        assert child.exit_code() == -9

        with open_store(store_target) as store:
            kept = set(numbers_by_position(store).values())
            # The last was announced, and perhaps not recorded.
            assert recorded - 1 - HELD_MAX <= len(kept)
            assert_holds(store, range(len(kept)))


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_records_in_a_spool_can_be_killed_at_every_step(
    store_target: str, processes: ForkServerContext, tmp_path: Path, figures: Figures
) -> None:
    """A process that records in a spool can be killed at any step."""
    create_meter(store_target)

    for step in steps():
        spool = tmp_path / f"spool-{step}"
        with copied(store_target) as target:
            child = Child(processes, die_recording, spool, target, step)
            answers = list(said(child))
            is_done = answers[-1:] == ["done"]
            assert child.exit_code() == (0 if is_done else -9)
            acknowledged = {each for each in answers if each != "done"}

            with open_store(target) as store:
                take_in(store, spool)
                kept = set(numbers_by_position(store).values())
                assert acknowledged <= kept
                assert_holds(store, kept)
            assert list(spool.iterdir()) == []
        figures.add("kills", 1 - is_done)
        if is_done:
            assert step > STEPS_MIN, "hardly anything was cut off"
            return
