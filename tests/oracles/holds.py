"""Own what credits, invoices and holds of one customer add up to, in lists and loops.

Time is lived through: at each instant on the way grants expire, and then holds. Nothing
is derived afterwards, and no code is shared with the product. Amounts are of one
currency, instants are whole numbers.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field


class RefusedError(Exception):
    """The product must refuse it, with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Pot:
    """A grant, and where each of its cents is."""

    name: str
    granted: int
    priority: int
    starts: int
    ends: int | None
    price: str | None
    free: int = 0
    applied: int = 0
    expired: int = 0
    voided: int = 0
    held: dict[str, int] = field(default_factory=dict)
    is_over: bool = False


@dataclass
class Reserved:
    """A hold, and what became of it."""

    name: str
    asked: int
    price: str | None
    partial: bool
    ends: int
    taken: list[tuple[str, int]]
    status: str = "open"
    drawn: int = 0
    overdrawn: int = 0
    uncovered: int = 0
    settlements: dict[str, tuple[int, bool]] = field(default_factory=dict)


class HoldsOracle:
    """One customer's credits at an instant that only goes on."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.pots: dict[str, Pot] = {}
        self.holds: dict[str, Reserved] = {}
        self.invoices: dict[str, list[tuple[str, int]]] = {}
        self.given_back: set[str] = set()

    def at(self, instant: int) -> "HoldsOracle":
        """How it will stand at an instant to come, if nothing else happens."""
        future = deepcopy(self)
        future.live_until(instant)
        return future

    def live_until(self, instant: int) -> None:
        ends = [
            *(each.ends for each in self.pots.values() if each.ends is not None),
            *(each.ends for each in self.holds.values()),
        ]
        for end in sorted({each for each in ends if self.now < each <= instant}):
            self.now = end
            for pot in self.pots.values():
                if pot.ends == end and not pot.is_over:
                    self._end(pot)
            for hold in self.holds.values():
                if hold.ends == end and hold.status == "open":
                    hold.status = "expired"
                    self._return(hold)
        self.now = instant

    def balance(self) -> tuple[int, int, int]:
        """Ledger, available, held."""
        available = sum(
            pot.free for pot in self.pots.values() if pot.starts <= self.now
        )
        held = sum(sum(pot.held.values()) for pot in self.pots.values())
        pending = sum(pot.free for pot in self.pots.values() if pot.starts > self.now)
        return available + held + pending, available, held

    def grant(self, pot: Pot) -> None:
        pot.free = pot.granted
        self.pots[pot.name] = pot

    def expire(self, name: str) -> None:
        pot = self.pots[name]
        self._check_not_over(pot)
        pot.ends = self.now
        self._end(pot)

    def void(self, name: str) -> None:
        pot = self.pots[name]
        self._check_not_over(pot)
        if pot.applied:
            raise RefusedError("credit_grant_applied")
        if pot.held:
            raise RefusedError("grant_in_use")
        pot.voided, pot.free, pot.is_over = pot.granted, 0, True
        pot.ends = None

    def hold(
        self, name: str, amount: int, price: str | None, ends: int, *, partial: bool
    ) -> None:
        known = self.holds.get(name)
        if known is not None:
            now = (amount, price, ends, partial)
            if (known.asked, known.price, known.ends, known.partial) != now:
                raise RefusedError("hold_conflict")
            return
        if name in self.invoices:
            raise RefusedError("hold_conflict")
        pots = self._usable(price)
        if sum(pot.free for pot in pots) < amount and not partial:
            raise RefusedError("insufficient_credits")
        taken = self._take(pots, amount)
        for pot, part in taken:
            pot.held[name] = part
        named = [(pot.name, part) for pot, part in taken]
        self.holds[name] = Reserved(name, amount, price, partial, ends, named)

    def settle(
        self, name: str, amount: int | None, settlement: str, *, final: bool, draw: bool
    ) -> None:
        hold = self._known(name)
        before = hold.settlements.get(settlement)
        if before is not None:
            if before != (before[0] if amount is None else amount, final):
                raise RefusedError("settlement_conflict")
            return
        self._check_open(hold)
        left = sum(pot.held.get(name, 0) for pot in self.pots.values())
        wanted = left if amount is None else amount
        if wanted > left and not draw:
            raise RefusedError("exceeds_hold")
        invoice = f"{name}/{settlement}" if settlement else name
        if settlement and invoice in self.invoices:
            raise RefusedError("settlement_conflict")
        hold.drawn += min(wanted, left)
        drawn = self._draw_held(hold, min(wanted, left))
        beyond = 0
        for pot, part in self._take(self._usable(hold.price), wanted - left):
            pot.applied += part
            drawn[pot.name] = drawn.get(pot.name, 0) + part
            beyond += part
        hold.overdrawn += beyond
        hold.uncovered += max(wanted - left, 0) - beyond
        hold.settlements[settlement] = (wanted, final)
        self.invoices[invoice] = list(drawn.items())
        if final:
            hold.status = "settled"
            self._return(hold)

    def release(self, name: str) -> None:
        hold = self._known(name)
        if hold.status in {"released", "expired"}:
            return
        self._check_open(hold)
        hold.status = "released"
        self._return(hold)

    def apply(self, invoice: str, amount: int, price: str | None) -> None:
        if invoice in self.holds:
            raise RefusedError("invoice_is_hold")
        assert invoice not in self.invoices
        taken = self._take(self._usable(price), amount)
        for pot, part in taken:
            pot.applied += part
        self.invoices[invoice] = [(pot.name, part) for pot, part in taken]

    def reinstate(self, invoice: str) -> None:
        if invoice not in self.invoices:
            raise RefusedError("resource_missing")
        if invoice in self.given_back:
            return
        self.given_back.add(invoice)
        for name, part in self.invoices[invoice]:
            self.pots[name].applied -= part
            self._give_back(self.pots[name], part)

    def check(self) -> None:
        """Every cent is somewhere, and nowhere twice."""
        for pot in self.pots.values():
            parts = (pot.free, pot.applied, pot.expired, pot.voided, *pot.held.values())
            assert min(parts) >= 0
            assert sum(parts) == pot.granted

    def _draw_held(self, hold: Reserved, due: int) -> dict[str, int]:
        drawn: dict[str, int] = {}
        for pot_name, _ in hold.taken:
            pot = self.pots[pot_name]
            part = min(due, pot.held.get(hold.name, 0))
            self._unhold(pot, hold.name, part)
            pot.applied += part
            due -= part
            if part:
                drawn[pot_name] = part
        return drawn

    def _usable(self, price: str | None) -> list[Pot]:
        never = 10**30
        usable = [
            pot
            for pot in self.pots.values()
            if pot.starts <= self.now
            and not pot.is_over
            and (pot.price is None or pot.price == price)
        ]
        return sorted(
            usable,
            key=lambda pot: (
                pot.priority,
                never if pot.ends is None else pot.ends,
                pot.starts,
            ),
        )

    def _take(self, pots: Iterable[Pot], amount: int) -> list[tuple[Pot, int]]:
        taken = []
        for pot in pots:
            part = min(max(amount, 0), pot.free)
            pot.free -= part
            amount -= part
            if part:
                taken.append((pot, part))
        return taken

    def _end(self, pot: Pot) -> None:
        pot.is_over = True
        pot.expired += pot.free
        pot.free = 0

    def _give_back(self, pot: Pot, amount: int) -> None:
        if pot.is_over:
            pot.expired += amount
        else:
            pot.free += amount

    def _return(self, hold: Reserved) -> None:
        for pot in self.pots.values():
            part = pot.held.get(hold.name, 0)
            self._unhold(pot, hold.name, part)
            self._give_back(pot, part)

    def _unhold(self, pot: Pot, name: str, amount: int) -> None:
        left = pot.held.pop(name, 0) - amount
        if left:
            pot.held[name] = left

    def _known(self, name: str) -> Reserved:
        if name not in self.holds:
            raise RefusedError("resource_missing")
        return self.holds[name]

    def _check_open(self, hold: Reserved) -> None:
        if hold.status != "open":
            raise RefusedError(f"hold_{hold.status}")

    def _check_not_over(self, pot: Pot) -> None:
        if pot.voided:
            raise RefusedError("credit_grant_voided")
        if pot.is_over:
            raise RefusedError("credit_grant_expired")


Deed = Callable[[], object]


def code_of(deed: Deed) -> str | None:
    """The code with which the oracle refuses something; None where it does it."""
    try:
        deed()
    except RefusedError as error:
        return error.code
    return None
