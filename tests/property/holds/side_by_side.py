"""Own the comparison of holds: a real store and the oracle, call by call."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

import metering
from tests.oracles.holds import HoldsOracle, Pot, code_of
from tests.property.two_connections import TwoConnections

CUSTOMER = "cus_1"
START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATEST = 200
"""No history lasts so many minutes, and no grant or hold ends later."""


@dataclass(frozen=True, kw_only=True)
class Granting:
    """A grant to be made."""

    amount: int
    priority: int = 50
    starts_in: int = 0
    lasts: int | None = None
    price: str | None = None


@dataclass(frozen=True, kw_only=True)
class Settling:
    """How a hold is settled; `number` names one of few settlements, 0 none."""

    amount: int | None = None
    number: int = 0
    final: bool = True
    draw: bool = False


def money(value: int) -> Any:
    return {"type": "monetary", "monetary": {"currency": "usd", "value": value}}


class HoldsSideBySide(TwoConnections):
    """A store and an oracle that have lived through the same calls. Time is in minutes."""

    def __init__(self, target: str) -> None:
        super().__init__(target, START)
        self.oracle = HoldsOracle(0)
        self.grants: list[str] = []
        self.balances: dict[int, tuple[int, int, int]] = {}

    @property
    def minute(self) -> int:
        return (self.now - START) // MINUTE

    def pass_time(self, _connection: int, minutes: int) -> None:
        self.clock.advance(minutes * MINUTE)
        self.oracle.live_until(self.minute)

    def grant(self, connection: int, asked: Granting) -> None:
        starts = self.minute + asked.starts_in
        ends = None if asked.lasts is None else starts + asked.lasts
        scope: Any = {"price_type": "metered"}
        if asked.price is not None:
            scope = {"prices": [{"id": asked.price}]}
        made = self.connections[connection].credit_grants.create(
            customer=CUSTOMER,
            amount=money(asked.amount),
            applicability_config={"scope": scope},
            priority=asked.priority,
            effective_at=_at(starts),
            expires_at=None if ends is None else _at(ends),
        )
        self.grants.append(made.id)
        self.oracle.grant(
            Pot(made.id, asked.amount, asked.priority, starts, ends, price=asked.price)
        )

    def end_grant(self, connection: int, number: int, verb: str) -> None:
        if self.grants:
            grant_id = self.grants[number % len(self.grants)]
            grants = self.connections[connection].credit_grants
            self._same(
                f"grant {verb}",
                lambda: getattr(grants, verb)(grant_id),
                lambda: getattr(self.oracle, verb)(grant_id),
            )

    def hold(
        self,
        connection: int,
        number: int,
        amount: int,
        price: str | None,
        lasts: int,
        *,
        partial: bool,
    ) -> None:
        """Hold, or do it again: a hold of a number always ends at the same time."""
        name = f"job_{number}"
        known = self.oracle.holds.get(name)
        ends = self.minute + lasts if known is None else known.ends
        holds = self.connections[connection].credit_holds
        answer = self._same(
            "hold",
            lambda: holds.create(
                id=name,
                customer=CUSTOMER,
                amount=money(amount),
                price=price,
                expires_at=_at(ends),
                partial=partial,
            ),
            lambda: self.oracle.hold(name, amount, price, ends, partial=partial),
        )
        if answer is not None:
            assert answer.status == "open"
            taken = [(each.credit_grant, each.amount) for each in answer.allocations]
            assert taken == self.oracle.holds[name].taken

    def settle(self, connection: int, number: int, asked: Settling) -> None:
        name = f"job_{number}"
        settlement = f"part_{asked.number}" if asked.number else ""
        final = asked.final or not settlement
        holds = self.connections[connection].credit_holds
        self._same(
            "settle",
            lambda: holds.settle(
                name,
                amount=asked.amount,
                final=final,
                overage="draw" if asked.draw else "refuse",
                settlement=settlement or None,
            ),
            lambda: self.oracle.settle(
                name, asked.amount, settlement, final=final, draw=asked.draw
            ),
        )

    def release(self, connection: int, number: int) -> None:
        name = f"job_{number}"
        self._same(
            "release",
            lambda: self.connections[connection].credit_holds.release(name),
            lambda: self.oracle.release(name),
        )

    def apply(  # what is drawn has names
        self,
        connection: int,
        invoice: str,
        amount: int,
        price: str | None,
        *,
        bulk: bool = False,
    ) -> None:
        """Apply a new invoice, after a preview that must say the same."""
        if invoice in self.oracle.invoices:
            return
        line: Any = {"id": "il", "amount": amount, "currency": "usd", "price": price}
        store = self.connections[connection]
        given: Any = {
            "invoice": invoice,
            "customer": CUSTOMER,
            "period_end": self.now,
            "lines": [line],
        }

        def apply() -> list[tuple[str, int]]:
            previewed = _drawn(store.credits.preview(**given))
            if not bulk:
                assert _drawn(store.credits.apply(**given)) == previewed
                return previewed
            columns = {"line": line["id"], **given, **line}
            names = ("invoice", "customer", "period_end", "line", "amount", "currency")
            table = pa.table(
                {each: [columns[each]] for each in names}
                | {"price": pa.array([price], pa.string())}
            )
            receipt = store.credits.apply_many(table)
            assert receipt.rejected == 0
            return previewed

        answer = self._same(
            "apply", apply, lambda: self.oracle.apply(invoice, amount, price)
        )
        if answer is not None:
            assert answer == self.oracle.invoices[invoice]

    def reinstate(self, connection: int, number: int) -> None:
        names = [*self.oracle.invoices, "in_unknown"]
        name = names[number % len(names)]
        self._same(
            "reinstate",
            lambda: self.connections[connection].credits.reinstate(invoice=name),
            lambda: self.oracle.reinstate(name),
        )

    def compare(self, connection: int) -> None:
        """Compare balances and the states of all holds at the present."""
        store = self.connections[connection]
        self.oracle.check()
        self.balances[self.minute] = self.oracle.balance()
        if self.grants:
            assert balance(store) == self.oracle.balance()
        for name, hold in self.oracle.holds.items():
            shown = store.credit_holds.retrieve(name)
            held = sum(pot.held.get(name, 0) for pot in self.oracle.pots.values())
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

    def compare_everything(self, connection: int) -> None:
        """Compare as well what was, what will be, and where each grant's cents went."""
        self.compare(connection)
        if not self.grants:
            return
        store = self.connections[connection]
        self._compare_times(store)
        transactions = store.credit_balance_transactions
        listed = list(transactions.list(CUSTOMER, limit=3).auto_paging_iter())
        assert len({each.id for each in listed}) == len(listed)
        for name, pot in self.oracle.pots.items():
            page = transactions.list(credit_grant=name, limit=3)
            of_grant = list(page.auto_paging_iter())
            own = [each for each in listed if each.credit_grant == name]
            assert of_grant == own
            sums: Counter[str] = Counter()
            for each in own:
                change = each.credit or each.debit
                assert change is not None
                sums[change.type] += change.amount.monetary.value
            applied = (
                sums["credits_applied"] - sums["credits_application_invoice_voided"]
            )
            assert sums["credits_granted"] == pot.granted
            assert applied == pot.applied
            assert sums["credits_expired"] == pot.expired
            assert sums["credits_voided"] == pot.voided
        for each in listed[:: max(1, len(listed) // 5)]:
            assert transactions.retrieve(each.id) == each

    def _compare_times(self, store: metering.Metering) -> None:
        for minute, was in [*self.balances.items()][:: max(1, len(self.balances) // 6)]:
            assert balance(store, minute) == was
        for minute in (self.minute + 1, self.minute + 7, LATEST):
            assert balance(store, minute) == self.oracle.at(minute).balance()
        rows = store.credit_balance_summary.history(
            customer=CUSTOMER, start_time=START, end_time=_at(self.minute + 1)
        ).to_pylist()
        then: dict[int, tuple[int, int, int]] = {
            (row["instant"] - START) // MINUTE: (
                row["ledger_balance"],
                row["available_balance"],
                row["held_balance"],
            )
            for row in rows
        }
        for minute, was in self.balances.items():
            last = max(each for each in then if each <= minute)
            assert then[last] == was

    def _same(
        self, deed: str, do: Callable[[], Any], tell: Callable[[], object]
    ) -> Any:
        """Do it in the store and tell the oracle, which must refuse it for one reason."""
        code = code_of(tell)
        self.reached[f"{deed}: {code}"] += 1
        answer, refused = None, None
        try:
            answer = do()
        except metering.InvalidRequestError as error:
            refused = error.code
        assert refused == code
        return answer


def balance(
    store: metering.Metering, minute: int | None = None
) -> tuple[int, int, int]:
    """Ledger, available and held."""
    at = None if minute is None else _at(minute)
    found = store.credit_balance_summary.retrieve(customer=CUSTOMER, at=at).balances
    if not found:
        return (0, 0, 0)
    [one] = found
    return (
        one.ledger_balance.monetary.value,
        one.available_balance.monetary.value,
        one.held_balance.monetary.value,
    )


def _at(minute: int) -> datetime:
    return START + minute * MINUTE


def _drawn(
    transactions: list[metering.CreditBalanceTransaction],
) -> list[tuple[str, int]]:
    return [
        (each.credit_grant, each.debit.amount.monetary.value)
        for each in transactions
        if each.debit is not None
    ]
