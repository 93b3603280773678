"""What falls due is recorded by a process that is killed: each grant once, none missing."""

from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerContext

import pytest

import metering
from metering.store import scheduled_credits
from tests.faults.copying import copied
from tests.faults.dying import killed_at_each_step
from tests.faults.usage import open_store
from tests.figures import Figures
from tests.metering.holds.usual_holds import balances, hold
from tests.metering.schedules.usual_schedules import granted, schedule
from tests.metering.usual_credits import apply, line
from tests.metering.usual_usage import NOW

START = datetime(2026, 1, 20, tzinfo=UTC)


def spend(store: metering.Metering) -> None:
    """Draw from what fell due, after it was recorded nine grants at a time."""
    before = scheduled_credits.GRANTS_AT_A_TIME
    scheduled_credits.GRANTS_AT_A_TIME = 9
    try:
        apply(store, "in_2", line(7))
    finally:
        scheduled_credits.GRANTS_AT_A_TIME = before


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_records_what_is_due_can_be_killed_at_every_step(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    """What a kill left unrecorded is recorded by the next that looks, as of its instant; nothing is granted or rolled over twice."""
    with open_store(store_target, START) as store:
        rollover = {"type": "percent", "percent": 50}
        schedule(store, 10, interval="week", rollover=rollover, expires_after=3)
        schedule(store, 4, "other", interval="week", anchor=START + timedelta(days=2))
        hold(store, 5, expires_at=START + timedelta(days=25))
    with copied(store_target) as target, open_store(target) as store:
        spend(store)
        expected = granted(store), balances(store)
    assert len(expected[0]) == 17

    for target in killed_at_each_step(
        store_target, spend, processes, figures, steps_min=5
    ):
        with open_store(target) as store:
            spend(store)
            assert (granted(store), balances(store)) == expected
            past = NOW - timedelta(days=9)
            assert balances(store, at=past)[0] > 0
            assert store.verify().problems == ()
