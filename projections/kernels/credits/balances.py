"""Balances of credits: what is left of grants at an instant, and its changes.

The ledger balance of a grant is the sum of its transactions. It is available once the
grant is effective, but for what holds keep of it: a pending grant has a ledger balance
only. What is held outlives the grant.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from projections.kernels.credits.grants import Application, Grant, drawn
from projections.kernels.credits.holds import HeldMove
from projections.kernels.credits.timeline import CreditTransaction


class Balance(NamedTuple):
    """What is left of grants, in minor units."""

    ledger: int = 0
    available: int = 0
    held: int = 0

    def plus(self, other: "Balance") -> "Balance":
        """Return the sum with a balance of the same currency."""
        return Balance(*(one + more for one, more in zip(self, other, strict=True)))

    def minus(self, other: "Balance") -> "Balance":
        """Return the difference to a balance of the same currency."""
        return Balance(*(one - less for one, less in zip(self, other, strict=True)))

    @classmethod
    def of(cls, grant: Grant, remaining: int, held: int, instant: int) -> "Balance":
        """Return what is left of a grant at an instant.

        Args:
            grant: any that was created by then.
            remaining: what invoices had left of it.
            held: what holds kept of it.
            instant: inclusive.
        """
        if grant.is_voided(instant) or grant.is_expired(instant):
            return cls(held, 0, held)
        available = 0 if grant.is_pending(instant) else remaining - held
        return cls(remaining, available, held)

    @classmethod
    def taken_by_hold(cls, grant: Grant, amount: int, instant: int) -> "Balance":
        """Return what a balance without holds changes by, where they keep an amount."""
        without = cls.of(grant, amount, 0, instant)
        return cls.of(grant, amount, amount, instant).minus(without)


class RunningBalance(NamedTuple):
    """The balance of a currency from an instant on."""

    instant: int
    currency: str
    balance: Balance


@dataclass(frozen=True, slots=True)
class InstantSpan:
    """The instants of ``[start, end)``."""

    start: int
    end: int


def applied_since(applications: Iterable[Application], instant: int) -> dict[int, int]:
    """Return how much more of each grant is applied at the head than at an instant.

    Args:
        applications: at least those recorded or reinstated after the instant.
        instant: inclusive; credits applied at the instant count as applied.

    Returns:
        By the position of the grant; negative where credits were reinstated.
    """
    more: defaultdict[int, int] = defaultdict(int)
    for each in applications:
        is_held = each.reinstated_at is None
        was_held = each.recorded_at <= instant and (
            each.reinstated_at is None or instant < each.reinstated_at
        )
        if is_held != was_held:
            for at, amount in drawn(each.draws).items():
                more[at] += amount if is_held else -amount
    return dict(more)


def balances(
    grants: Iterable[Grant],
    more_applied: Mapping[int, int],
    held: Mapping[int, int],
    instant: int,
) -> dict[str, Balance]:
    """Add up grants at an instant, by currency.

    Args:
        grants: at the head of the log; those created after the instant do not count.
        more_applied: from `applied_since`; empty for an instant not before the head.
        held: of each grant at the instant, by position.
        instant: inclusive.

    Returns:
        A balance for each currency of a grant, sorted by currency.
    """
    sums: dict[str, Balance] = {}
    for grant in grants:
        if grant.created <= instant:
            at = grant.position
            left = grant.remaining + more_applied.get(at, 0)
            balance = Balance.of(grant, left, held.get(at, 0), instant)
            known = sums.get(grant.currency, Balance())
            sums[grant.currency] = known.plus(balance)
    return dict(sorted(sums.items()))


def running_balances(
    transactions: Iterable[CreditTransaction],
    moves: Iterable[HeldMove],
    span: InstantSpan,
) -> list[RunningBalance]:
    """Return the balances at the start of a span and at each change within.

    Args:
        transactions: all of some grants up to the end of the span, in any order.
        moves: of holds on any grants; those of other grants are left out.
        span: of instants.

    Returns:
        Sorted by instant and currency; a row for each currency at the start.
    """
    by_grant: dict[int, _GrantSteps] = {}
    for each in transactions:
        at = each.grant.position
        by_grant.setdefault(at, _GrantSteps(each.grant)).amounts[each.instant] += (
            each.signed_amount
        )
    for move in moves:
        if of_grant := by_grant.get(move.grant_position):
            of_grant.held[move.instant] += move.amount
    steps: defaultdict[str, defaultdict[int, Balance]] = defaultdict(
        lambda: defaultdict(Balance)
    )
    for of_grant in by_grant.values():
        _add_steps(of_grant, steps)
    rows = []
    for currency, changes in steps.items():
        rows += _rows_of(currency, changes, span)
    return sorted(rows)


@dataclass(frozen=True, slots=True)
class _GrantSteps:
    """What changes the balance of a grant, and what changes what is held of it."""

    grant: Grant
    amounts: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    held: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))


def _add_steps(
    of_grant: _GrantSteps, steps: defaultdict[str, defaultdict[int, Balance]]
) -> None:
    """Add the changes of one grant."""
    grant, amounts, held = of_grant.grant, of_grant.amounts, of_grant.held
    # Nothing is recorded at that instant, but what is left becomes available.
    start = max(grant.effective_at, grant.created)
    before = Balance()
    ledger = kept = 0
    for instant in sorted({*amounts, *held, start}):
        ledger += amounts.get(instant, 0)
        kept += held.get(instant, 0)
        after = Balance.of(grant, ledger, kept, instant)
        changes = steps[grant.currency]
        changes[instant] = changes[instant].plus(after.minus(before))
        before = after


def _rows_of(
    currency: str, changes: Mapping[int, Balance], span: InstantSpan
) -> list[RunningBalance]:
    balance = Balance()
    for instant, change in changes.items():
        if instant <= span.start:
            balance = balance.plus(change)
    rows = [RunningBalance(span.start, currency, balance)]
    for instant in sorted(changes):
        if span.start < instant < span.end and changes[instant] != Balance():
            balance = balance.plus(changes[instant])
            rows.append(RunningBalance(instant, currency, balance))
    return rows
