"""A writer of credits is killed at any moment: each invoice is applied wholly or not."""

from collections.abc import Callable
from multiprocessing.context import ForkServerContext

import pytest

import metering
from tests.faults.copying import copied
from tests.faults.credits import (
    CUSTOMER,
    apply,
    apply_many,
    corrected,
    create_grants,
    invoice,
    ledger,
    paid,
    settle,
    total,
)
from tests.faults.dying import killed_again_and_again, killed_at_each_step
from tests.faults.usage import open_store
from tests.figures import Figures
from tests.profiles import PROFILE
from tests.property.credits.answers import invoice_fields, run_of

KILLS = 40 if PROFILE.is_thorough else 8
AMOUNT = 1_000_000

Deed = Callable[[metering.Metering], None]


@pytest.mark.slow
def test_a_killed_process_leaves_each_invoice_wholly_applied_or_not_at_all(
    store_target: str, processes: ForkServerContext, figures: Figures
) -> None:
    """After a kill at any moment, an invoice is applied wholly or not at all.

    What was acknowledged is applied, and the rest can be repeated.
    """
    create_grants(store_target, AMOUNT)
    acknowledged: set[int] = set()

    for _ in killed_again_and_again(
        settle, store_target, processes, acknowledged, figures, kills=KILLS
    ):
        with open_store(store_target) as store:
            assert_whole(store, acknowledged)

    with open_store(store_target) as store:
        known = len(paid(store))
        receipt_ids = apply_many(store, range(known + 100))
        assert_whole(store, set(range(known + 100)))
        assert len(receipt_ids) == len(set(receipt_ids))
        assert store.verify().problems == ()


def apply_one(store: metering.Metering) -> None:
    apply(store, 3)


def apply_a_run(store: metering.Metering) -> None:
    apply_many(store, range(40))


def give_back(store: metering.Metering) -> None:
    store.credits.reinstate(invoice="in_100")


def give_many_back(store: metering.Metering) -> None:
    store.credits.reinstate_many([f"in_{number}" for number in range(90, 110)])


def replace_one(store: metering.Metering) -> None:
    store.credits.apply(**invoice_fields(corrected(100)), replace=True)


def replace_a_run(store: metering.Metering) -> None:
    run = run_of([invoice(3), corrected(100), invoice(4)])
    assert store.credits.apply_many(run, replace=True).rejected == 0


def hold(store: metering.Metering, number: int = 1) -> None:
    usd: metering.MonetaryParams = {"currency": "usd", "value": AMOUNT + 9}
    store.credit_holds.create(
        id=f"job_{number}",
        customer=CUSTOMER,
        amount={"type": "monetary", "monetary": usd},
    )


def settle_a_hold(store: metering.Metering) -> None:
    """Draw what is held and more."""
    store.credit_holds.settle("job_0", amount=2 * AMOUNT, overage="draw")


def standing(store: metering.Metering) -> tuple[object, int]:
    """Balances and the position."""
    summary = store.credit_balance_summary.retrieve(customer=CUSTOMER)
    return summary.balances, store.position


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize(
    "deed",
    [
        apply_one,
        apply_a_run,
        give_back,
        give_many_back,
        replace_one,
        replace_a_run,
        hold,
        settle_a_hold,
    ],
)
def test_a_process_killed_at_any_step_can_do_it_again_once(
    store_target: str, processes: ForkServerContext, deed: Deed, figures: Figures
) -> None:
    """Credits that a kill cut off before any step are done or not, and doing it again completes it."""
    create_grants(store_target, AMOUNT)
    with open_store(store_target) as store:
        apply(store, 100)
        hold(store, 0)
        untouched = standing(store)
    with copied(store_target) as target, open_store(target) as store:
        deed(store)
        expected = standing(store)

    found = untouched
    for target in killed_at_each_step(
        store_target, deed, processes, figures, steps_min=2
    ):
        with open_store(target) as store:
            found = standing(store)
            assert found in {untouched, expected}
            deed(store)
            assert standing(store) == expected
            assert store.verify().problems == ()

    # The last one was not cut off.
    assert found == expected


def assert_whole(store: metering.Metering, acknowledged: set[int]) -> None:
    sums = paid(store)
    numbers = {int(name.removeprefix("in_")) for name in sums}
    assert acknowledged <= numbers
    assert sums == {f"in_{number}": total(number) for number in numbers}
    assert ledger(store) == 3 * AMOUNT - sum(sums.values())
