"""Own what credits of customers and pools add up to: who has which part of what, in a list.

Time is lived through: at each instant on the way grants expire, then holds, and then what
recurs is granted. What is free of a pot is counted by going through all parts. Nothing is
derived afterwards, and no code is shared with the product. Amounts are of one currency,
instants are hours since a start.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Self

NEVER = 10**9


class RefusedError(Exception):
    """The product must refuse it, with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def refuse_if(condition: object, code: str) -> None:
    if condition:
        raise RefusedError(code)


def code_of(deed: Callable[[], object]) -> str | None:
    """The code with which the oracle refuses something; None where it does it."""
    try:
        deed()
    except RefusedError as error:
        return error.code
    return None


@dataclass(kw_only=True)
class Pot:
    """A grant of a customer or a pool, and what of it is gone for good."""

    name: str
    owner: str
    granted: int
    starts: int
    ends: int | None = None
    price: str | None = None
    priority: int = 50
    is_promotional: bool = False
    number: int = 0
    expired: int = 0
    voided: int = 0
    is_over: bool = False
    was_changed: bool = False

    @property
    def order(self) -> tuple[int, int, bool, int, int]:
        ends = NEVER if self.ends is None else self.ends
        return self.priority, ends, not self.is_promotional, self.starts, self.number


@dataclass(frozen=True, kw_only=True)
class Part:
    """What an invoice of a customer has of a pot, or a hold keeps."""

    pot: str
    customer: str
    by: str
    amount: int
    is_held: bool


Line = tuple[int, str | None]
"""An amount, and the price that it is for."""
Draws = list[tuple[str, int]]
"""Parts of pots, in the order in which they were taken."""


@dataclass(kw_only=True)
class Invoice:
    """What was settled; `lines` is None where a hold was, or a period."""

    customer: str
    period_end: int
    lines: Sequence[Line] | None
    draws: Draws
    is_given_back: bool = False


@dataclass
class Pool:
    """Who shares credits; caps are of a member's own, or None."""

    cap: int | None = None
    members: dict[str, int | None] = field(default_factory=dict)
    is_archived: bool = False


