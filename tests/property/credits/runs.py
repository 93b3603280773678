"""Own billing runs that laws are tried on: grants, invoices, and what came of them.

Grants go by their number, because two stores name the same grant differently.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st

import metering
from tests.empty_stores import empty_store
from tests.oracles.credits import Balance, CreditsOracle, Invoice, Line, NewGrant
from tests.property.credits.answers import (
    Told,
    balances_of,
    every_transaction,
    grant_fields,
    invoice_fields,
    run_of,
    told,
)
from tests.property.credits.strategies import (
    CUSTOMERS,
    HOUR,
    MICROSECOND,
    PRICES,
    START,
    changed,
    grant_drafts,
    invoice_drafts,
)

Drawn = tuple[str, str, int, int]
"""Invoice, line, number of the grant, and the amount."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Grants that were created at the start, and invoices applied some time later."""

    grants: tuple[NewGrant, ...]
    later: timedelta
    invoices: tuple[Invoice, ...]


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A few invoices, each of another name."""
    drafts = draw(st.lists(invoice_drafts(), min_size=1, max_size=8))
    later = draw(st.sampled_from([timedelta(0), HOUR, HOUR / 2]))
    invoices = tuple(
        draft.at(f"in_{number}", START + later) for number, draft in enumerate(drafts)
    )
    grants = st.lists(grant_drafts(), min_size=1, max_size=6)
    granted = tuple(each.at(START) for each in draw(grants))
    return Run(
        grants=tuple(
            each
            for each in granted
            if (each.expires_at or START + HOUR) > (each.effective_at or START)
        ),
        later=later,
        invoices=tuple(each for each in invoices if len(_currencies(each)) == 1),
    )


@st.composite
def repetitive_runs(draw: st.DrawFn) -> Run:
    """Some invoices come a second time, with other lines or not, and apart."""
    run = draw(runs())
    sent = list(run.invoices)
    places = (
        st.lists(st.integers(0, len(sent) - 1), max_size=3) if sent else st.just([])
    )
    for place in draw(places):
        change = draw(st.sampled_from([None, None, "amount", "customer", "line"]))
        sent.append(sent[place] if change is None else changed(sent[place], change))
    apart = [
        each
        for number, each in enumerate(sent)
        if number == 0 or each.id != sent[number - 1].id
    ]
    return replace(run, invoices=tuple(apart))


def long_run(seed: int) -> Run:
    """Many invoices of few customers, whose lines change scope again and again.

    Grants tie in all but one respect as often as not, and begin and end about where the
    periods do.
    """
    random = Random(seed)
    grants = [_any_grant(random) for _ in range(random.randint(1, 25))]
    invoices = [
        Invoice(
            id=f"in_{number}",
            customer=random.choice(CUSTOMERS),
            period_end=START + random.randint(-3, 4) * HOUR,
            lines=tuple(
                Line(
                    id=f"il_{line}",
                    amount=random.choice([0, 1, 2, random.randint(0, 60)]),
                    currency="usd",
                    price=random.choice([*PRICES, None]),
                )
                for line in range(random.randint(1, 5))
            ),
        )
        for number in range(random.randint(1, 80))
    ]
    later = random.choice([timedelta(0), HOUR - MICROSECOND, HOUR])
    return Run(grants=tuple(grants), later=later, invoices=tuple(invoices))


def _any_grant(random: Random) -> NewGrant:
    effective_at = START + random.randint(-3, 2) * HOUR
    lifetime = random.choice([None, random.randint(1, 3) * HOUR])
    return NewGrant(
        customer=random.choice(CUSTOMERS),
        currency="usd",
        amount=random.choice([random.randint(1, 9), random.randint(1, 400)]),
        prices=random.choice([None, PRICES[:1], PRICES[1:], PRICES[::2]]),
        category=random.choice(["paid", "promotional"]),
        priority=random.choice([10, 50, 50]),
        effective_at=effective_at,
        expires_at=None if lifetime is None else max(effective_at, START) + lifetime,
    )


class Granted:
    """A store in memory with the grants of a run, at the time of its invoices."""

    def __init__(self, store: metering.Metering, numbers: dict[str, int]) -> None:
        self.store = store
        self.numbers = numbers

    def apply(self, invoice: Invoice) -> list[Drawn]:
        answer = self.store.credits.apply(**invoice_fields(invoice))
        return [self._drawn(told(each)) for each in answer]

    def replace(self, invoice: Invoice) -> list[Drawn]:
        answer = self.store.credits.apply(**invoice_fields(invoice), replace=True)
        return [self._drawn(told(each)) for each in answer]

    def apply_many(self, invoices: Sequence[Invoice]) -> list[Drawn]:
        """Apply new invoices at once, all of which are accepted."""
        receipt = self.store.credits.apply_many(run_of(invoices))
        assert receipt.applied == len(invoices)
        assert receipt.repeated == receipt.rejected == 0
        return self.drawn_in(receipt)

    def settled_by_oracle(self, run: Run) -> list[Drawn]:
        """What the invoices must draw, by the naive oracle."""
        oracle = CreditsOracle(unused_at_most=100)
        for grant_id, number in self.numbers.items():
            oracle.create(grant_id, run.grants[number], START)
        return [
            (each.invoice or "", each.line or "", self.numbers[each.grant], each.amount)
            for invoice in run.invoices
            for each in oracle.apply(invoice, START + run.later)
        ]

    def drawn_in(self, receipt: metering.CreditsReceipt) -> list[Drawn]:
        rows: list[dict[str, Any]] = receipt.transactions.to_pylist()
        return [
            (
                row["invoice"],
                row["line"],
                self.numbers[row["credit_grant"]],
                row["amount"],
            )
            for row in rows
        ]

    def balances(self) -> list[list[Balance]]:
        return [
            balances_of(
                self.store.credit_balance_summary.retrieve(
                    customer=customer, at=START + hours * HOUR
                )
            )
            for customer in CUSTOMERS
            for hours in (-1, 0, 0.5, 1, 1.5, 3, 9)
        ]

    def history(self) -> list[tuple[object, ...]]:
        """Everything that happened, without the names that the store chose."""
        return [
            (
                each.kind,
                each.created,
                self.numbers[each.grant],
                each.amount,
                each.invoice,
                each.line,
            )
            for customer in CUSTOMERS
            for each in map(told, every_transaction(self.store, customer=customer))
        ]

    def _drawn(self, each: Told) -> Drawn:
        assert each.invoice is not None
        assert each.line is not None
        return each.invoice, each.line, self.numbers[each.grant], each.amount


@contextmanager
def granted(run: Run) -> Iterator[Granted]:
    """Open a store in memory, create the grants, and let time pass."""
    clock = metering.FixedClock(START)
    with empty_store(clock=clock) as store:
        numbers = {
            store.credit_grants.create(**grant_fields(asked)).id: number
            for number, asked in enumerate(run.grants)
        }
        clock.advance(run.later)
        yield Granted(store, numbers)


def _currencies(invoice: Invoice) -> set[str]:
    return {line.currency for line in invoice.lines}
