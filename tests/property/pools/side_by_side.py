"""Own the comparison of pools: a real store and the oracle, call by call."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import metering
from tests.metering.usual_credits import METERED, money, run
from tests.oracles.pools import PoolsOracle, Source
from tests.property.two_connections import TwoConnections

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CUSTOMERS = ("ada", "bob", "cleo")
POOLS = ("crew", "team")


Wanted = dict[str, tuple[str, int]]
"""Customers and amounts of invoices."""
Drawn = Counter[tuple[str, str]]
"""What invoices drew of grants."""


@dataclass(frozen=True, kw_only=True)
class Granting:
    """A grant to a customer or a pool."""

    owner: str
    cents: int
    priority: int = 50
    lasts: int | None = None


class PoolsSideBySide(TwoConnections):
    """A store and an oracle that have lived through the same calls. Time is in minutes."""

    def __init__(self, target: str) -> None:
        super().__init__(target, START)
        self.oracle = PoolsOracle(caps=dict.fromkeys(POOLS))
        self.grants: dict[str, str] = {}
        self.voided: set[str] = set()
        self.names: dict[int, str] = {}
        for pool in POOLS:
            self.connections[0].credit_pools.create(id=pool)

    def act(self, number: int, deed: tuple[str, dict[str, Any]]) -> None:
        name, given = deed
        getattr(self, name)(self.connections[number], **given)
        self.compare(1 - number)

    def outcome(self, kind: str, act: Callable[[], object], due: str | None) -> None:
        code = None
        try:
            act()
        except metering.InvalidRequestError as error:
            code = error.code
        assert code == due, kind
        self.reached[f"{kind}: {code}"] += 1

    def pass_time(self, _: metering.Metering, minutes: int) -> None:
        self.clock.advance(minutes * MINUTE)
        self.oracle.pass_time(minutes)

    def grant(self, m: metering.Metering, asked: Granting) -> None:
        ends = None if asked.lasts is None else self.oracle.minute + asked.lasts
        is_pooled = asked.owner in POOLS
        made = m.credit_grants.create(
            customer=None if is_pooled else asked.owner,
            pool=asked.owner if is_pooled else None,
            amount=money(asked.cents),
            applicability_config=METERED,
            priority=asked.priority,
            expires_at=None if ends is None else START + ends * MINUTE,
        )
        name = f"grant {len(self.grants)}"
        self.grants[made.id] = name
        self.oracle.sources.append(
            Source(
                name=name,
                owner=asked.owner,
                cents=asked.cents,
                priority=asked.priority,
                ends=ends,
            )
        )

    def join(
        self, m: metering.Metering, pool: str, customer: str, cap: int | None
    ) -> None:
        amount = None if cap is None else money(cap)
        self.outcome(
            "join",
            lambda: m.credit_pools.add_member(pool, customer=customer, cap=amount),
            self.oracle.join(pool, customer, cap),
        )

    def leave(self, m: metering.Metering, pool: str, customer: str) -> None:
        self.outcome(
            "leave",
            lambda: m.credit_pools.remove_member(pool, customer=customer),
            self.oracle.leave(pool, customer),
        )

    def change_cap(self, m: metering.Metering, pool: str, cap: int | None) -> None:
        amount = None if cap is None else money(cap)
        self.outcome(
            "cap",
            lambda: m.credit_pools.update(pool, cap=amount),
            self.oracle.change_cap(pool, cap),
        )

    def hold(
        self, m: metering.Metering, number: int, customer: str, cents: int, lasts: int
    ) -> None:
        name = f"job_{number}.{self.reached[f'job_{number}']}"
        if name in self.oracle.holds:
            return
        due = self.oracle.hold(name, customer, cents, lasts)
        expires_at = self.now + lasts * MINUTE
        self.outcome(
            "hold",
            lambda: m.credit_holds.create(
                id=name, customer=customer, amount=money(cents), expires_at=expires_at
            ),
            due,
        )
        self.names[number] = name
        self.reached[f"job_{number}"] += due is None

    def settle(
        self, m: metering.Metering, number: int, cents: int, *, beyond: bool
    ) -> None:
        name = self.names.get(number, "")
        if name in self.oracle.holds:
            self.outcome(
                "settle",
                lambda: m.credit_holds.settle(
                    name, amount=cents, overage="draw" if beyond else "refuse"
                ),
                self.oracle.settle(name, cents, beyond=beyond),
            )

    def release(self, m: metering.Metering, number: int) -> None:
        name = self.names.get(number, "")
        if self.oracle.holds.pop(name, None):
            self.oracle.let_go(name)
            m.credit_holds.release(name)
            self.reached["released"] += 1

    def apply(
        self,
        m: metering.Metering,
        lines: list[tuple[int, str, int]],
        *,
        is_bulk: bool,
    ) -> None:
        """Settle invoices, or settle them anew, one by one or as a billing run."""
        wanted: Wanted = {}
        for number, customer, cents in lines:
            invoice = f"in_{number}"
            if invoice in self.voided:
                continue
            whose = self.oracle.invoices.get(invoice, (customer, 0, 0))[0]
            wanted.setdefault(invoice, (whose, cents))
        due: Drawn = Counter()
        for invoice, (customer, cents) in wanted.items():
            self.reached["replaced"] += invoice in self.oracle.invoices
            found = self.oracle.apply(invoice, customer, cents)
            due.update((invoice, source) for source in found)
        made = (self._run if is_bulk else self._apply)(m, wanted)
        assert made == due
        self.reached["bulk" if is_bulk else "one by one"] += bool(due)

    def _run(self, m: metering.Metering, wanted: Wanted) -> Drawn:
        made: Drawn = Counter()
        if wanted:
            receipt = m.credits.apply_many(
                run(
                    *(
                        {
                            "invoice": invoice,
                            "customer": customer,
                            "amount": cents,
                            "period_end": self.now,
                        }
                        for invoice, (customer, cents) in wanted.items()
                    )
                ),
                replace=True,
            )
            assert receipt.rejected == 0
            for row in receipt.transactions.to_pylist():
                made[row["invoice"], self.grants[row["credit_grant"]]] += row["amount"]
        return made

    def _apply(self, m: metering.Metering, wanted: Wanted) -> Drawn:
        made: Drawn = Counter()
        for invoice, (customer, cents) in wanted.items():
            for each in self._applied(m, invoice, customer, cents):
                assert each.member in {None, customer}
                assert each.debit is not None
                amount = each.debit.amount.monetary.value
                made[invoice, self.grants[each.credit_grant]] += amount
        return made

    def _applied(
        self, m: metering.Metering, invoice: str, customer: str, cents: int
    ) -> list[metering.CreditBalanceTransaction]:
        line: Any = {
            "id": "il_1",
            "amount": cents,
            "currency": "usd",
            "price": "price_1",
        }
        return m.credits.apply(
            invoice=invoice,
            customer=customer,
            period_end=self.now,
            lines=[line],
            replace=True,
        )

    def void(self, m: metering.Metering, number: int) -> None:
        """Void an invoice; no other takes its id."""
        invoice = f"in_{number}"
        if self.oracle.invoices.get(invoice):
            m.credits.reinstate(invoice=invoice)
            self.oracle.let_go(invoice)
            del self.oracle.invoices[invoice]
            self.voided.add(invoice)
            self.reached["voided"] += 1

    def compare(self, number: int) -> None:
        """Compare all balances."""
        m = self.connections[number]
        for pool in POOLS:
            for customer in CUSTOMERS:
                found = m.credit_pools.balance(pool, customer=customer)
                assert _sums(found.balances) == self.oracle.balance(pool)
                drawable = sum(each.monetary.value for each in found.drawable)
                assert drawable == self.oracle.drawable(pool, customer)
        for customer in CUSTOMERS:
            summary = m.credit_balance_summary.retrieve(customer=customer)
            assert _sums(summary.balances) == self.oracle.balance(customer)

    def compare_grants(self) -> None:
        """Compare what each member has drawn of each grant, by transactions."""
        m = self.connections[0]
        for grant_id, name in self.grants.items():
            sums: Counter[str | None] = Counter()
            left = 0
            page = m.credit_balance_transactions.list(credit_grant=grant_id, limit=100)
            for each in page.auto_paging_iter():
                change = each.credit or each.debit
                assert change is not None
                value = change.amount.monetary.value
                left += value if each.credit else -value
                if change.type in {
                    "credits_applied",
                    "credits_application_invoice_voided",
                }:
                    sums[each.member] += -value if each.credit else value
            source = next(its for its in self.oracle.sources if its.name == name)
            due: Counter[str | None] = Counter()
            kept = 0
            for cent in self.oracle.taken:
                if cent.source == name and not cent.is_held:
                    due[cent.customer if source.owner in POOLS else None] += 1
                kept += cent.source == name and cent.is_held
            assert +sums == due
            assert left == self.oracle.free(source) + kept


def _sums(balances: tuple[metering.CreditBalance, ...]) -> tuple[int, int, int]:
    if not balances:
        return 0, 0, 0
    [found] = balances
    return (
        found.ledger_balance.monetary.value,
        found.available_balance.monetary.value,
        found.held_balance.monetary.value,
    )
