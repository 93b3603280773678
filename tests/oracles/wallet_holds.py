"""Own holds, and credits that recur, beside the credits of `tests.oracles.wallets`.

What a hold keeps are parts under its name; what its settlements drew are parts under the
names of their invoices.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile

from tests.oracles.periods import starts
from tests.oracles.wallets import (
    NEVER,
    Draws,
    Invoice,
    Part,
    Pot,
    RefusedError,
    Wallets,
    refuse_if,
)

HOUR = timedelta(hours=1)
_FAR = 24 * 800
"""No history goes on for so many hours."""


@dataclass(kw_only=True)
class Hold:
    """A hold, and what became of it; `content` must be the same if it is made again."""

    customer: str
    content: object
    price: str | None
    made: int
    ends: int
    taken: Draws
    is_of_usage: bool = False
    status: str = "open"
    drawn: int = 0
    overdrawn: int = 0
    uncovered: int = 0
    settlements: dict[str, tuple[int, int | None, bool]] = field(default_factory=dict)


Rule = tuple[str, int] | None


@dataclass(kw_only=True)
class Terms:
    """What a plan grants from the next period on."""

    amount: int
    rule: Rule = None
    lasts: int | None = None


@dataclass(kw_only=True)
class Plan:
    """A schedule; `begins` are the hours at which its intervals begin."""

    name: str
    customer: str
    count: int
    begins: list[int]
    terms: Terms
    is_paused: bool = False
    is_canceled: bool = False
    granted: Pot | None = None
    granted_by: Terms | None = None

    def starts_at(self, hour: int) -> bool:
        return hour in self.begins[:: self.count]


class HeldWallets(Wallets):
    """Credits of which some are held, and some recur."""

    def __init__(self, start: datetime) -> None:
        super().__init__()
        self.start = start
        self.holds: dict[str, Hold] = {}
        self.plans: dict[str, Plan] = {}

    # Time.

    def turns(self) -> Iterator[int]:
        yield from super().turns()
        for hold in self.holds.values():
            yield hold.ends
        for plan in self.plans.values():
            yield from plan.begins[:: plan.count]

    def turn(self) -> None:
        left = {
            plan.name: self.free(plan.granted)
            for plan in self.plans.values()
            if plan.granted is not None
        }
        super().turn()
        for name, hold in self.holds.items():
            if hold.ends == self.now and hold.status == "open":
                hold.status = "expired"
                self.give_back(name, is_held=True)
        for plan in self.plans.values():
            self._grant_due(plan, left.get(plan.name, 0))

    # Holds.

    def hold(  # what a hold is has names
        self,
        name: str,
        customer: str,
        amount: int,
        price: str | None,
        ends: int,
        *,
        partial: bool,
    ) -> None:
        content = customer, amount, price, ends, partial
        if self.is_held_already(name, content):
            return
        hold = Hold(
            customer=customer,
            content=content,
            price=price,
            made=self.now,
            ends=ends,
            taken=self.take(customer, amount, price, self.now, by=name, is_held=True),
        )
        self.keep(name, hold, amount, partial=partial)

    def is_held_already(self, name: str, content: object) -> bool:
        """Whether a hold was made before; it is refused if it was another."""
        if name in self.holds:
            refuse_if(self.holds[name].content != content, "hold_conflict")
            return True
        refuse_if(name in self.invoices, "hold_conflict")
        return False

    def keep(self, name: str, hold: Hold, amount: int, *, partial: bool) -> None:
        """Let a hold keep what it has taken, or give it back if it is refused."""
        found = sum(part for _, part in hold.taken)
        try:
            refuse_if(found < amount and not partial, "insufficient_credits")
            self.check_limits(hold.customer, hold.price, found, self.now)
        except RefusedError:
            self.give_back(name, is_held=True)
            raise
        self.holds[name] = hold

    def settle(  # how a hold is settled has names
        self,
        name: str,
        amount: int | None,
        settlement: str,
        *,
        final: bool,
        draw: bool,
        quantity: int | None = None,
    ) -> None:
        refuse_if(name not in self.holds, "resource_missing")
        hold = self.holds[name]
        before = hold.settlements.get(settlement)
        if before is not None:
            asked = amount if quantity is None else None, quantity, final
            pairs = zip(asked, before, strict=True)
            refuse_if(
                any(new is not None and new != old for new, old in pairs),
                "settlement_conflict",
            )
            return
        refuse_if(hold.status != "open", f"hold_{hold.status}")
        left = self.taken(by=name, is_held=True)
        wanted = left if amount is None else amount
        refuse_if(wanted > left and not draw, "exceeds_hold")
        invoice = f"{name}/{settlement}" if settlement else name
        refuse_if(settlement and invoice in self.invoices, "settlement_conflict")
        of_hold = min(wanted, left)
        beyond = self.take(
            hold.customer, wanted - of_hold, hold.price, self.now, by=invoice
        )
        overdrawn = sum(part for _, part in beyond)
        try:
            if overdrawn:
                self.check_limits(hold.customer, hold.price, overdrawn, hold.made)
        except RefusedError:
            self.give_back(invoice)
            raise
        drawn = self._draw_held(name, hold, of_hold, invoice)
        hold.drawn += of_hold
        hold.overdrawn += overdrawn
        hold.uncovered += wanted - of_hold - overdrawn
        hold.settlements[settlement] = wanted, quantity, final
        self.invoices[invoice] = Invoice(
            customer=hold.customer,
            period_end=self.now,
            lines=None,
            draws=[*drawn, *beyond],
        )
        if final:
            hold.status = "settled"
            self.give_back(name, is_held=True)

    def release(self, name: str) -> None:
        refuse_if(name not in self.holds, "resource_missing")
        hold = self.holds[name]
        refuse_if(hold.status == "settled", "hold_settled")
        if hold.status == "open":
            hold.status = "released"
            self.give_back(name, is_held=True)

    def is_of_hold(self, name: str) -> bool:
        return name in self.holds

    def check_limits(
        self, customer: str, price: str | None, amount: int, at: int
    ) -> None:
        """Refuse what would pass a limit, and is not counted yet."""

    def _draw_held(self, name: str, hold: Hold, due: int, invoice: str) -> Draws:
        """Let an invoice have what was held first; the hold keeps what was held last."""
        drawn: Draws = []
        for pot, _ in hold.taken:
            for part in [
                each
                for each in self.parts
                if each.is_held and (each.by, each.pot) == (name, pot)
            ]:
                moved = min(due, part.amount)
                if moved:
                    due -= moved
                    drawn.append((pot, moved))
                    self.parts.remove(part)
                    if part.amount > moved:
                        self.parts.append(replace(part, amount=part.amount - moved))
                    self.parts.append(
                        Part(
                            pot=pot,
                            customer=hold.customer,
                            by=invoice,
                            amount=moved,
                            is_held=False,
                        )
                    )
        return drawn

    # What recurs.

    def plan(  # what a schedule is has names
        self,
        name: str,
        customer: str,
        interval: str,
        count: int,
        anchor: int,
        terms: Terms,
    ) -> None:
        until = self.start + _FAR * HOUR
        begins = [
            (each - self.start) // HOUR
            for each in takewhile(
                lambda each: each < until,
                starts(self.start + anchor * HOUR, interval, 1),
            )
        ]
        made = Plan(
            name=name, customer=customer, count=count, begins=begins, terms=terms
        )
        self.plans[name] = made
        self._grant_due(made, 0)

    def change_plan(self, name: str, verb: str, terms: Terms) -> None:
        refuse_if(name not in self.plans, "resource_missing")
        plan = self.plans[name]
        if verb == "cancel":
            plan.is_canceled = True
            return
        is_same = verb == "update" and plan.terms == terms
        refuse_if(plan.is_canceled and not is_same, "credit_schedule_canceled")
        if verb == "update":
            plan.terms = terms
        else:
            plan.is_paused = verb == "pause"

    def _grant_due(self, plan: Plan, left: int) -> None:
        """Grant what is due at this hour; `left` is what there was just before."""
        if not plan.starts_at(self.now) or plan.is_paused or plan.is_canceled:
            return
        at = plan.begins.index(self.now)
        name = f"credgr_{plan.name}_{at // plan.count}"
        if name in self.pots:
            return
        before, by = plan.granted, plan.granted_by
        is_next = (
            before is not None
            and before.name == f"credgr_{plan.name}_{at // plan.count - 1}"
            and not before.was_changed
            and before.ends == self.now
        )
        if is_next and by is not None and by.rule is not None:
            kind, value = by.rule
            rolled = {"none": 0, "max_amount": min(left, value)}.get(
                kind, left * value // 100
            )
            if rolled:
                rest = replace(by, amount=rolled)
                self._recur(plan, f"{name}_rollover", at, rest)
        plan.granted_by = replace(plan.terms)
        plan.granted = pot = self._recur(plan, name, at, plan.terms)
        if plan.terms.rule is not None:
            end = plan.begins[at + plan.count]
            pot.ends = min(end, NEVER if pot.ends is None else pot.ends)

    def _recur(self, plan: Plan, name: str, at: int, terms: Terms) -> Pot:
        ends = None if terms.lasts is None else plan.begins[at + terms.lasts]
        pot = Pot(
            name=name,
            owner=plan.customer,
            granted=terms.amount,
            starts=self.now,
            ends=ends,
        )
        self.grant(pot)
        return pot
