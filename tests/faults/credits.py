"""Own the grants and invoices of the fault tests, and what a store of them must hold.

Invoice n is the same whoever applies it and however often. As long as there is credit,
each of its lines is paid in full: an invoice that is paid in part was torn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection
from random import Random

import metering
from tests.faults.usage import NOW, open_store
from tests.oracles.credits import CreditsOracle, Invoice, Line, NewGrant
from tests.property.credits.answers import (
    Told,
    balances_of,
    every_transaction,
    invoice_fields,
    run_of,
    told,
)

CUSTOMER = "cus_1"
_PRIORITIES = (70, 10, 40)
_SIZES = (1, 20)
_WEIGHTS = (3, 1)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """Invoices that a call to the store has answered for, and the ids it told."""

    numbers: Sequence[int]
    transactions: Sequence[str]


def create_grants(target: str, amount: int) -> dict[str, NewGrant]:
    """Give the customer three grants of an amount each; return them by id."""
    made = {}
    with open_store(target) as store:
        for priority in _PRIORITIES:
            asked = NewGrant(
                customer=CUSTOMER,
                currency="usd",
                amount=amount,
                priority=priority,
                effective_at=NOW - timedelta(hours=1),
            )
            grant = store.credit_grants.create(
                customer=CUSTOMER,
                amount={
                    "type": "monetary",
                    "monetary": {"currency": "usd", "value": amount},
                },
                applicability_config={"scope": {"price_type": "metered"}},
                priority=priority,
                effective_at=asked.effective_at,
            )
            made[grant.id] = asked
    return made


def invoice(number: int) -> Invoice:
    return Invoice(
        id=f"in_{number}",
        customer=CUSTOMER,
        period_end=NOW - timedelta(seconds=number % 3 - 1),
        lines=tuple(
            Line(id=f"il_{line}", amount=1 + (number + line) % 7, currency="usd")
            for line in range(3)
        ),
    )


def corrected(number: int) -> Invoice:
    """The invoice with other lines, of which the store is to have one or the other."""
    asked = invoice(number)
    return replace(asked, lines=(replace(asked.lines[0], amount=11), *asked.lines[2:]))


def total(number: int) -> int:
    return sum(line.amount for line in invoice(number).lines)


def settle(target: str, numbers: Sequence[int], seed: float, pipe: Connection) -> None:
    """Apply invoices in their order, one by one and in runs, as a seed decides."""
    generator = Random(seed)
    with open_store(target) as store:
        start = 0
        while start < len(numbers):
            (size,) = generator.choices(_SIZES, _WEIGHTS)
            part = numbers[start : start + size]
            ids = apply(store, part[0]) if size == 1 else apply_many(store, part)
            pipe.send(Settled(numbers=part, transactions=ids))
            start += size


def correct(target: str, numbers: Sequence[int], seed: float, pipe: Connection) -> None:
    """Replace invoices by what is right, one by one and in runs, as a seed decides."""
    generator = Random(seed)
    with open_store(target) as store:
        start = 0
        while start < len(numbers):
            (size,) = generator.choices(_SIZES, _WEIGHTS)
            part = numbers[start : start + size]
            right = [corrected(number) for number in part]
            if size == 1:
                fields = invoice_fields(right[0])
                ids = [each.id for each in store.credits.apply(**fields, replace=True)]
            else:
                receipt = store.credits.apply_many(run_of(right), replace=True)
                assert receipt.replaced + receipt.repeated == len(part)
                ids = receipt.transactions["id"].to_pylist()
            pipe.send(Settled(numbers=part, transactions=ids))
            start += size


def apply(store: metering.Metering, number: int) -> list[str]:
    """Apply one invoice, and tell the ids of its transactions."""
    asked = invoice(number)
    answer = store.credits.apply(**invoice_fields(asked))
    return [transaction.id for transaction in answer]


def apply_many(store: metering.Metering, numbers: Sequence[int]) -> list[str]:
    """Apply some invoices at once, and tell the ids of their transactions."""
    receipt = store.credits.apply_many(run_of([invoice(n) for n in numbers]))
    assert receipt.rejected == 0
    assert receipt.applied + receipt.repeated == len(numbers)
    ids: list[str] = receipt.transactions["id"].to_pylist()
    return ids


def drawn(store: metering.Metering) -> list[Told]:
    """Everything that invoices drew, in the order of the log."""
    history = [told(each) for each in every_transaction(store, customer=CUSTOMER)]
    return [each for each in reversed(history) if each.kind == "applied"]


def ids_of_draws(store: metering.Metering) -> list[str]:
    history = every_transaction(store, customer=CUSTOMER)
    return [each.id for each in reversed(history) if each.type == "debit"]


def paid(store: metering.Metering) -> dict[str, int]:
    """What each invoice drew, those left out that drew nothing."""
    sums: dict[str, int] = {}
    for each in drawn(store):
        assert each.invoice is not None
        sums[each.invoice] = sums.get(each.invoice, 0) + each.amount
    return sums


def ledger(store: metering.Metering) -> int:
    summary = store.credit_balance_summary.retrieve(customer=CUSTOMER)
    [(_, left, available)] = balances_of(summary)
    assert left == available
    return left


def as_if_one_had(
    grants: dict[str, NewGrant], names: Iterable[str | None]
) -> list[Told]:
    """What one process would have drawn that applied these invoices in this order."""
    oracle = CreditsOracle(unused_at_most=100)
    for grant_id, asked in grants.items():
        oracle.create(grant_id, asked, NOW)
    movements = [
        movement
        for name in dict.fromkeys(names)
        if name is not None
        for movement in oracle.apply(invoice(int(name.removeprefix("in_"))), NOW)
    ]
    return [
        Told(
            kind=each.kind,
            created=each.instant,
            grant=each.grant,
            currency="usd",
            amount=each.amount,
            invoice=each.invoice,
            line=each.line,
        )
        for each in movements
    ]
