"""A test clock is advanced by a process that is killed: whoever goes on ends the same."""

from datetime import UTC, datetime
from multiprocessing.context import ForkServerContext
from typing import NamedTuple

import pytest

import metering
from tests.faults.copying import copied
from tests.faults.dying import killed_at_each_step
from tests.faults.usage import open_store
from tests.figures import Figures
from tests.metering.holds.usual_holds import hold
from tests.metering.schedules.usual_schedules import schedule
from tests.metering.subscriptions.usual_subscriptions import subscribe
from tests.metering.usual_credits import grant

START = datetime(2030, 1, 1, tzinfo=UTC)
END = datetime(2030, 2, 10, tzinfo=UTC)


class Seen(NamedTuple):
    """What a store says of its clock and customer."""

    clock: metering.TestClock
    told: list[tuple[str, datetime]]
    moved: list[tuple[datetime, str]]


def prepare(store: metering.Metering) -> None:
    """A customer of whom something of every kind falls due."""
    clock = store.test_clocks.create(frozen_time=START)
    customer = store.customers.create(test_clock=clock.id).id
    schedule(store, 10, customer=customer, expires_after=1)
    grant(store, 5, customer=customer, expires_at=datetime(2030, 1, 20, tzinfo=UTC))
    hold(store, 3, customer=customer, expires_at=datetime(2030, 1, 15, tzinfo=UTC))
    subscribe(store, customer=customer, cancel_at=datetime(2030, 1, 25, tzinfo=UTC))
    store.alerts.create(
        title="Low",
        alert_type="credit_balance_threshold",
        credit_balance_threshold={
            "lte": {
                "balance_type": "monetary",
                "monetary": {"currency": "usd", "value": 10},
            }
        },
    )


def advance(store: metering.Metering) -> None:
    """Advance the clock, unless another process did."""
    [clock] = store.test_clocks.list()
    if clock.status == "ready" and clock.frozen_time < END:
        store.test_clocks.advance(clock.id, frozen_time=END)
    store.deliver()


def seen(store: metering.Metering) -> Seen:
    [clock] = store.test_clocks.list()
    [customer] = store.customers.list(test_clock=clock.id)
    events = store.events.list(limit=100)
    moved = store.credit_balance_transactions.list(customer=customer.id, limit=100)
    return Seen(
        clock,
        [
            (each.type, each.created)
            for each in events
            if not each.type.startswith("test_helpers.")
        ],
        [(each.created, each.type) for each in moved],
    )


@pytest.mark.slow
@pytest.mark.sweep
def test_a_process_that_advances_a_clock_can_be_killed_at_every_step(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    """Each of what falls due is recorded once, at its instant, whoever goes on, and the clock is ready in the end."""
    with open_store(store_target) as store:
        prepare(store)
    with copied(store_target) as target, open_store(target) as store:
        advance(store)
        expected = seen(store)
    assert expected.clock.status == "ready"
    assert expected.clock.frozen_time == END
    assert len(expected.told) > 15

    for target in killed_at_each_step(
        store_target, advance, processes, figures, steps_min=10
    ):
        with open_store(target) as store:
            advance(store)
            assert seen(store) == expected
            assert store.verify().problems == ()
