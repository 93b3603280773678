"""Own the comparison of schedules: a real store and the oracle, call by call."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import metering
from tests.metering.usual_credits import METERED, money
from tests.oracles.holds import code_of
from tests.oracles.schedules import HOUR, Plan, SchedulesOracle
from tests.property.two_connections import TwoConnections

CUSTOMER = "cus_1"
START = datetime(2027, 12, 29, 18, tzinfo=UTC)
"""Some anchors after it are the last days of months, and February has 29."""

Rule = tuple[str, int] | None


@dataclass(frozen=True, kw_only=True)
class Planning:
    """A schedule to be made; its anchor lies so many hours from now."""

    interval: str = "month"
    count: int = 1
    anchor: int = 0
    amount: int = 10
    rollover: Rule = None
    lasts: int | None = None


class SchedulesSideBySide(TwoConnections):
    """A store and an oracle that have lived through the same calls. Time is in hours."""

    def __init__(self, target: str) -> None:
        super().__init__(target, START)
        self.oracle = SchedulesOracle(START)
        self.balances: dict[int, tuple[int, int, int]] = {}

    @property
    def hour(self) -> int:
        return (self.now - START) // HOUR

    def pass_time(self, _connection: int, hours: int) -> None:
        self.clock.advance(hours * HOUR)
        self.oracle.live_until(self.hour)

    def plan(self, connection: int, number: int, asked: Planning) -> None:
        name = f"plan_{number}"
        if name in self.oracle.plans:
            return
        self.connections[connection].credit_schedules.create(
            id=name,
            customer=CUSTOMER,
            amount=money(asked.amount),
            applicability_config=METERED,
            interval=asked.interval,  # type: ignore[arg-type]  # it is drawn from them
            interval_count=asked.count,
            anchor=self.now + asked.anchor * HOUR,
            rollover=_rollover(asked.rollover),
            expires_after=asked.lasts,
        )
        anchor = self.hour + asked.anchor
        self.oracle.schedule(
            Plan(
                name,
                asked.interval,
                asked.count,
                anchor,
                asked.amount,
                asked.rollover,
                asked.lasts,
            )
        )

    def change(self, connection: int, number: int, amount: int, rule: Rule) -> None:
        for plan in self._plan(number):
            schedules = self.connections[connection].credit_schedules
            if plan.canceled:
                return
            schedules.update(plan.name, amount=money(amount), rollover=_rollover(rule))
            plan.amount, plan.rollover = amount, rule

    def turn(self, connection: int, number: int, verb: str) -> None:
        """Pause, resume or cancel."""
        for plan in self._plan(number):
            schedules = self.connections[connection].credit_schedules
            if plan.canceled:
                return
            turned = getattr(schedules, verb)(plan.name)
            plan.paused = verb == "pause" or (verb == "cancel" and plan.paused)
            plan.canceled = verb == "cancel"
            assert (turned.next_grant_at is None) == (plan.paused or plan.canceled)

    def apply(self, connection: int, amount: int) -> None:
        invoice = f"in_{len(self.oracle.invoices)}"
        line: Any = {"id": "il", "amount": amount, "currency": "usd"}
        made = self.connections[connection].credits.apply(
            invoice=invoice, customer=CUSTOMER, period_end=self.now, lines=[line]
        )
        self.oracle.apply(invoice, amount, None)
        drawn = [
            (each.credit_grant, each.debit.amount.monetary.value)
            for each in made
            if each.debit is not None
        ]
        assert drawn == self.oracle.invoices[invoice]

    def reinstate(self, connection: int, number: int) -> None:
        if f"in_{number}" in self.oracle.invoices:
            self.connections[connection].credits.reinstate(invoice=f"in_{number}")
            self.oracle.reinstate(f"in_{number}")

    def hold(self, connection: int, number: int, amount: int, lasts: int) -> None:
        name = f"job_{number}"
        if name in self.oracle.holds:
            return
        holds, ends = self.connections[connection].credit_holds, self.hour + lasts
        self._same(
            lambda: holds.create(
                id=name,
                customer=CUSTOMER,
                amount=money(amount),
                expires_at=START + ends * HOUR,
            ),
            lambda: self.oracle.hold(name, amount, None, ends, partial=False),
        )

    def settle(self, connection: int, number: int, amount: int) -> None:
        name = f"job_{number}"
        holds = self.connections[connection].credit_holds
        self._same(
            lambda: holds.settle(name, amount=amount, overage="draw"),
            lambda: self.oracle.settle(name, amount, "", final=True, draw=True),
        )

    def release(self, connection: int, number: int) -> None:
        name = f"job_{number}"
        holds = self.connections[connection].credit_holds
        self._same(lambda: holds.release(name), lambda: self.oracle.release(name))

    def end_grant(self, connection: int, number: int) -> None:
        """Let a grant expire that may not have been recorded yet."""
        names = list(self.oracle.pots)
        if names:
            name = names[number % len(names)]
            grants = self.connections[connection].credit_grants
            self._same(lambda: grants.expire(name), lambda: self.oracle.expire(name))

    def compare(self, connection: int) -> None:
        """Compare the balance now."""
        self.oracle.check()
        self.balances[self.hour] = self.oracle.balance()
        assert self._balance(connection) == self.oracle.balance()

    def compare_everything(self, connection: int) -> None:
        """Compare each grant, past balances and some to come."""
        self.compare(connection)
        store = self.connections[connection]
        listed = store.credit_grants.list(CUSTOMER, limit=7).auto_paging_iter()
        assert {
            each.id: (each.amount.monetary.value, each.created, each.expires_at)
            for each in listed
        } == {
            pot.name: (
                pot.granted,
                START + pot.starts * HOUR,
                None if pot.ends is None else START + pot.ends * HOUR,
            )
            for pot in self.oracle.pots.values()
        }
        for hour, was in self.balances.items():
            assert self._balance(connection, hour) == was
        for hour in (self.hour + 1, self.hour + 1_000, self.hour + 3_000):
            assert self._balance(connection, hour) == self.oracle.at(hour).balance()
        self._compare_history(store)

    def _compare_history(self, store: metering.Metering) -> None:
        """Compare what was at each hour with what was then."""
        rows = store.credit_balance_summary.history(
            customer=CUSTOMER,
            start_time=START,
            end_time=START + (self.hour + 1) * HOUR,
        ).to_pylist()
        for hour, was in self.balances.items():
            then = [row for row in rows if row["instant"] <= START + hour * HOUR]
            found = (0, 0, 0)
            if then:
                names = ("ledger_balance", "available_balance", "held_balance")
                ledger, available, held = (then[-1][name] for name in names)
                found = ledger, available, held
            assert found == was

    def _balance(
        self, connection: int, hour: int | None = None
    ) -> tuple[int, int, int]:
        at = None if hour is None else START + hour * HOUR
        summary = self.connections[connection].credit_balance_summary
        found = summary.retrieve(customer=CUSTOMER, at=at).balances
        if not found:
            return (0, 0, 0)
        [one] = found
        return (
            one.ledger_balance.monetary.value,
            one.available_balance.monetary.value,
            one.held_balance.monetary.value,
        )

    def _plan(self, number: int) -> list[Plan]:
        """The plan of a number, if it was made."""
        name = f"plan_{number}"
        return [self.oracle.plans[name]] if name in self.oracle.plans else []

    def _same(self, do: Callable[[], object], tell: Callable[[], object]) -> None:
        """Do it in the store and tell the oracle, which must refuse it for one reason."""
        code, refused = code_of(tell), None
        try:
            do()
        except metering.InvalidRequestError as error:
            refused = error.code
        assert refused == code


def _rollover(rule: Rule) -> Any:
    if rule is None:
        return None
    kind, value = rule
    return {"type": kind} if kind == "none" else {"type": kind, kind: value}
