"""Own the naive oracle of prepaid credits: each cent, in integers, lists and loops.

It must not know the product, nor compute as the product computes. What happened is a
list; every balance is found by walking it from the beginning. Every accepted call takes
the next position, and the instant of the clock, or of the call before where the clock
went back. Rules: https://docs.stripe.com/billing/subscriptions/usage-based/billing-credits
and its neighbours, made exact.
"""

from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from tests.oracles.log_time import OracleTime

NEVER = datetime.max.replace(tzinfo=UTC)


Kind = Literal["granted", "applied", "reinstated", "expired", "voided"]
Balance = tuple[str, int, int]
"""A currency with what is on the ledger, and what of it is available."""


class RefusedError(Exception):
    """Nothing happened, for a reason; `names` are the fields that contradict."""

    def __init__(self, reason: str, names: frozenset[str] = frozenset()) -> None:
        super().__init__(reason, names)
        self.reason = reason
        self.names = names


@dataclass(frozen=True, kw_only=True)
class NewGrant:
    """A grant as its sender writes it: without prices for all, effective from now."""

    customer: str
    currency: str
    amount: int
    prices: tuple[str, ...] | None = None
    category: Literal["paid", "promotional"] = "paid"
    priority: int = 50
    effective_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    id: str
    amount: int
    currency: str
    price: str | None = None


