"""A repair of the log's time is killed at any step: it was not made, or it was made whole."""

from datetime import timedelta
from multiprocessing.context import ForkServerContext

import pytest

import metering
from tests.faults.dying import killed_at_each_step
from tests.faults.usage import NOW, create, create_meter, open_store
from tests.figures import Figures
from tests.metering.usual_credits import balance, grant

DAY = timedelta(days=1)


def repair(store: metering.Metering) -> None:
    store.log_time.repair(NOW)


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_repairs_time_can_be_killed_at_every_step(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    """A kill at any step of a repair of time leaves the wrong time or the right one."""
    create_meter(store_target)
    with open_store(store_target) as store:
        create(store, 0)
        grant(store, 1_000, expires_at=NOW + 30 * DAY)
        store.seal()
    with open_store(store_target, NOW + 365 * DAY) as wrong:
        wrong.meter_events.create(
            event_name="tokens",
            identifier="event-1",
            payload={"stripe_customer_id": "cus_1", "value": "1"},
        )
        grant(wrong, 500)
        wrong.seal()
    made = set()

    for target in killed_at_each_step(
        store_target, repair, processes, figures, steps_min=5
    ):
        with open_store(target) as store:
            position = store.position
            is_made = position == 6
            made.add(is_made)
            left = 1_500 if is_made else 500
            assert balance(store) == {"usd": (left, left)}
            problems = store.verify().problems
            assert all("in the future" in each for each in problems)

            assert store.log_time.repair(NOW).was_wrong != is_made

            assert store.position == 6
            assert balance(store) == {"usd": (1_500, 1_500)}
            assert [each.created for each in store.meter_events.list()] == [NOW, NOW]
            assert store.verify().problems == ()
    assert made == {False, True}
