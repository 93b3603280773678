"""Falls of credits: where in the log, and when, what is available of them got less.

A balance changes at a fact, or at an instant: credits become effective and expire by
time, all those of an instant at once, and before what is recorded at that instant. So
every change has a place, and none moves when more is recorded.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from projections.kernels.credits.balances import applied_since
from projections.kernels.credits.grants import Application, Grant, drawn


class Occurrence(NamedTuple):
    """Where something happened: at an instant, and at which position.

    The position is 0 where time did it. Places sort in the order of what happened.
    """

    instant: int
    position: int


class CreditChange(NamedTuple):
    """A change of what is available of a currency, in minor units."""

    place: Occurrence
    currency: str
    before: int
    after: int

    def falls_to(self, threshold: int) -> bool:
        """Tell whether it was above a threshold and is not any more."""
        return self.after <= threshold < self.before


def turns_of(grant: Grant) -> tuple[Occurrence, ...]:
    """Tell where a grant begins and ceases to be available, in any order."""
    turns = [
        Occurrence(grant.created, grant.position),
        Occurrence(grant.effective_at, 0),
    ]
    if grant.voided_at is not None and grant.voided_position is not None:
        turns.append(Occurrence(grant.voided_at, grant.voided_position))
    if grant.expires_at is not None:
        turns.append(Occurrence(grant.expires_at, grant.expired_position or 0))
    return tuple(turns)


def steps(
    grants: Iterable[Grant], applications: Iterable[Application], since: int, up_to: int
) -> Iterator[CreditChange]:
    """Follow what is available of a customer's credits from one instant to another.

    Args:
        grants: of the customer, as they are at the head of the log.
        applications: of the customer; at least those recorded, or reinstated, at
            `since` or later.
        since: inclusive.
        up_to: inclusive.

    Returns:
        The changes, in their order.
    """
    by_position = {grant.position: grant for grant in grants}
    applications = list(applications)
    more = applied_since(applications, since - 1)
    left = {at: grant.remaining + more.get(at, 0) for at, grant in by_position.items()}
    start = Occurrence(since, -1)
    available = {
        at: left[at] if _is_available(grant, start) else 0
        for at, grant in by_position.items()
    }
    sums: Counter[str] = Counter()
    for at, grant in by_position.items():
        sums[grant.currency] += available[at]

    changes = _changes(by_position.values(), applications)
    for place in sorted(each for each in changes if start < each):
        if place.instant > up_to:
            return
        moved: Counter[str] = Counter()
        for at, amount in changes[place].items():
            grant = by_position[at]
            left[at] += amount
            now = left[at] if _is_available(grant, place) else 0
            moved[grant.currency] += now - available[at]
            available[at] = now
        for currency, change in moved.items():
            if change:
                before = sums[currency]
                sums[currency] += change
                yield CreditChange(place, currency, before, sums[currency])


def _changes(
    grants: Iterable[Grant], applications: Iterable[Application]
) -> dict[Occurrence, dict[int, int]]:
    """Find what is given back to which grants, and where; draws count negative."""
    changes: defaultdict[Occurrence, defaultdict[int, int]] = defaultdict(
        lambda: defaultdict(int)
    )
    for each in applications:
        amounts = drawn(each.draws)
        applied = changes[Occurrence(each.recorded_at, each.position)]
        for at, amount in amounts.items():
            applied[at] -= amount
        if each.reinstated_at is not None and each.reinstated_position is not None:
            undone = changes[Occurrence(each.reinstated_at, each.reinstated_position)]
            for at, amount in amounts.items():
                undone[at] += amount
    for grant in grants:
        for place in turns_of(grant):
            changes[place][grant.position] += 0
    return dict(changes)


def _is_available(grant: Grant, place: Occurrence) -> bool:
    """Tell whether what is left of a grant can be used at a place, or behind it."""
    created, effective, *ends = turns_of(grant)
    return max(created, effective) <= place < min(ends, default=Occurrence(2**63, 0))
