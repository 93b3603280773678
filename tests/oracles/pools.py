"""Own a naive model of pools: who took which cent of what, in one list.

A cent that is drawn or held is a `Taken`; nothing is summed up and kept. All that is
asked is counted by going through the list.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Source:
    """A grant. Its owner is a customer or a pool; it ends at a minute, None is never."""

    name: str
    owner: str
    cents: int
    priority: int
    ends: int | None


@dataclass(frozen=True)
class Taken:
    """A cent of a source that a customer's invoice has, or a hold keeps."""

    source: str
    customer: str
    by: str
    is_held: bool


@dataclass
class PoolsOracle:
    """Lives through what a store lives through; time is in minutes."""

    minute: int = 0
    sources: list[Source] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    caps: dict[str, int | None] = field(default_factory=dict)
    members: dict[tuple[str, str], int | None] = field(default_factory=dict)
    holds: dict[str, tuple[str, int]] = field(default_factory=dict)
    invoices: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    def pass_time(self, minutes: int) -> None:
        self.minute += minutes
        for name, (_, ends) in [*self.holds.items()]:
            if ends <= self.minute:
                self.let_go(name)
                del self.holds[name]

    def let_go(self, by: str) -> None:
        self.taken = [each for each in self.taken if each.by != by]

    def is_over(self, source: Source) -> bool:
        return source.ends is not None and source.ends <= self.minute

    def free(self, source: Source) -> int:
        if self.is_over(source):
            return 0
        return source.cents - sum(each.source == source.name for each in self.taken)

    def has(self, pool: str, customer: str) -> int:
        """How many cents of a pool a customer drew and holds."""
        names = [each.name for each in self.sources if each.owner == pool]
        return sum(
            each.customer == customer and each.source in names for each in self.taken
        )

    def cap(self, pool: str, customer: str) -> int | None:
        own = self.members[pool, customer]
        return self.caps[pool] if own is None else own

    def may_take(self, source: Source, customer: str) -> bool:
        """Whether one more cent can be taken."""
        if self.free(source) <= 0:
            return False
        if source.owner == customer:
            return True
        if (source.owner, customer) not in self.members:
            return False
        cap = self.cap(source.owner, customer)
        return cap is None or self.has(source.owner, customer) < cap

    def take(self, customer: str, cents: int, by: str, *, is_held: bool) -> list[str]:
        """Take cents one by one, and return the source of each."""

        def order(source: Source) -> tuple[bool, int, float]:
            ends = float("inf") if source.ends is None else source.ends
            return source.owner != customer, source.priority, ends

        found: list[str] = []
        for source in sorted(self.sources, key=order):
            while len(found) < cents and self.may_take(source, customer):
                self.taken.append(Taken(source.name, customer, by, is_held))
                found.append(source.name)
        return found

    def apply(self, invoice: str, customer: str, cents: int) -> list[str]:
        """Settle an invoice, or settle it anew; the same again changes nothing."""
        wanted = customer, cents, self.minute
        if self.invoices.get(invoice) == wanted:
            return [each.source for each in self.taken if each.by == invoice]
        self.let_go(invoice)
        self.invoices[invoice] = wanted
        return self.take(customer, cents, invoice, is_held=False)

    def hold(self, name: str, customer: str, cents: int, lasts: int) -> str | None:
        before = self.taken
        self.taken = [*before]
        if len(self.take(customer, cents, name, is_held=True)) < cents:
            self.taken = before
            return "insufficient_credits"
        self.holds[name] = customer, self.minute + lasts
        return None

    def settle(self, name: str, cents: int, *, beyond: bool) -> str | None:
        """Draw the first cents that a hold keeps; the others go back."""
        kept = [each for each in self.taken if each.by == name]
        if cents > len(kept) and not beyond:
            return "exceeds_hold"
        customer, _ = self.holds.pop(name)
        invoice = f"settled {name}"
        drawn = [
            Taken(each.source, customer, invoice, is_held=False)
            for each in kept[:cents]
        ]
        # What goes back is not free while more is drawn: it is one moment.
        self.taken = [
            *(each for each in self.taken if each.by != name),
            *drawn,
            *kept[cents:],
        ]
        self.take(customer, cents - len(drawn), invoice, is_held=False)
        self.let_go(name)
        return None

    def join(self, pool: str, customer: str, cap: int | None) -> str | None:
        if (pool, customer) in self.members:
            return "credit_pool_member_exists"
        most = self.caps[pool] if cap is None else cap
        if most is not None and self.has(pool, customer) > most:
            return "credit_pool_cap_exceeded"
        self.members[pool, customer] = cap
        return None

    def leave(self, pool: str, customer: str) -> str | None:
        if (pool, customer) not in self.members:
            return "credit_pool_member_missing"
        del self.members[pool, customer]
        return None

    def change_cap(self, pool: str, cap: int | None) -> str | None:
        for (each, customer), own in self.members.items():
            has_more = cap is not None and self.has(pool, customer) > cap
            if each == pool and own is None and has_more:
                return "credit_pool_cap_exceeded"
        self.caps[pool] = cap
        return None

    def balance(self, owner: str) -> tuple[int, int, int]:
        """Ledger, available and held of what a customer or a pool owns."""
        ledger = available = held = 0
        for source in self.sources:
            if source.owner == owner:
                its = [each for each in self.taken if each.source == source.name]
                kept = sum(each.is_held for each in its)
                held += kept
                available += self.free(source)
                ledger += kept + self.free(source)
        return ledger, available, held

    def drawable(self, pool: str, customer: str) -> int:
        """How many cents a customer could draw of a pool."""
        if (pool, customer) not in self.members:
            return 0
        free = sum(self.free(each) for each in self.sources if each.owner == pool)
        cap = self.cap(pool, customer)
        return free if cap is None else min(free, cap - self.has(pool, customer))
