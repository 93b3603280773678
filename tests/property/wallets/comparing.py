"""Own the comparison of all that can be asked with what the oracle says."""

from collections import Counter

import metering
from tests.oracles.wallets import Pot
from tests.property.wallets.side_by_side import (
    CUSTOMERS,
    POOLS,
    SUBSCRIBERS,
    at,
)
from tests.property.wallets.usage import UsageSideBySide

Sums = tuple[int, int, int]
"""Ledger, available and held."""


class ComparedWallets(UsageSideBySide):
    """A store whose answers are compared with those of the oracle."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.balances: dict[tuple[str, int], Sums] = {}

    def pass_time(self, m: metering.Metering, hours: int) -> None:
        """Let time pass, and keep what was so at its end."""
        for customer in CUSTOMERS:
            self.balances[customer, self.hour] = self.oracle.balance(customer)
        super().pass_time(m, hours)

    def compare(self, number: int) -> None:
        """Compare what is so now: of one customer and pool all, of the others balances."""
        store, self.compared = self.connections[number], self.compared + 1
        self.oracle.check()
        for customer in CUSTOMERS:
            due = self.oracle.balance(customer)
            self.balances[customer, self.hour] = due
            assert balance(store, customer) == due
        customer = CUSTOMERS[self.compared % len(CUSTOMERS)]
        self._compare_usage(store, customer)
        pool = POOLS[self.compared % len(POOLS)]
        shared = store.credit_pools.balance(pool, customer=customer)
        assert _sums(shared.balances) == self.oracle.balance(pool)
        drawable = sum(each.monetary.value for each in shared.drawable)
        assert drawable == self.oracle.drawable_of(pool, customer)

    compared = 0

    def compare_everything(self, number: int) -> None:
        """Compare as well holds and limits, where each cent went, the past, the future."""
        store = self.connections[number]
        for _ in range(len(CUSTOMERS) * len(POOLS)):
            self.compare(number)
        self._compare_holds(store)
        self._compare_limits(store)
        for customer in CUSTOMERS:
            self._compare_grants(store, customer)
            self._compare_past(store, customer)
        for hour in (self.hour + 1, self.hour + 200, self.hour + 2_000):
            future = self.oracle.at(hour)
            for customer in CUSTOMERS:
                assert balance(store, customer, hour) == future.balance(customer)
        for name, pot in self.oracle.pots.items():
            self._compare_transactions(store, name, pot)

    def _compare_usage(self, store: metering.Metering, customer: str) -> None:
        found = store.credit_balance_summary.retrieve(
            customer=customer, include_unbilled_usage=True
        )
        parts = [0, 0, 0]
        for each in found.balances:
            assert each.unbilled_usage is not None
            assert each.uncovered_usage is not None
            amounts = each.available_balance, each.unbilled_usage, each.uncovered_usage
            parts = [each.monetary.value for each in amounts]
        assert tuple(parts) == self.oracle.burned(customer)
        quantity = 1 + self.compared % 5
        price = None if customer in SUBSCRIBERS else self.price
        checked = store.check(
            customer=customer, meter="tokens", quantity=quantity, price=price
        )
        due = self.oracle.checked(customer, quantity)
        assert checked.reason == due.reason
        assert checked.amount.monetary.value == due.amount
        assert checked.remaining.credits.monetary.value == due.remaining

    def _compare_holds(self, store: metering.Metering) -> None:
        for name, hold in self.oracle.holds.items():
            shown = store.credit_holds.retrieve(name)
            held = self.oracle.taken(by=name, is_held=True)
            assert shown.status == hold.status
            assert (
                shown.amount_held.monetary.value,
                shown.amount_drawn.monetary.value,
                shown.amount_overdrawn.monetary.value,
                shown.amount_uncovered.monetary.value,
            ) == (held, hold.drawn, hold.overdrawn, hold.uncovered)
            assert shown.amount_released.monetary.value == (
                sum(amount for _, amount in hold.taken) - hold.drawn - held
            )

    def _compare_limits(self, store: metering.Metering) -> None:
        for name, limit in self.oracle.limits.items():
            shown = store.spend_limits.retrieve(name)
            assert (
                shown.amount_spent.monetary.value,
                shown.amount_held.monetary.value,
                shown.amount_left.monetary.value,
            ) == (
                *self.oracle.spent(limit, self.hour),
                self.oracle.left(limit, self.hour),
            )

    def _compare_grants(self, store: metering.Metering, customer: str) -> None:
        listed = store.credit_grants.list(customer, limit=7).auto_paging_iter()
        assert {
            each.id: (each.amount.monetary.value, each.expires_at) for each in listed
        } == {
            pot.name: (pot.granted, None if pot.ends is None else at(pot.ends))
            for pot in self.oracle.pots.values()
            if pot.owner == customer
        }

    def _compare_past(self, store: metering.Metering, customer: str) -> None:
        was = {
            hour: sums
            for (whose, hour), sums in self.balances.items()
            if whose == customer
        }
        for hour, sums in [*was.items()][:: max(1, len(was) // 4)]:
            assert balance(store, customer, hour) == sums
        rows = store.credit_balance_summary.history(
            customer=customer, start_time=at(0), end_time=at(self.hour + 1)
        ).to_pylist()
        for hour, sums in was.items():
            then = [row for row in rows if row["instant"] <= at(hour)]
            names = ("ledger_balance", "available_balance", "held_balance")
            found = tuple(then[-1][name] for name in names) if then else (0, 0, 0)
            assert found == sums

    def _compare_transactions(
        self, store: metering.Metering, name: str, pot: Pot
    ) -> None:
        """Granted is applied, expired, voided and what is left; each draw names whose."""
        sums: Counter[str] = Counter()
        applied: Counter[str | None] = Counter()
        page = store.credit_balance_transactions.list(credit_grant=name, limit=25)
        for number, each in enumerate(page.auto_paging_iter()):
            change = each.credit or each.debit
            assert change is not None
            value = change.amount.monetary.value
            sums[change.type] += value
            if change.type.startswith("credits_appli"):
                applied[each.member] += value if each.debit else -value
            if number == 0:
                assert store.credit_balance_transactions.retrieve(each.id) == each
        due: Counter[str | None] = Counter()
        for part in self.oracle.parts:
            if part.pot == name and not part.is_held:
                due[part.customer if pot.owner in POOLS else None] += part.amount
        assert sums["credits_granted"] == pot.granted
        assert +applied == due
        assert sums["credits_expired"] == pot.expired
        assert sums["credits_voided"] == pot.voided


def balance(store: metering.Metering, customer: str, hour: int | None = None) -> Sums:
    then = None if hour is None else at(hour)
    found = store.credit_balance_summary.retrieve(customer=customer, at=then)
    return _sums(found.balances)


def _sums(balances: tuple[metering.CreditBalance, ...]) -> Sums:
    if not balances:
        return 0, 0, 0
    [found] = balances
    return (
        found.ledger_balance.monetary.value,
        found.available_balance.monetary.value,
        found.held_balance.monetary.value,
    )
