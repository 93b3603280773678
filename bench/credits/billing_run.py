"""A billing run: customers with prepaid grants, and invoices that draw them down.

Everything follows from a seed. Grants differ in what decides their order: priority,
expiry, category, scope; one in ten is not effective yet, so nobody may draw it. A
customer's invoices come to somewhat more than there is, so that the first are paid by
credits and the last find them used up. They are in no order, as they are finalised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, Literal

import numpy as np
import pyarrow as pa

SEED: Final = 20260401
NOW: Final = datetime(2026, 4, 1, 6, tzinfo=UTC)
PERIOD_END: Final = datetime(2026, 4, 1, tzinfo=UTC)
PRICES: Final = ("price_calls", "price_storage", "price_tokens")
CURRENCIES: Final = ("usd", "eur", "jpy")
LINES: Final = 3
GRANTS: Final = 5

Draw = tuple[int, int, int, int]
"""Invoice, line and grant, by their numbers, and the amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a customer was granted; its number says how many were before."""

    number: int
    customer: str
    currency: str
    amount: int
    prices: tuple[str, ...] | None
    category: Literal["paid", "promotional"]
    priority: int
    effective_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of an invoice, by its place there."""

    number: int
    amount: int
    price: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice of one customer, in one currency."""

    number: int
    customer: str
    currency: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class BillingRun:
    """Invoices over customers, the same whenever the sizes are.

    Attributes:
        invoices: How many there are.
        customers: How many they are spread over, evenly.
    """

    invoices: int
    customers: int

    @cached_property
    def grants(self) -> list[Grant]:
        """Five grants of each customer, in the order they are to be created."""
        random = np.random.default_rng(SEED)
        number = self.customers * GRANTS
        owners = random.permutation(np.repeat(np.arange(self.customers), GRANTS))
        # On average a fifth less than the customer's invoices come to.
        most = 480 * self.invoices // self.customers
        amounts = random.integers(1, most, number)
        priorities = random.choice([10, 50, 50, 90], number)
        lifetimes = random.integers(1, 12, number)
        kinds = random.random((number, 4))
        return [
            Grant(
                number=each,
                customer=customer_id(owner),
                currency=currency_of(owner),
                amount=amount,
                prices=PRICES[each % 2 : each % 2 + 2] if kind[0] < 0.4 else None,
                category="promotional" if kind[1] < 0.3 else "paid",
                priority=priority,
                effective_at=(
                    NOW + timedelta(days=30)
                    if kind[2] < 0.1
                    else NOW - timedelta(days=60)
                ),
                expires_at=(
                    None if kind[3] < 0.4 else NOW + timedelta(days=31 + 30 * lifetime)
                ),
            )
            for each, (owner, amount, priority, lifetime, kind) in enumerate(
                zip(
                    owners.tolist(),
                    amounts.tolist(),
                    priorities.tolist(),
                    lifetimes.tolist(),
                    kinds.tolist(),
                    strict=True,
                )
            )
        ]

    @cached_property
    def table(self) -> pa.Table:
        """The run as `apply_many` takes it: a row a line."""
        invoices = np.repeat(np.arange(self.invoices), LINES)
        owners = np.repeat(self._owners, LINES)
        rows = len(invoices)
        prices = pa.DictionaryArray.from_arrays(
            pa.array(np.tile(np.arange(LINES), self.invoices), pa.int32()),
            pa.array(PRICES),
        )
        return pa.table(
            {
                "invoice": pa.array(map(invoice_id, invoices.tolist()), pa.string()),
                "customer": pa.array(map(customer_id, owners.tolist()), pa.string()),
                "period_end": pa.array(
                    [PERIOD_END] * rows, pa.timestamp("us", tz="UTC")
                ),
                "line": pa.array(
                    map(line_id, np.tile(np.arange(LINES), self.invoices).tolist()),
                    pa.string(),
                ),
                "amount": pa.array(self._amounts, pa.int64()),
                "currency": pa.array(map(currency_of, owners.tolist()), pa.string()),
                "price": prices.cast(pa.string()),
            }
        )

    def invoices_of(self, customers: int) -> list[Invoice]:
        """The invoices of the first customers, in the order of the run."""
        amounts = self._amounts.reshape(-1, LINES).tolist()
        return [
            Invoice(
                number=number,
                customer=customer_id(owner),
                currency=currency_of(owner),
                lines=[
                    Line(number=line, amount=amount, price=PRICES[line])
                    for line, amount in enumerate(amounts[number])
                ],
            )
            for number, owner in enumerate(self._owners.tolist())
            if owner < customers
        ]

    def draws_of(self, customers: int) -> list[Draw]:
        """What the first customers' invoices must draw, worked out in plain loops."""
        order: dict[str, list[Grant]] = {}
        for grant in sorted(self.grants, key=_precedence):
            if grant.effective_at <= PERIOD_END:
                order.setdefault(grant.customer, []).append(grant)
        left = {grant.number: grant.amount for grant in self.grants}
        draws: list[Draw] = []
        for invoice in self.invoices_of(customers):
            for line in invoice.lines:
                due = line.amount
                for grant in order.get(invoice.customer, ()):
                    part = min(due, left[grant.number])
                    if part and (grant.prices is None or line.price in grant.prices):
                        due -= part
                        left[grant.number] -= part
                        draws.append((invoice.number, line.number, grant.number, part))
        return draws

    @cached_property
    def _owners(self) -> np.ndarray:
        random = np.random.default_rng(SEED + 1)
        return random.permutation(np.arange(self.invoices) % self.customers)

    @cached_property
    def _amounts(self) -> np.ndarray:
        return np.random.default_rng(SEED + 2).integers(0, 1_000, self.invoices * LINES)


def customer_id(number: int) -> str:
    """Name a customer."""
    return f"cus_{number:06d}"


def invoice_id(number: int) -> str:
    """Name an invoice."""
    return f"in_{number:08d}"


def line_id(number: int) -> str:
    """Name a line of an invoice."""
    return f"il_{number}"


def currency_of(customer: int) -> str:
    """Return the one currency of a customer."""
    return CURRENCIES[customer % len(CURRENCIES)]


def _precedence(grant: Grant) -> tuple[int, bool, datetime, bool, datetime, int]:
    return (
        grant.priority,
        grant.expires_at is None,
        grant.expires_at or NOW,
        grant.category == "paid",
        grant.effective_at,
        grant.number,
    )