@dataclass(frozen=True, kw_only=True)
class Invoice:
    id: str
    customer: str
    period_end: datetime
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which grants count: all, those of one kind of scope, or one."""

    kind: Literal["all", "metered", "prices", "grant"] = "all"
    names: tuple[str, ...] = ()


@dataclass(kw_only=True)
class OracleGrant:
    """A grant as it is now; `ended_at` is the position of a call that expired it."""

    id: str
    position: int
    asked: NewGrant
    created: datetime
    begins_at_creation: bool
    effective_at: datetime
    expires_at: datetime | None
    updated: datetime
    metadata: dict[str, str]
    voided_at: datetime | None = None
    ended_at: int | None = None

    def is_expired(self, instant: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= instant

    def may_pay(self, line: Line, instant: datetime) -> bool:
        """Whether it is of use for a line that ends, or is paid, at an instant."""
        return (
            self.asked.currency == line.currency
            and (self.asked.prices is None or line.price in self.asked.prices)
            and self.effective_at <= instant
            and not self.is_expired(instant)
            and self.voided_at is None
        )

    def was_over_for(self, movement: "Movement") -> bool:
        """Whether it had expired before; at one instant, the earlier call was first."""
        if self.ended_at is not None:
            return self.ended_at < movement.position
        return self.is_expired(movement.instant)

    def is_wanted(self, wanted: Wanted) -> bool:
        prices = self.asked.prices
        return {
            "all": True,
            "metered": prices is None,
            "prices": prices is None or bool({*prices} & {*wanted.names}),
            "grant": self.id in wanted.names,
        }[wanted.kind]


@dataclass(frozen=True, kw_only=True)
class Movement:
    """Credits that came or went: the amount is positive, whichever it was.

    What expires because its time has come is caused by no call, and is there before
    any call of the same instant.
    """

    instant: datetime
    kind: Kind
    grant: str
    amount: int
    position: int
    index: int = 0
    is_called_for: bool = True
    invoice: str | None = None
    line: str | None = None

    @property
    def signed(self) -> int:
        return self.amount if self.kind in {"granted", "reinstated"} else -self.amount

    @property
    def rank(self) -> tuple[datetime, bool, int, int]:
        return (self.instant, self.is_called_for, self.position, self.index)


@dataclass(kw_only=True)
class CreditsOracle:
    """Everything that happened, in order."""

    unused_at_most: int
    time: OracleTime = field(default_factory=OracleTime)
    grants: dict[str, OracleGrant] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    replaced: set[int] = field(default_factory=set)
    reinstated: dict[str, int] = field(default_factory=dict)
    happened: list[Movement] = field(default_factory=list)

    @property
    def position(self) -> int:
        return len(self.time.instants)

    @property
    def latest(self) -> datetime:
        return self.time.latest

    # What can be done.

    def create(self, grant_id: str, asked: NewGrant, now: datetime) -> OracleGrant:
        now = max(now, self.latest)
        effective_at = asked.effective_at or now
        self.check_expiry(asked.expires_at, effective_at, now)
        unused = 0
        for grant in self.grants_of(asked.customer):
            unused += self.is_unused(grant, now)
        if unused >= self.unused_at_most:
            raise RefusedError("too many unused grants")
        grant = OracleGrant(
            id=grant_id,
            position=self._accept(now),
            asked=asked,
            created=now,
            begins_at_creation=effective_at == now,
            effective_at=effective_at,
            expires_at=asked.expires_at,
            updated=now,
            metadata={},
        )
        self.grants[grant_id] = grant
        self._record("granted", grant, asked.amount)
        return grant

    def expires_later(
        self, grant: OracleGrant, expires_at: datetime | None, now: datetime
    ) -> None:
        if expires_at == grant.expires_at:
            return
        now = max(now, self.latest)
        self._check_living(grant, now)
        self.check_expiry(expires_at, grant.effective_at, now)
        self._accept(now)
        grant.expires_at, grant.updated = expires_at, now

    def annotate(
        self, grant: OracleGrant, metadata: dict[str, str], now: datetime
    ) -> None:
        if metadata != grant.metadata:
            self._accept(max(now, self.latest))
            grant.metadata, grant.updated = metadata, self.latest

    def expire(self, grant: OracleGrant, now: datetime) -> None:
        now = max(now, self.latest)
        self._check_living(grant, now)
        left = self.left(grant, now)
        grant.ended_at = self._accept(now)
        grant.expires_at = grant.updated = now
        self._record("expired", grant, left)

    def void(self, grant: OracleGrant, now: datetime) -> None:
        now = max(now, self.latest)
        self._check_living(grant, now)
        if self.applied(grant) != 0:
            raise RefusedError("used")
        self._accept(now)
        grant.voided_at = grant.updated = now
        self._record("voided", grant, grant.asked.amount)

    def apply(
        self, invoice: Invoice, now: datetime, *, replaces: bool = False
    ) -> list[Movement]:
        """Settle an invoice; in place of what it was, if it may be another."""
        now = max(now, self.latest)
        if not self._is_known(invoice, replaces=replaces):
            if invoice.id in self.invoices:
                self.replaced.add(self._accept(now))
                self._give_back(invoice.id)
            planned = self._plan(invoice, now)
            self.invoices[invoice.id] = invoice
            self.settled[invoice.id] = self._accept(now)
            self.happened += planned
        return self.drawn(invoice.id)

    def preview(
        self, invoice: Invoice, now: datetime, *, replaces: bool = False
    ) -> list[Movement]:
        return deepcopy(self).apply(invoice, now, replaces=replaces)

    def in_one_commit(self, start: int) -> None:
        """Let the invoices that were replaced since a position give back before others."""
        since = range(start + 1, self.position + 1)
        order = sorted(since, key=lambda each: each not in self.replaced)
        moved = dict(zip(order, since, strict=True))
        self.happened = [
            replace(each, position=moved.get(each.position, each.position))
            for each in self.happened
        ]
        for places in (self.settled, self.reinstated):
            places |= {name: moved.get(at, at) for name, at in places.items()}
        self.replaced = {moved.get(at, at) for at in self.replaced}

    def correct_time(self, to: datetime, now: datetime) -> None:
        """Let whatever was recorded later than an instant be recorded then."""
        self.time.correct(to, now)
        self.happened = [
            replace(each, instant=min(each.instant, to)) for each in self.happened
        ]
        for grant in self.grants.values():
            grant.created = min(grant.created, to)
            grant.updated = min(grant.updated, to)
            if grant.begins_at_creation:
                grant.effective_at = min(grant.effective_at, to)
            if grant.voided_at is not None:
                grant.voided_at = min(grant.voided_at, to)
            if grant.ended_at is not None and grant.expires_at is not None:
                grant.expires_at = min(grant.expires_at, to)

    def reinstate(self, invoice_id: str, now: datetime) -> list[Movement]:
        now = max(now, self.latest)
        if invoice_id not in self.invoices:
            raise RefusedError("unknown")
        if invoice_id not in self.reinstated:
            self.reinstated[invoice_id] = self._accept(now)
            self._give_back(invoice_id)
        movements = self.transactions(NEVER, self.invoices[invoice_id].customer)
        position = self.reinstated[invoice_id]
        return [
            each
            for each in reversed(movements)
            if each.is_called_for and each.position == position
        ]

    # What follows.

    def grants_of(self, customer: str) -> list[OracleGrant]:
        return [g for g in self.grants.values() if g.asked.customer == customer]

    def drawn(self, invoice_id: str) -> list[Movement]:
        return [
            each
            for each in self.happened
            if each.invoice == invoice_id
            and each.kind == "applied"
            and each.position == self.settled[invoice_id]
        ]

    def applied(self, grant: OracleGrant) -> int:
        """What invoices have taken of a grant, and not given back."""
        total = 0
        for each in self.happened:
            if each.grant == grant.id and each.kind in {"applied", "reinstated"}:
                total -= each.signed
        return total

    def movements(self, grant: OracleGrant, until: datetime) -> list[Movement]:
        """What has moved the credits of a grant up to an instant, in order."""
        found: list[Movement] = []
        for each in self.happened:
            if each.grant == grant.id and each.instant <= until:
                found += self._run_out(grant, found, each.instant)
                found.append(each)
                if each.kind == "reinstated" and grant.was_over_for(each):
                    # It is gone at once, right after it was given back.
                    gone = replace(each, kind="expired", index=each.index + 1)
                    found.append(replace(gone, invoice=None, line=None))
        return found + self._run_out(grant, found, until)

    def left(self, grant: OracleGrant, at: datetime) -> int:
        return sum(each.signed for each in self.movements(grant, at))

    def transactions(
        self, until: datetime, customer: str | None = None, grant_id: str | None = None
    ) -> list[Movement]:
        """Everything that moved up to an instant, newest first."""
        found: list[Movement] = []
        for grant in self.grants.values():
            if customer in {None, grant.asked.customer} and grant_id in {
                None,
                grant.id,
            }:
                found += self.movements(grant, until)
        return sorted(found, key=lambda each: each.rank, reverse=True)

    def balances(
        self, customer: str, at: datetime, wanted: Wanted = Wanted()
    ) -> list[Balance]:
        """The past as it stood; the future as it comes if nothing else happens."""
        totals: dict[str, Balance] = {}
        for grant in self.grants_of(customer):
            if grant.created <= at and grant.is_wanted(wanted):
                currency, left = grant.asked.currency, self.left(grant, at)
                _, ledger, available = totals.get(currency, (currency, 0, 0))
                usable = left if grant.effective_at <= at else 0
                totals[currency] = (currency, ledger + left, available + usable)
        return sorted(totals.values())

    def turning_points(self, customer: str) -> list[datetime]:
        """Every instant at which a balance of the customer can change."""
        instants: set[datetime] = set()
        for grant in self.grants_of(customer):
            instants |= {grant.created, grant.effective_at}
            instants |= {grant.expires_at} if grant.expires_at else set()
            instants |= {m.instant for m in self.movements(grant, NEVER)}
        return sorted(instants)

    def is_unused(self, grant: OracleGrant, now: datetime) -> bool:
        is_pending = grant.effective_at > now
        is_over = grant.voided_at is not None or grant.is_expired(now)
        return not is_over and (is_pending or self.left(grant, now) > 0)

    # Steps of the above.

    @staticmethod
    def check_expiry(
        expires_at: datetime | None, effective_at: datetime, now: datetime
    ) -> None:
        if expires_at is not None and expires_at <= max(effective_at, now):
            raise RefusedError("expires_at")

    @staticmethod
    def _check_living(grant: OracleGrant, now: datetime) -> None:
        if grant.voided_at is not None:
            raise RefusedError("voided")
        if grant.is_expired(now):
            raise RefusedError("expired")

    def _is_known(self, invoice: Invoice, *, replaces: bool) -> bool:
        """Whether it was settled so; whether it must not be settled is found first."""
        if len({line.currency for line in invoice.lines}) > 1:
            raise RefusedError("currencies")
        known = self.invoices.get(invoice.id)
        if known is None:
            return False
        names = {"customer", "period_end", "lines"}
        names = {name for name in names if vars(known)[name] != vars(invoice)[name]}
        if names and not (replaces and "customer" not in names):
            raise RefusedError("conflict", frozenset(names))
        if invoice.id in self.reinstated:
            raise RefusedError("reinstated")
        was_wrong = self.time.is_wrong(self.settled[invoice.id])
        return not names and not (replaces and was_wrong)

    def _plan(self, invoice: Invoice, now: datetime) -> list[Movement]:
        grants = [
            each
            for each in self.grants_of(invoice.customer)
            if each.effective_at <= now and not each.is_expired(now)
        ]
        grants.sort(key=_precedence)
        left = {grant.id: self.left(grant, now) for grant in grants}
        planned: list[Movement] = []
        for line in invoice.lines:
            due = line.amount
            for grant in grants:
                part = min(due, left[grant.id])
                if part > 0 and grant.may_pay(line, invoice.period_end):
                    due -= part
                    left[grant.id] -= part
                    drawn = Movement(
                        instant=now,
                        kind="applied",
                        grant=grant.id,
                        amount=part,
                        position=self.position + 1,
                        index=len(planned),
                        invoice=invoice.id,
                        line=line.id,
                    )
                    planned.append(drawn)
        return planned

    def _give_back(self, invoice_id: str) -> None:
        for draw in self.drawn(invoice_id):
            given_back = replace(
                draw,
                kind="reinstated",
                instant=self.latest,
                position=self.position,
                index=2 * draw.index,
            )
            self.happened.append(given_back)

    @staticmethod
    def _run_out(
        grant: OracleGrant, before: list[Movement], now: datetime
    ) -> list[Movement]:
        """What expires of a grant because its time has come, unless it did already."""
        left = sum(each.signed for each in before)
        is_due = grant.ended_at is None and grant.is_expired(now)
        if grant.expires_at is None or not is_due or left == 0:
            return []
        expired = Movement(
            instant=grant.expires_at,
            kind="expired",
            grant=grant.id,
            amount=left,
            position=grant.position,
            is_called_for=False,
        )
        return [expired]

    def _accept(self, now: datetime) -> int:
        self.time.instants.append(now)
        return self.position

    def _record(self, kind: Kind, grant: OracleGrant, amount: int) -> None:
        if amount > 0:
            moved = Movement(
                instant=self.latest,
                kind=kind,
                grant=grant.id,
                amount=amount,
                position=self.position,
            )
            self.happened.append(moved)


def _precedence(grant: OracleGrant) -> tuple[int, datetime, bool, datetime, int]:
    return (
        grant.asked.priority,
        grant.expires_at or NEVER,
        grant.asked.category == "paid",
        grant.effective_at,
        grant.position,
    )
