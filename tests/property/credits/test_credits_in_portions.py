"""A billing run of several commits, and what others do to its customers in between.

After each of its commits a run says how far it is; there the law lets time pass, and
another connection records what changes the grants that the run has read.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import pyarrow as pa
import pytest

import metering
from tests.empty_stores import empty_store
from tests.property.credits.answers import RUN, balances_of
from tests.property.credits.strategies import HOUR, PRICES, START

INVOICES, LINES, CUSTOMERS = 2_000, 3, 40
ROWS_AT_A_TIME = 5_000
# A commit of a run has at most so many rows, none of an invoice that goes on.
PORTION = ROWS_AT_A_TIME // LINES * LINES

Meanwhile = Callable[[metering.Metering, metering.FixedClock], None]


def billing_run() -> pa.Table:
    """Rows of invoices, each customer's own spread over all commits."""
    random = Random(20260304)
    invoices = [number for number in range(INVOICES) for _ in range(LINES)]
    rows = range(len(invoices))
    return pa.table(
        {
            "invoice": [f"in_{number}" for number in invoices],
            "customer": [f"cus_{number * 7 % CUSTOMERS}" for number in invoices],
            "period_end": [START] * len(rows),
            "line": [f"il_{row % LINES}" for row in rows],
            "amount": [random.randint(0, 9) for _ in rows],
            "currency": ["usd"] * len(rows),
            "price": [random.choice([*PRICES, None]) for _ in rows],
        },
        schema=RUN,
    )


def with_grants(store: metering.Metering) -> dict[str, int]:
    """Create grants that last into the second commit; return their numbers by id."""
    random = Random(20260305)
    numbers: dict[str, int] = {}
    for number in range(5 * CUSTOMERS):
        grant = store.credit_grants.create(
            customer=f"cus_{number % CUSTOMERS}",
            amount={
                "type": "monetary",
                "monetary": {"currency": "usd", "value": random.randint(90, 140)},
            },
            applicability_config={
                "scope": {"price_type": "metered"}
                if random.random() < 0.5
                else {"prices": [{"id": random.choice(PRICES)}]}
            },
            priority=random.choice([10, 50]),
            expires_at=random.choice([None, START + HOUR, START + 2 * HOUR]),
        )
        numbers[grant.id] = number
    return numbers


def nothing(_: metering.Metering, __: metering.FixedClock) -> None:
    """Nothing happens in between."""


def time_passes(_: metering.Metering, clock: metering.FixedClock) -> None:
    clock.set(START + HOUR)


def grants_change(store: metering.Metering, _: metering.FixedClock) -> None:
    grants = store.credit_grants.list(limit=100)
    for grant in grants[:30]:
        store.credit_grants.expire(grant.id)
    store.credit_grants.update(grants[30].id, expires_at=START + 9 * HOUR)
    store.credit_grants.create(
        customer="cus_1",
        amount={"type": "monetary", "monetary": {"currency": "usd", "value": 77}},
        applicability_config={"scope": {"price_type": "metered"}},
        priority=0,
    )


def others_draw(store: metering.Metering, _: metering.FixedClock) -> None:
    for customer in range(CUSTOMERS):
        store.credits.apply(
            invoice=f"in_between_{customer}",
            customer=f"cus_{customer}",
            period_end=START,
            lines=[{"id": "il", "amount": 15, "currency": "usd", "price": None}],
        )


def invoices_are_voided(store: metering.Metering, _: metering.FixedClock) -> None:
    for number in range(0, 400, 3):
        store.credits.reinstate(invoice=f"in_{number}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "meanwhile",
    [nothing, time_passes, grants_change, others_draw, invoices_are_voided],
)
def test_a_run_of_several_commits_sees_what_happens_between_them(
    store_target: str, meanwhile: Meanwhile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commit settles by what is recorded before it, as a run of its own would.

    Source: Gray and Reuter, Transaction Processing, 1993: a serial history.
    """
    monkeypatch.setattr(
        "metering.credits.settlement.sources._ROWS_AT_A_TIME", ROWS_AT_A_TIME
    )
    run = billing_run()

    clock = metering.FixedClock(START)
    with empty_store(clock=clock) as store:
        numbers = with_grants(store)
        first = store.credits.apply_many(run.slice(0, PORTION))
        meanwhile(store, clock)
        second = store.credits.apply_many(run.slice(PORTION))
        expected = drawn(first, numbers) + drawn(second, numbers)
        balances = every_balance(store)

    clock = metering.FixedClock(START)
    with (
        metering.connect(store_target, clock=clock) as store,
        metering.connect(store_target, clock=clock) as other,
    ):
        numbers = with_grants(store)
        reached: list[int] = []

        def after_commit(progress: metering.CreditsProgress) -> None:
            reached.append(progress.rows)
            if len(reached) == 1:
                meanwhile(other, clock)

        receipt = store.credits.apply_many(run, progress=after_commit)

        assert reached == [PORTION, run.num_rows]
        assert receipt.applied == INVOICES
        assert drawn(receipt, numbers) == expected
        assert every_balance(other) == balances
        assert store.verify().problems == ()


def drawn(
    receipt: metering.CreditsReceipt, numbers: dict[str, int]
) -> list[tuple[str, str, int, int]]:
    """What was drawn; a grant created in between has the number -1."""
    columns: dict[str, list[Any]] = receipt.transactions.to_pydict()
    return [
        (invoice, line, numbers.get(grant, -1), amount)
        for invoice, line, grant, amount in zip(
            columns["invoice"],
            columns["line"],
            columns["credit_grant"],
            columns["amount"],
            strict=True,
        )
    ]


def every_balance(store: metering.Metering) -> list[object]:
    return [
        balances_of(
            store.credit_balance_summary.retrieve(customer=f"cus_{number}", at=at)
        )
        for number in range(CUSTOMERS)
        for at in (START, START + HOUR, START + 5 * HOUR)
    ]
