"""Own the histories of alerts on what unbilled usage leaves: deeds, and who expects what.

What is left is asked of the library, which another oracle compares. What must trigger is
said by two numbers a customer, what is left with usage and without, after each deed.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

import metering
from tests.metering.holds.usual_holds import hold
from tests.metering.statements.usual_statements import priced
from tests.metering.subscriptions.usual_subscriptions import subscribe
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import cancel_event, create_event
from tests.property.two_connections import (
    UPKEEP,
    TwoConnections,
    Upkeep,
    change_alert,
    filters_of,
)

NOW = datetime(2026, 1, 10, tzinfo=UTC)
CUSTOMERS = ("cus_1", "cus_2")
MONTH, DAY = timedelta(days=31), timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something that is done to a customer, an alert or the store, by one number."""

    verb: str
    customer: int
    amount: int


@dataclass(kw_only=True)
class SeenAlert:
    """An alert, and how a customer stands with it: armed or fallen, in its period."""

    alert_id: str
    lte: int
    customer: str | None
    is_active: bool = True
    armed: set[str] = field(default_factory=set)
    fallen: set[str] = field(default_factory=set)
    looked_at: set[str] = field(default_factory=set)


_CHANGING = ["use", "use", "use", "grant", "grant", "hold", "release", "cancel", "void"]
_DEEDS = st.builds(
    Deed,
    verb=st.sampled_from(
        [*_CHANGING, *_CHANGING, "watch", "toggle", "bill", "unbill", "wait"]
    ),
    customer=st.integers(0, 1),
    amount=st.integers(1, 9),
)


@st.composite
def burn_down_histories(draw: st.DrawFn) -> list[tuple[int, Deed | Upkeep]]:
    """Draw a history that begins with credits and an alert."""
    deeds: list[Deed | Upkeep] = [
        Deed(verb="grant", customer=0, amount=draw(st.integers(3, 9))),
        Deed(verb="watch", customer=1, amount=draw(st.integers(1, 5))),
    ]
    deeds += draw(
        st.lists(st.one_of(_DEEDS, _DEEDS, _DEEDS, UPKEEP), min_size=8, max_size=22)
    )
    return [(draw(st.integers(0, 1)), deed) for deed in deeds]


