"""Statements are made by a process that is killed: each is there wholly, and once."""

from collections.abc import Callable
from datetime import timedelta
from multiprocessing.context import ForkServerContext
from typing import Any

import pytest

import metering
from metering.statements.runs import run as runs
from tests.faults.copying import copied
from tests.faults.dying import killed_at_each_step
from tests.faults.usage import NOW, open_store
from tests.figures import Figures
from tests.metering.statements.usual_statements import priced, tiered, use
from tests.metering.subscriptions.usual_subscriptions import subscribe
from tests.metering.usual_credits import balance, grant

CUSTOMERS = ("cus_1", "cus_3")
START = NOW - timedelta(days=28)

Deed = Callable[[metering.Metering], None]


def run(store: metering.Metering) -> None:
    """Bill everyone, in a commit for each statement."""
    before, runs.STATEMENTS_AT_A_TIME = runs.STATEMENTS_AT_A_TIME, 1
    try:
        assert store.statements.run(period_end=NOW).rejected == 0
    finally:
        runs.STATEMENTS_AT_A_TIME = before


def finalize(store: metering.Metering) -> None:
    ids = [each.id for each in store.prices.list()]
    store.statements.finalize(
        id="st_1", customer="cus_1", prices=ids, start_time=START, end_time=NOW
    )


def void(store: metering.Metering) -> None:
    store.statements.void("st_2")


def stated(store: metering.Metering) -> dict[str, Any]:
    """What the statements say, but for up to where they count."""
    return {
        str(each.id): (
            each.status,
            [(line.id, line.quantity, line.amount, line.tiers) for line in each.lines],
            each.credits,
            each.amount_due,
        )
        for each in store.statements.list(limit=100)
    }


def prepare(target: str) -> None:
    """Subscribe customers a month ago, with credits and usage; state one by hand."""
    with open_store(target, START) as store:
        prices = priced(store), tiered(store)
        for customer in CUSTOMERS:
            subscribe(store, *prices, customer=customer)
            grant(store, 15, customer=customer)
        grant(store, 100, customer="cus_4")
    with open_store(target) as store:
        for number, customer in enumerate((*CUSTOMERS, "cus_4"), 1):
            at = NOW - timedelta(days=1)
            use(store, str(number), customer=customer, timestamp=at)
            use(store, str(number), "calls", customer=customer, timestamp=at)
        ids = [each.id for each in prices]
        store.statements.finalize(
            id="st_2", customer="cus_4", prices=ids, start_time=START, end_time=NOW
        )


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("deed", [run, finalize, void])
def test_a_process_that_makes_statements_can_be_killed_at_every_step(
    store_target: str, processes: ForkServerContext, deed: Deed, figures: Figures
) -> None:
    """A billing run, a statement or its voiding that a kill cut off at any step is repeated: the same statements, no credit drawn twice."""
    prepare(store_target)
    everyone = (*CUSTOMERS, "cus_4")
    with copied(store_target) as target, open_store(target) as store:
        deed(store)
        expected = stated(store), [balance(store, each) for each in everyone]

    for target in killed_at_each_step(
        store_target, deed, processes, figures, steps_min=2
    ):
        with open_store(target) as store:
            for statement_id, said in stated(store).items():
                assert said == expected[0][statement_id] or statement_id == "st_2"
            deed(store)
            found = stated(store), [balance(store, each) for each in everyone]
            assert found == expected
            assert store.verify().problems == ()
