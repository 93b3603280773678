"""Own the histories of alerts on credits: what may happen, and how it is lived through.

Two connections act in turn, and time goes on between; what takes which position is told
to the oracle, which does not know when anything was caught up with.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

import metering
from tests.metering.usual_credits import METERED, money
from tests.oracles.credit_alerts import (
    CreditAlertOracle,
    Fall,
    Moment,
    SeenCreditAlert,
    SeenGrant,
)
from tests.property.two_connections import (
    CHANGES,
    UPKEEP,
    Change,
    TwoConnections,
    Upkeep,
    change_alert,
    filters_of,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEVER: Moment = (2**63, 0)
CURRENCIES = ("usd", "eur")


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Credits: minutes until they begin, and for how many they last; 0 is for ever."""

    customer: int
    currency: int
    amount: int
    begins: int
    lasts: int


@dataclass(frozen=True, kw_only=True)
class Bill:
    """Apply credits, of one customer or, as a billing run, of both."""

    customer: int
    currency: int
    amount: int
    both: bool


@dataclass(frozen=True, kw_only=True)
class Undo:
    """Reinstate one of the last invoices."""

    back: int


@dataclass(frozen=True, kw_only=True)
class Redo:
    """Settle one of the last invoices anew, for another amount."""

    back: int
    amount: int


@dataclass(frozen=True, kw_only=True)
class End:
    """Expire, void or postpone a grant, if that is allowed."""

    back: int
    verb: str
    minutes: int


@dataclass(frozen=True, kw_only=True)
class Watch:
    lte: int
    currency: int
    customer: int | None


@dataclass(frozen=True, kw_only=True)
class Wait:
    minutes: int


Deed = Grant | Bill | Undo | Redo | End | Watch | Change | Wait
History = list[tuple[int, Deed | Upkeep]]
"""The number of a connection, and what it does."""

_CUSTOMER = st.integers(0, 1)
_CURRENCY = st.sampled_from([0, 0, 0, 1])
_WATCHES = st.builds(
    Watch,
    lte=st.integers(0, 6),
    currency=_CURRENCY,
    customer=st.sampled_from([None, None, 0, 1]),
)
_GRANTS = st.builds(
    Grant,
    customer=_CUSTOMER,
    currency=_CURRENCY,
    amount=st.integers(1, 9),
    begins=st.sampled_from([-2, 0, 0, 0, 1, 3]),
    lasts=st.sampled_from([0, 1, 2, 3, 5]),
)
_BILLS = st.builds(
    Bill,
    customer=_CUSTOMER,
    currency=_CURRENCY,
    amount=st.integers(1, 7),
    both=st.booleans(),
)
_DEEDS = st.one_of(
    _GRANTS,
    _GRANTS,
    _BILLS,
    _BILLS,
    st.builds(Undo, back=st.integers(0, 3)),
    st.builds(Redo, back=st.integers(0, 3), amount=st.integers(0, 7)),
    st.builds(
        End,
        back=st.integers(0, 3),
        verb=st.sampled_from(["expire", "void", "postpone"]),
        minutes=st.integers(1, 4),
    ),
    _WATCHES,
    CHANGES,
    st.builds(Wait, minutes=st.integers(1, 3)),
    st.builds(Wait, minutes=st.integers(1, 3)),
    UPKEEP,
)


@st.composite
def credit_alert_histories(draw: st.DrawFn) -> History:
    """Draw a history that begins with an alert and a grant."""
    deeds: list[Deed | Upkeep] = [draw(_WATCHES), draw(_GRANTS)]
    deeds += draw(st.lists(_DEEDS, min_size=6, max_size=24))
    return [(draw(st.integers(0, 1)), deed) for deed in deeds]


