"""Balances of credits: what is left of grants at an instant, and its changes.

The ledger balance of a grant is the sum of its transactions. It is available once the
grant is effective: a pending grant has a ledger balance only.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from projections.kernels.credits.grants import Application, Grant, drawn
from projections.kernels.credits.timeline import CreditTransaction


class Balance(NamedTuple):
    """What is left of grants, in minor units."""

    ledger: int = 0
    available: int = 0

    def plus(self, other: "Balance") -> "Balance":
        """Return the sum with a balance of the same currency."""
        return Balance(self.ledger + other.ledger, self.available + other.available)

    def minus(self, other: "Balance") -> "Balance":
        """Return the difference to a balance of the same currency."""
        return Balance(self.ledger - other.ledger, self.available - other.available)


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
    grants: Iterable[Grant], more_applied: Mapping[int, int], instant: int
) -> dict[str, Balance]:
    """Add up grants at an instant, by currency.

    Args:
        grants: at the head of the log; those created after the instant do not count.
        more_applied: from `applied_since`; empty for an instant not before the head.
        instant: inclusive.

    Returns:
        A balance for each currency of a grant, sorted by currency.
    """
    sums: dict[str, Balance] = {}
    for grant in grants:
        if grant.created <= instant:
            left = grant.remaining + more_applied.get(grant.position, 0)
            if grant.is_voided(instant) or grant.is_expired(instant):
                left = 0
            available = 0 if grant.is_pending(instant) else left
            known = sums.get(grant.currency, Balance())
            sums[grant.currency] = known.plus(Balance(left, available))
    return dict(sorted(sums.items()))


def running_balances(
    transactions: Iterable[CreditTransaction], span: InstantSpan
) -> list[RunningBalance]:
    """Return the balances at the start of a span and at each change within.

    Args:
        transactions: all of some grants up to the end of the span, in any order.
        span: of instants.

    Returns:
        Sorted by instant and currency; a row for each currency at the start.
    """
    steps: defaultdict[str, defaultdict[int, Balance]] = defaultdict(
        lambda: defaultdict(Balance)
    )
    by_grant = sorted(
        transactions, key=lambda each: (each.grant.position, each.instant)
    )
    for _, of_grant in groupby(by_grant, key=lambda each: each.grant.position):
        _add_steps(list(of_grant), steps)
    rows = []
    for currency, changes in steps.items():
        rows += _rows_of(currency, changes, span)
    return sorted(rows)


def _add_steps(
    transactions: list[CreditTransaction],
    steps: defaultdict[str, defaultdict[int, Balance]],
) -> None:
    """Add the changes of one grant, given its transactions sorted by instant."""
    grant = transactions[0].grant
    amounts: defaultdict[int, int] = defaultdict(int)
    for each in transactions:
        amounts[each.instant] += each.signed_amount
    # Nothing is recorded at that instant, but what is left becomes available.
    amounts[max(grant.effective_at, grant.created)] += 0
    before = Balance()
    for instant in sorted(amounts):
        ledger = before.ledger + amounts[instant]
        after = Balance(ledger, 0 if grant.is_pending(instant) else ledger)
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
