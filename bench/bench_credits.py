"""How fast are credits applied to a billing run, and how fast is a balance?

A hundred thousand invoices of three lines over ten thousand customers with five grants
each, from one Arrow table through `apply_many`. Against what a backend writes by hand,
in the same database with the same durability: a database transaction an invoice, which
inserts the invoice, so that it is not paid twice, reads the grants that may pay in their
order, updates them and inserts what was drawn.
On PostgreSQL the peer settles the invoices of some of the customers only, among as many
grants: all would take minutes. Rates are compared, and the draws of these customers.

Then the balance of one customer, after that run and after a long history, against the
same rows. Customers are drawn with a fixed seed, and the median is the p50.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Final

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.credits.billing_run import (
    GRANTS,
    SEED,
    BillingRun,
    Grant,
    Invoice,
    customer_id,
)
from bench.credits.credit_row_tables import Balance, CreditRowTables
from bench.credits.credit_stores import (
    POSTGRESQL,
    SQLITE,
    Places,
    balances_of,
    draws_in,
    grant_all,
    opened,
)
from bench.measures import Parameter, Size, digest, measure, record
from bench.report.targets import (
    CREDIT_ROWS,
    PROJECT,
    TRANSACTION_AN_INVOICE,
    credit_balance_group,
    credits_group,
)

INVOICES: Final = Parameter(smoke=400, full=100_000)
CUSTOMERS: Final = Parameter(smoke=40, full=10_000)
PEER_CUSTOMERS: Final = {
    SQLITE: Parameter(smoke=40, full=10_000),
    POSTGRESQL: Parameter(smoke=20, full=4_000),
}
LONG_HISTORY: Final = Parameter(smoke=100, full=20_000)
ROUNDS: Final = Parameter(smoke=1, full=3)
QUESTIONS: Final = Parameter(smoke=3, full=50)
REPEATS: Final = Parameter(smoke=2, full=10)

Ask = Callable[[str], list[Balance]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A store that holds the grants of a run, and their numbers by id."""

    store: str
    numbers: dict[str, int]


@pytest.fixture(scope="module")
def run(size: Size) -> BillingRun:
    """The run that every contestant settles."""
    return BillingRun(INVOICES.at(size), CUSTOMERS.at(size))


@pytest.fixture(scope="module")
def granted(places: Places, run: BillingRun) -> Granted:
    """A store with the grants of the run."""
    store = places.store()
    return Granted(store=store, numbers=grant_all(store, run.grants))


def test_apply_many(
    benchmark: BenchmarkFixture,
    places: Places,
    granted: Granted,
    run: BillingRun,
    size: Size,
) -> None:
    """Settle the whole run with one call, in a new copy of the store each round."""
    benchmark.group = credits_group(places.name)
    receipts: list[metering.CreditsReceipt] = []
    customers = PEER_CUSTOMERS[places.name].at(size)
    expected = sorted(run.draws_of(customers))
    stacks: list[ExitStack] = []
    # Made here: the first round would time how the run is made, and pyarrow importing
    # pandas for it.
    table = run.table

    def copied() -> tuple[metering.Metering]:
        stacks.append(ExitStack())
        return (stacks[-1].enter_context(opened(places.copy_of(granted.store))),)

    def settled(engine: metering.Metering) -> None:
        receipts.append(engine.credits.apply_many(table))

    def compared(engine: metering.Metering) -> None:
        with stacks.pop():
            assert receipts[-1].applied == run.invoices
            assert receipts[-1].rejected == 0
            assert engine.position == len(run.grants) + run.invoices

    measure(benchmark, settled, setup=copied, teardown=compared, rounds=ROUNDS.at(size))

    for receipt in receipts:
        end = customer_id(customers)
        assert draws_in(receipt.transactions, granted.numbers, end) == expected
    record(
        benchmark,
        PROJECT,
        events=run.invoices,
        digest=digest(expected),
    )


def test_database_transaction_an_invoice(
    benchmark: BenchmarkFixture, places: Places, run: BillingRun, size: Size
) -> None:
    """Settle invoice after invoice by hand."""
    benchmark.group = credits_group(places.name)
    customers = PEER_CUSTOMERS[places.name].at(size)
    invoices = run.invoices_of(customers)
    rows = places.rows()
    rows.insert(run.grants)

    measure(benchmark, lambda: _settle(rows, invoices))

    draws = sorted(rows.draws())
    assert draws == sorted(run.draws_of(customers))
    record(
        benchmark,
        TRANSACTION_AN_INVOICE,
        events=len(invoices),
        digest=digest(draws),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The same balances in a store of this project and in rows."""

    history: str
    run: BillingRun
    engine: metering.Metering
    rows: CreditRowTables

    def ask_project(self, customer: str) -> list[Balance]:
        """Ask this project, through the public door."""
        summary = self.engine.credit_balance_summary.retrieve(customer=customer)
        return balances_of(summary)


@pytest.fixture(scope="module", params=["billing run", "long history"])
def settled(
    request: pytest.FixtureRequest,
    places: Places,
    run: BillingRun,
    size: Size,
) -> Iterator[Settled]:
    """Stores after the run, and after many invoices of one customer."""
    if request.param == "billing run":
        store = places.copy_of(request.getfixturevalue("granted").store)
    else:
        run = BillingRun(LONG_HISTORY.at(size), 1)
        store = places.store()
        grant_all(store, run.grants)
    with opened(store) as engine:
        assert engine.credits.apply_many(run.table).applied == run.invoices
        rows = places.rows()
        rows.insert(_what_is_left(run))
        yield Settled(history=request.param, run=run, engine=engine, rows=rows)


@pytest.mark.parametrize("name", [PROJECT, CREDIT_ROWS])
def test_balance(
    benchmark: BenchmarkFixture,
    places: Places,
    settled: Settled,
    size: Size,
    name: str,
) -> None:
    """Ask for the present balance of one customer."""
    benchmark.group = credit_balance_group(settled.history, places.name)
    random = np.random.default_rng(SEED)
    customers = random.integers(0, settled.run.customers, QUESTIONS.at(size))
    questions = [customer_id(customer) for customer in customers.tolist()]
    ask: Ask = settled.ask_project if name == PROJECT else settled.rows.balance
    asked = cycle(questions)

    measure(
        benchmark,
        ask,
        setup=lambda: (next(asked),),
        rounds=len(questions) * REPEATS.at(size),
        warmup_rounds=len(questions),
    )

    answers = [ask(customer) for customer in questions]
    assert answers == [settled.rows.balance(customer) for customer in questions]
    record(
        benchmark,
        name,
        events=1,
        digest=digest(answers),
    )


def _settle(rows: CreditRowTables, invoices: list[Invoice]) -> None:
    for invoice in invoices:
        rows.apply(invoice)


def _what_is_left(run: BillingRun) -> list[Grant]:
    """The grants of a run, with what its invoices leave of them."""
    left = [grant.amount for grant in run.grants]
    for _, _, grant, amount in run.draws_of(run.customers):
        left[grant] -= amount
    assert len(left) == run.customers * GRANTS
    return [
        replace(grant, amount=amount)
        for grant, amount in zip(run.grants, left, strict=True)
    ]