class LivedOnCredits(TwoConnections):
    """A store and an oracle that have lived through the same history."""

    def __init__(self, target: str) -> None:
        super().__init__(target, NOW, seal_events=None, alerts_max=1000)
        self.oracle = CreditAlertOracle()
        self._alerts: list[str] = []
        self._grants: dict[str, SeenGrant] = {}
        self._invoices: list[dict[str, Any]] = []

    def act(self, number: int, deed: Deed) -> None:
        m = self.connections[number]
        match deed:
            case Grant():
                self._grant(m, deed)
            case Bill():
                self._bill(m, deed)
            case Undo() | Redo():
                self._correct(m, deed)
            case End():
                self._end(m, deed)
            case Watch():
                self._watch(m, deed)
            case Change():
                self._change(m, deed)
            case Wait():
                self.clock.advance(timedelta(minutes=deed.minutes))

    def due(self) -> list[Fall]:
        """What must have triggered by now."""
        return self.oracle.due(_microseconds(self.now))

    def found(self, number: int) -> list[Fall]:
        """What has triggered, by one connection, in the order of the log."""
        return [
            Fall(
                (_microseconds(each.timestamp), each.event_position or 0),
                self._alerts.index(each.alert.id),
                each.customer,
                int(each.value),
            )
            for each in self.connections[number].alerts.triggered()
        ]

    def _moment(self, m: metering.Metering, back: int = 0) -> Moment:
        return _microseconds(self.now), m.position - back

    def _grant(self, m: metering.Metering, deed: Grant) -> None:
        start = self.now + timedelta(minutes=deed.begins)
        end = max(start, self.now) + timedelta(minutes=deed.lasts)
        made = m.credit_grants.create(
            customer=f"cus_{deed.customer}",
            amount=money(deed.amount, CURRENCIES[deed.currency]),
            applicability_config=METERED,
            effective_at=start,
            expires_at=end if deed.lasts else None,
        )
        seen = SeenGrant(
            customer=f"cus_{deed.customer}",
            currency=CURRENCIES[deed.currency],
            amount=deed.amount,
            effective_at=_microseconds(start),
            created=self._moment(m),
            expiries=[(self._moment(m), _microseconds(end))] if deed.lasts else [],
        )
        self.oracle.grants.append(seen)
        self._grants[made.id] = seen

    def _bill(self, m: metering.Metering, deed: Bill) -> None:
        customers = [0, 1] if deed.both else [deed.customer]
        for customer in customers:
            line = {"amount": deed.amount, "currency": CURRENCIES[deed.currency]}
            invoice: dict[str, Any] = {
                "invoice": f"in_{len(self._invoices)}",
                "customer": f"cus_{customer}",
                "period_end": self.now,
                "lines": [{"id": "il_1", **line}],
            }
            drawn = m.credits.apply(**invoice)
            self._invoices.append(invoice)
            self._note(m, drawn)

    def _correct(self, m: metering.Metering, deed: Undo | Redo) -> None:
        if deed.back >= len(self._invoices):
            return
        if isinstance(deed, Redo):
            self._redo(m, deed)
        else:
            self._undo(m, deed.back)

    def _undo(self, m: metering.Metering, back: int) -> None:
        invoice, before = self._invoices[-1 - back]["invoice"], m.position
        given_back = m.credits.reinstate(invoice=invoice)
        if m.position > before:
            self._note(m, given_back)

    def _redo(self, m: metering.Metering, deed: Redo) -> None:
        """Give back at one position what the invoice holds, and draw at the next."""
        invoice, before = self._invoices[-1 - deed.back], m.position
        [line] = invoice["lines"]
        right = {**invoice, "lines": [{**line, "amount": deed.amount}]}
        try:
            held = m.credits.apply(**invoice)
            drawn = m.credits.apply(**right, replace=True)
        except metering.InvalidRequestError:
            return
        self._invoices[-1 - deed.back] = right
        if m.position > before:
            for each in held:
                assert each.debit is not None
                amount = each.debit.amount.monetary.value
                seen = self._grants[each.credit_grant]
                seen.draws.append((self._moment(m, back=1), -amount))
            self._note(m, drawn)

    def _note(
        self,
        m: metering.Metering,
        transactions: list[metering.CreditBalanceTransaction],
    ) -> None:
        for each in transactions:
            seen = self._grants[each.credit_grant]
            if each.debit is not None and each.debit.type == "credits_applied":
                amount = each.debit.amount.monetary.value
            elif each.credit is not None:
                amount = -each.credit.amount.monetary.value
            else:
                # What is given back to a grant that is over is not available.
                continue
            seen.draws.append((self._moment(m), amount))

    def _end(self, m: metering.Metering, deed: End) -> None:
        if deed.back >= len(self._grants):
            return
        grant_id = list(self._grants)[-1 - deed.back]
        seen, before = self._grants[grant_id], m.position
        try:
            if deed.verb == "postpone":
                minutes = timedelta(minutes=deed.minutes)
                made = m.credit_grants.update(grant_id, expires_at=self.now + minutes)
                assert made.expires_at is not None
                if m.position > before:
                    expiry = _microseconds(made.expires_at)
                    seen.expiries.append((self._moment(m), expiry))
            else:
                getattr(m.credit_grants, deed.verb)(grant_id)
                if m.position > before:
                    seen.ended = self._moment(m)
        except metering.InvalidRequestError:
            return

    def _watch(self, m: metering.Metering, deed: Watch) -> None:
        customer = None if deed.customer is None else f"cus_{deed.customer}"
        currency = CURRENCIES[deed.currency]
        monetary = {"currency": currency, "value": deed.lte}
        threshold: Any = {
            "lte": {"balance_type": "monetary", "monetary": monetary},
            **filters_of(customer),
        }
        alert = m.alerts.create(
            title="An alert",
            alert_type="credit_balance_threshold",
            credit_balance_threshold=threshold,
        )
        self.oracle.alerts.append(
            SeenCreditAlert(
                lte=deed.lte,
                currency=currency,
                customer=customer,
                periods=[[self._moment(m), NEVER]],
            )
        )
        self._alerts.append(alert.id)

    def _change(self, m: metering.Metering, deed: Change) -> None:
        is_known = deed.alert < len(self._alerts)
        if not is_known or not change_alert(m, self._alerts[deed.alert], deed.verb):
            return
        periods = self.oracle.alerts[deed.alert].periods
        if periods[-1][1] == NEVER:
            periods[-1][1] = self._moment(m)
        if deed.verb == "activate":
            periods.append([self._moment(m), NEVER])


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