class LivedOnUsage(TwoConnections):
    """A store that lives through a history, and what must have triggered in it."""

    def __init__(self, target: str) -> None:
        super().__init__(target, NOW, seal_events=None)
        self.due: list[tuple[str, str]] = []
        self._alerts: list[SeenAlert] = []
        self._events: list[tuple[str, str]] = []
        self._grants: list[tuple[str, str]] = []
        self._statements: list[tuple[str, str]] = []
        self._holds: list[tuple[str, str, datetime]] = []
        self._hold_count = 0
        m = self.connections[0]
        price = priced(m)
        for customer in CUSTOMERS:
            subscribe(m, price, customer=customer)

    def act(self, number: int, deed: Deed) -> None:
        m, customer = self.connections[number], CUSTOMERS[deed.customer]
        # What time brings about is seen by whoever evaluates then.
        if deed.verb in {"wait", "bill"}:
            m.catch_up()
        touched: set[str] = set()
        if not self._has_any(deed.verb):
            return
        with suppress(metering.InvalidRequestError, metering.ResourceMissingError):
            touched = getattr(self, f"_{deed.verb}")(m, customer, deed.amount)
            self.reached[deed.verb] += 1
        if deed.verb in {"wait", "bill"}:
            m.catch_up()
        self._compare(m, touched)

    def found(self, number: int) -> list[tuple[str, str]]:
        """What has triggered, by one connection, in the order of the log."""
        triggered = self.connections[number].alerts.triggered()
        return [(each.alert.id, each.customer) for each in triggered]

    def _has_any(self, verb: str) -> bool:
        """Whether there is what a deed is done to."""
        of = {
            "release": self._holds,
            "cancel": self._events,
            "void": self._grants,
            "toggle": self._alerts,
            "unbill": self._statements,
        }
        return verb not in of or bool(of[verb])

    def _compare(self, m: metering.Metering, touched: set[str]) -> None:
        """Follow how the customers stand after a deed.

        A customer with whom nothing happened since an alert was created is not looked at.
        """
        for customer in CUSTOMERS:
            ledger = _left(m, customer, include_unbilled_usage=False)
            left = _left(m, customer, include_unbilled_usage=True)
            for alert in self._alerts:
                if not alert.is_active or alert.customer not in {None, customer}:
                    continue
                if customer in touched:
                    alert.looked_at.add(customer)
                if left > alert.lte:
                    alert.fallen.discard(customer)
                if ledger > alert.lte:
                    alert.armed.add(customer)
                is_armed = customer in (alert.armed & alert.looked_at) - alert.fallen
                if is_armed and left <= alert.lte:
                    alert.fallen.add(customer)
                    self.due.append((alert.alert_id, customer))

    def _use(self, m: metering.Metering, customer: str, amount: int) -> set[str]:
        payload = {"stripe_customer_id": customer, "value": str(amount)}
        self._events.append((create_event(m, payload=payload).identifier, customer))
        return {customer}

    def _grant(self, m: metering.Metering, customer: str, amount: int) -> set[str]:
        self._grants.append((grant(m, 10 * amount, customer=customer).id, customer))
        return {customer}

    def _hold(self, m: metering.Metering, customer: str, amount: int) -> set[str]:
        self._hold_count += 1
        name, until = f"job_{self._hold_count}", self.now + 3 * DAY
        hold(m, 10 * amount, name, customer=customer, expires_at=until)
        self._holds.append((name, customer, until))
        return {customer}

    def _release(self, m: metering.Metering, _: str, amount: int) -> set[str]:
        held = self._holds.pop(-amount % len(self._holds))
        m.credit_holds.release(held[0])
        return {held[1]}

    def _cancel(self, m: metering.Metering, _: str, amount: int) -> set[str]:
        identifier, customer = self._events[-amount % len(self._events)]
        cancel_event(m, identifier)
        return {customer}

    def _void(self, m: metering.Metering, _: str, amount: int) -> set[str]:
        grant_id, customer = self._grants[-amount % len(self._grants)]
        m.credit_grants.void(grant_id)
        return {customer}

    def _watch(self, m: metering.Metering, _: str, amount: int) -> set[str]:
        customer = [None, *CUSTOMERS][amount % 3]
        money: Any = {"currency": "usd", "value": 10 * amount}
        threshold: Any = {
            "lte": {"balance_type": "monetary", "monetary": money},
            "include_unbilled_usage": True,
            **filters_of(customer),
        }
        made = m.alerts.create(
            title="Few",
            alert_type="credit_balance_threshold",
            credit_balance_threshold=threshold,
        )
        alert = SeenAlert(alert_id=made.id, lte=10 * amount, customer=customer)
        self._begin(m, alert)
        self._alerts.append(alert)
        return set()

    def _toggle(self, m: metering.Metering, _: str, amount: int) -> set[str]:
        alert = self._alerts[amount % len(self._alerts)]
        verb = "deactivate" if alert.is_active else "activate"
        assert change_alert(m, alert.alert_id, verb)
        alert.is_active = not alert.is_active
        if alert.is_active:
            self._begin(m, alert)
        return set()

    def _begin(self, m: metering.Metering, alert: SeenAlert) -> None:
        alert.fallen, alert.looked_at = set(), set()
        alert.armed = {
            customer
            for customer in CUSTOMERS
            if _left(m, customer, include_unbilled_usage=False) > alert.lte
        }

    def _bill(self, m: metering.Metering, _: str, amount: int) -> set[str]:
        end = (self.now.replace(day=1) + MONTH).replace(day=1)
        self.clock.set(max(end, self.now))
        made = m.statements.run(period_end=end).statements
        billed = made["customer"].to_pylist()
        self._statements += zip(made["id"].to_pylist(), billed, strict=True)
        return {*billed} | self._over()

    def _unbill(self, m: metering.Metering, _: str, amount: int) -> set[str]:
        statement, customer = self._statements.pop(-amount % len(self._statements))
        m.statements.void(statement)
        return {customer}

    def _wait(self, _m: metering.Metering, _: str, amount: int) -> set[str]:
        self.clock.advance(timedelta(days=amount))
        return self._over()

    def _over(self) -> set[str]:
        """Whose holds have expired."""
        ended = {customer for _, customer, until in self._holds if until <= self.now}
        self._holds = [each for each in self._holds if each[2] > self.now]
        return ended


def _left(m: metering.Metering, customer: str, **given: Any) -> int:
    """What is available in dollars; below every threshold where there are no credits."""
    summary = m.credit_balance_summary.retrieve(customer=customer, **given)
    found = [
        each.available_balance.monetary.value
        for each in summary.balances
        if each.available_balance.monetary.currency == "usd"
    ]
    return found[0] if found else -1