class Wallets:
    """Credits of all customers at an instant that only goes on."""

    def __init__(self) -> None:
        self.now = 0
        self.pots: dict[str, Pot] = {}
        self.parts: list[Part] = []
        self.invoices: dict[str, Invoice] = {}
        self.pools: dict[str, Pool] = {}

    # Time.

    def at(self, instant: int) -> Self:
        """How it will stand at an instant to come, if nothing else happens."""
        future = deepcopy(self)
        future.live_until(instant)
        return future

    def live_until(self, instant: int) -> None:
        while turns := [each for each in self.turns() if self.now < each <= instant]:
            self.now = min(turns)
            self.turn()
        self.now = instant

    def turns(self) -> Iterator[int]:
        """The instants at which something happens by itself, those past among them."""
        for pot in self.pots.values():
            if pot.ends is not None:
                yield pot.ends

    def turn(self) -> None:
        """Let happen what happens now by itself."""
        for pot in self.pots.values():
            if pot.ends == self.now and not pot.is_over:
                self.end(pot)

    # What can be done.

    def grant(self, pot: Pot) -> None:
        pool = self.pools.get(pot.owner)
        refuse_if(pool is not None and pool.is_archived, "credit_pool_archived")
        pot.number = len(self.pots)
        self.pots[pot.name] = pot

    def prolong(self, name: str, ends: int | None) -> None:
        pot = self.pots[name]
        if ends == pot.ends:
            return
        self._check_not_over(pot)
        assert ends is None or ends > max(pot.starts, self.now)
        pot.ends, pot.was_changed = ends, True

    def expire(self, name: str) -> None:
        pot = self.pots[name]
        self._check_not_over(pot)
        pot.ends, pot.was_changed = self.now, True
        self.end(pot)

    def void(self, name: str) -> None:
        pot = self.pots[name]
        self._check_not_over(pot)
        refuse_if(self.taken(pot=name, is_held=False), "credit_grant_applied")
        refuse_if(self.taken(pot=name), "grant_in_use")
        pot.voided, pot.is_over = pot.granted, True

    def apply(
        self,
        name: str,
        customer: str,
        period_end: int,
        lines: Sequence[Line],
        *,
        replace: bool,
    ) -> Draws:
        refuse_if(self.is_of_hold(name), "invoice_is_hold")
        known = self.invoices.get(name)
        if known is not None:
            differs = (known.period_end, known.lines) != (period_end, lines)
            is_others = known.customer != customer
            refuse_if(is_others or (differs and not replace), "invoice_conflict")
            refuse_if(known.is_given_back, "invoice_reinstated")
            if not differs:
                return known.draws
            self.give_back(name)
        self.settle_lines(name, customer, period_end, lines)
        return self.invoices[name].draws

    def settle_lines(
        self, name: str, customer: str, period_end: int, lines: Sequence[Line]
    ) -> None:
        draws: Draws = []
        for amount, price in lines:
            draws += self.take(customer, amount, price, period_end, by=name)
        self.invoices[name] = Invoice(
            customer=customer, period_end=period_end, lines=lines, draws=draws
        )

    def reinstate(self, name: str) -> None:
        refuse_if(name not in self.invoices, "resource_missing")
        if not self.invoices[name].is_given_back:
            self.invoices[name].is_given_back = True
            self.give_back(name)

    def is_of_hold(self, name: str) -> bool:
        """Whether an invoice of the name would be a hold."""
        del name
        return False

    # Pools.

    def join(self, pool_name: str, customer: str, cap: int | None) -> None:
        pool = self.pools[pool_name]
        refuse_if(pool.is_archived, "credit_pool_archived")
        refuse_if(customer in pool.members, "credit_pool_member_exists")
        most = pool.cap if cap is None else cap
        has = self.of_pool(pool_name, customer)
        refuse_if(most is not None and has > most, "credit_pool_cap_exceeded")
        pool.members[customer] = cap

    def leave(self, pool_name: str, customer: str) -> None:
        pool = self.pools[pool_name]
        refuse_if(customer not in pool.members, "credit_pool_member_missing")
        del pool.members[customer]

    def change_cap(self, pool_name: str, cap: int | None) -> None:
        pool = self.pools[pool_name]
        refuse_if(pool.is_archived, "credit_pool_archived")
        have = [
            self.of_pool(pool_name, customer)
            for customer, own in pool.members.items()
            if own is None
        ]
        refuse_if(
            cap is not None and max(have, default=0) > cap, "credit_pool_cap_exceeded"
        )
        pool.cap = cap

    def archive(self, pool_name: str) -> None:
        pool = self.pools[pool_name]
        pool.is_archived, pool.members = True, {}

    def of_pool(self, pool_name: str, customer: str) -> int:
        """What a customer drew and holds of a pool."""
        return sum(
            self.taken(pot=pot.name, customer=customer)
            for pot in self.pots.values()
            if pot.owner == pool_name
        )

    def room(self, pool_name: str, customer: str) -> int:
        """What a customer may still draw of a pool by its cap."""
        pool = self.pools[pool_name]
        if customer not in pool.members:
            return 0
        own = pool.members[customer]
        cap = pool.cap if own is None else own
        return NEVER if cap is None else cap - self.of_pool(pool_name, customer)

    def drawable_of(self, pool_name: str, customer: str) -> int:
        """What a customer could draw of a pool now, for the prices of its grants."""
        free = sum(
            self.free(pot)
            for pot in self.pots.values()
            if pot.owner == pool_name and pot.starts <= self.now
        )
        return min(free, self.room(pool_name, customer))

    # What follows.

    def taken(self, **wanted: object) -> int:
        """What parts come to that are as wanted."""
        return sum(
            part.amount
            for part in self.parts
            if all(getattr(part, name) == value for name, value in wanted.items())
        )

    def free(self, pot: Pot) -> int:
        return pot.granted - pot.expired - pot.voided - self.taken(pot=pot.name)

    def balance(self, owner: str) -> tuple[int, int, int]:
        """Ledger, available and held of what a customer or a pool owns."""
        ledger = available = held = 0
        for pot in self.pots.values():
            if pot.owner == owner:
                kept = self.taken(pot=pot.name, is_held=True)
                ledger += kept + self.free(pot)
                held += kept
                available += self.free(pot) if pot.starts <= self.now else 0
        return ledger, available, held

    def usable(self, customer: str, price: str | None, period_end: int) -> list[Pot]:
        """The pots that a line may draw from, in their order."""
        pots = [
            pot
            for pot in self.pots.values()
            if (pot.owner == customer or self._shares(pot.owner, customer))
            and not pot.is_over
            and pot.starts <= min(self.now, period_end)
            and (pot.ends is None or pot.ends > max(self.now, period_end))
            and pot.price in {None, price}
        ]
        return sorted(pots, key=lambda pot: (pot.owner != customer, *pot.order))

    def drawable(self, customer: str, price: str | None, period_end: int) -> int:
        """What a line could draw at most."""
        sums: dict[str, int] = {}
        for pot in self.usable(customer, price, period_end):
            sums[pot.owner] = sums.get(pot.owner, 0) + self.free(pot)
        return sum(
            free if owner == customer else min(free, self.room(owner, customer))
            for owner, free in sums.items()
        )

    def take(
        self,
        customer: str,
        amount: int,
        price: str | None,
        period_end: int,
        *,
        by: str,
        is_held: bool = False,
    ) -> Draws:
        """Take what there is of an amount."""
        found: Draws = []
        for pot in self.usable(customer, price, period_end):
            part = min(amount, self.free(pot))
            if pot.owner != customer:
                part = min(part, self.room(pot.owner, customer))
            if part > 0:
                amount -= part
                found.append((pot.name, part))
                self.parts.append(
                    Part(
                        pot=pot.name,
                        customer=customer,
                        by=by,
                        amount=part,
                        is_held=is_held,
                    )
                )
        return found

    def give_back(self, by: str, *, is_held: bool = False) -> None:
        """Give back what somebody has; it is gone where its pot is over."""
        for part in [each for each in self.parts if each.by == by]:
            if part.is_held != is_held:
                continue
            self.parts.remove(part)
            pot = self.pots[part.pot]
            if pot.is_over:
                pot.expired += part.amount

    def end(self, pot: Pot) -> None:
        pot.expired += self.free(pot)
        pot.is_over = True

    def check(self) -> None:
        """Nothing is negative, and nobody has more of a pool than may be."""
        for pot in self.pots.values():
            assert self.free(pot) >= 0
            assert not pot.is_over or self.free(pot) == 0
        assert all(part.amount > 0 for part in self.parts)
        for name, pool in self.pools.items():
            assert all(self.room(name, customer) >= 0 for customer in pool.members)

    def _shares(self, owner: str, customer: str) -> bool:
        return owner in self.pools and customer in self.pools[owner].members

    @staticmethod
    def _check_not_over(pot: Pot) -> None:
        refuse_if(pot.voided, "credit_grant_voided")
        refuse_if(pot.is_over, "credit_grant_expired")
