"""Own usage that draws credits, and spend limits, beside holds.

Some customers pay `UNIT` for each unit of usage, by the week since the start. What usage
will draw is found by drawing it, from a copy.
"""

from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from tests.oracles.wallet_holds import HOUR, HeldWallets, Hold
from tests.oracles.wallets import Part, refuse_if

UNIT = 2
WEEK = 7 * 24


@dataclass(frozen=True, kw_only=True)
class Use:
    """Usage that happened."""

    customer: str
    hour: int
    quantity: int


@dataclass(kw_only=True)
class Limit:
    """What may be spent in a day, a month or ever."""

    customer: str
    amount: int
    window: str
    counts_usage: bool
    is_canceled: bool = False


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What of usage is covered, and what its price could still draw without it."""

    reason: str | None
    amount: int
    remaining: int


class UsedWallets(HeldWallets):
    """Credits, holds, and usage that will be billed; `price` is that of usage."""

    def __init__(self, start: datetime, subscribers: tuple[str, ...]) -> None:
        super().__init__(start)
        self.subscribers = subscribers
        self.price = ""
        self.uses: list[Use] = []
        self.limits: dict[str, Limit] = {}
        self.stated: dict[tuple[str, int], str] = {}

    # Usage.

    def use(self, customer: str, quantity: int, hour: int) -> None:
        self.uses.append(Use(customer=customer, hour=hour, quantity=quantity))

    def spend(self, customer: str, quantity: int) -> None:
        refuse_if(customer not in self.subscribers, "usage_not_billed")
        reason = self.checked(customer, quantity).reason
        refuse_if(reason, reason or "")
        self.use(customer, quantity, self.now)

    def due(self, customer: str, week: int) -> int:
        return UNIT * sum(
            each.quantity
            for each in self.uses
            if each.customer == customer and each.hour // WEEK == week
        )

    def unbilled(self, customer: str) -> list[int]:
        """The weeks of a customer that no statement covers, this one too."""
        if customer not in self.subscribers:
            return []
        weeks = range(self.now // WEEK + 1)
        return [each for each in weeks if (customer, each) not in self.stated]

    def burn(self, customer: str, more: int = 0) -> int:
        """Let unbilled usage draw, and more of now; return what nothing covers."""
        uncovered = 0
        dues = [
            (self.due(customer, week), (week + 1) * WEEK)
            for week in self.unbilled(customer)
        ]
        if dues:
            dues[-1] = dues[-1][0] + more, dues[-1][1]
        elif more:
            dues = [(more, self.now)]
        for amount, period_end in dues:
            drawn = self.take(customer, amount, self.price, period_end, by="usage")
            uncovered += amount - sum(part for _, part in drawn)
        return uncovered

    def burned(self, customer: str) -> tuple[int, int, int]:
        """What unbilled usage leaves available, what it draws, and what nothing covers."""
        after = deepcopy(self)
        uncovered = after.burn(customer)
        left = after.balance(customer)[1]
        return left, self.balance(customer)[1] - left, uncovered

    def checked(self, customer: str, quantity: int) -> Checked:
        """Whether more usage now is covered."""
        amount = UNIT * quantity
        before = self._left_by_others(customer)
        after = deepcopy(before)
        grown = after.burn(customer, amount) - before.burn(customer)
        reason = None if grown <= 0 else "insufficient_credits"
        for limit in self._limits_of(customer):
            is_passed = amount > self.left(limit, self.now)
            if limit.counts_usage and is_passed and reason is None:
                reason = "spend_limit_reached"
        remaining = before.drawable(customer, self.price, self.period_end(customer))
        return Checked(reason=reason, amount=amount, remaining=remaining)

    def hold_usage(
        self, name: str, customer: str, quantity: int, ends: int, *, partial: bool
    ) -> None:
        """Hold what usage would come to, of what unbilled usage leaves."""
        content = "usage", customer, quantity, ends, partial
        if self.is_held_already(name, content):
            return
        amount, before = UNIT * quantity, self._left_by_others(customer)
        before.burn(customer)
        taken = before.take(
            customer, amount, self.price, self.period_end(customer), by=name
        )
        self.parts += [
            Part(pot=pot, customer=customer, by=name, amount=part, is_held=True)
            for pot, part in taken
        ]
        hold = Hold(
            customer=customer,
            content=content,
            price=self.price,
            made=self.now,
            ends=ends,
            taken=taken,
            is_of_usage=True,
        )
        self.keep(name, hold, amount, partial=partial)

    def period_end(self, customer: str) -> int:
        """When usage of now is billed; at once where no subscription does."""
        if customer in self.subscribers:
            return (self.now // WEEK + 1) * WEEK
        return self.now

    def run(self, customer: str) -> list[int]:
        """State the weeks that are over, and return which."""
        over = [
            each for each in self.unbilled(customer) if (each + 1) * WEEK <= self.now
        ]
        for week in over:
            name = f"week {week} of {customer}"
            line = self.due(customer, week), self.price
            self.settle_lines(name, customer, (week + 1) * WEEK, [line])
            self.stated[customer, week] = name
        return over

    def void_statement(self, customer: str, week: int) -> None:
        self.give_back(self.stated.pop((customer, week)))

    def _left_by_others(self, customer: str) -> "UsedWallets":
        """What it would be, had all drawn that share pools, or share them with one who does."""
        together = {customer}
        for _ in self.pools:
            for pool in self.pools.values():
                if together & {*pool.members}:
                    together |= {*pool.members}
        after = deepcopy(self)
        for other in sorted(together - {customer}):
            after.burn(other)
        return after

    # Limits.

    def limit(self, name: str, customer: str, amount: int, window: str) -> None:
        """Limit what a customer may spend; one that is known has its amount changed."""
        if name in self.limits:
            return self._change(self.limits[name], amount)
        made = Limit(
            customer=customer,
            amount=amount,
            window=window,
            counts_usage=customer in self.subscribers,
        )
        refuse_if(sum(self.spent(made, self.now)) > amount, "limit_below_spent")
        self.limits[name] = made
        return None

    def _change(self, limit: Limit, amount: int) -> None:
        refuse_if(limit.is_canceled, "limit_canceled")
        falls = amount < limit.amount
        refuse_if(
            falls and sum(self.spent(limit, self.now)) > amount, "limit_below_spent"
        )
        limit.amount = amount

    def cancel_limit(self, name: str) -> None:
        refuse_if(name not in self.limits, "resource_missing")
        refuse_if(self.limits[name].is_canceled, "limit_canceled")
        self.limits[name].is_canceled = True

    def spent(self, limit: Limit, at: int) -> tuple[int, int]:
        """What is spent of a limit in the window of an hour, and what holds keep."""
        window = self._window(limit, at)
        spent = kept = 0
        for use in self.uses:
            is_its = limit.counts_usage and use.customer == limit.customer
            if is_its and self._window(limit, use.hour) == window:
                spent += UNIT * use.quantity
        for name, hold in self.holds.items():
            is_its = hold.customer == limit.customer
            counts = not limit.counts_usage or hold.price in {None, self.price}
            if is_its and counts and self._window(limit, hold.made) == window:
                spent += hold.drawn + hold.overdrawn
                kept += self.taken(by=name, is_held=True)
        return spent, kept

    def left(self, limit: Limit, at: int) -> int:
        return max(limit.amount - sum(self.spent(limit, at)), 0)

    def check_limits(
        self, customer: str, price: str | None, amount: int, at: int
    ) -> None:
        for limit in self._limits_of(customer):
            counts = not limit.counts_usage or price in {None, self.price}
            refuse_if(counts and amount > self.left(limit, at), "spend_limit_reached")

    def _limits_of(self, customer: str) -> list[Limit]:
        return [
            each
            for each in self.limits.values()
            if each.customer == customer and not each.is_canceled
        ]

    def _window(self, limit: Limit, hour: int) -> object:
        at = self.start + hour * HOUR
        return {
            "all_time": None,
            "day": (at.year, at.month, at.day),
            "month": (at.year, at.month),
        }[limit.window]
