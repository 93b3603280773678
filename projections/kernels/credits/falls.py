"""Falls of credits: where and when available credits became less.

A balance changes at a fact or by time. At an instant, time acts on all grants together
and before anything that is recorded then. So every change has a place, and no change
moves when more is recorded.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ledger.errors import StoreDamagedError
from projections.kernels.credits.balances import applied_since
from projections.kernels.credits.grants import Application, Grant, drawn
from projections.kernels.credits.holds import HeldMove


class Occurrence(NamedTuple):
    """When something happened, and at which position; 0 where time did it.

    Occurrences sort in the order in which things happened.
    """

    instant: int
    position: int


class CreditChange(NamedTuple):
    """A change of the credits available in a currency, in minor units."""

    place: Occurrence
    currency: str
    before: int
    after: int

    def falls_to(self, threshold: int) -> bool:
        """Whether credits were above a threshold before, and are not after."""
        return self.after <= threshold < self.before


def turns_of(grant: Grant) -> tuple[Occurrence, ...]:
    """Return where a grant begins and ceases to be available, beginnings first."""
    turns = [
        Occurrence(*grant.beginning),
        Occurrence(grant.effective_at, 0),
    ]
    if grant.voided_at is not None and grant.voided_position is not None:
        turns.append(Occurrence(grant.voided_at, grant.voided_position))
    if grant.expires_at is not None:
        turns.append(Occurrence(grant.expires_at, grant.expired_position or 0))
    return tuple(turns)


def steps(
    grants: Iterable[Grant],
    applications: Iterable[Application],
    moves: Iterable[HeldMove],
    since: int,
    up_to: int,
) -> Iterator[CreditChange]:
    """Yield the changes of a customer's available credits, in order.

    Args:
        grants: of the customer, at the head of the log, and those of pools that it drew
            from, which are not available to it alone.
        applications: of the customer; at least those recorded or reinstated at `since`
            or later.
        moves: of the customer's holds; at least of those that are open at `since` or
            later.
        since: the first instant, inclusive.
        up_to: the last instant, inclusive.
    """
    by_position = {grant.position: grant for grant in grants}
    applications = list(applications)
    more = applied_since(applications, since - 1)
    left = {at: grant.remaining + more.get(at, 0) for at, grant in by_position.items()}
    start = Occurrence(since, -1)
    changes = _changes(by_position.values(), applications)
    _hold(left, changes, moves, start)
    available = {
        at: left[at] if _is_available(grant, start) else 0
        for at, grant in by_position.items()
    }
    sums: Counter[str] = Counter()
    for at, grant in by_position.items():
        sums[grant.currency] += available[at]

    for place in sorted(each for each in changes if start < each):
        if place.instant > up_to:
            return
        moved: Counter[str] = Counter()
        for at, amount in changes[place].items():
            if at not in by_position:
                raise _missing(at)
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


def _hold(
    left: dict[int, int],
    changes: defaultdict[Occurrence, defaultdict[int, int]],
    moves: Iterable[HeldMove],
    start: Occurrence,
) -> None:
    """Take off what holds keep, at the start and where it changes."""
    for move in moves:
        place, at = Occurrence(*move.place), move.grant_position
        if start < place:
            changes[place][at] -= move.amount
        elif at in left:
            left[at] -= move.amount
        else:
            raise _missing(at)


def _missing(position: int) -> StoreDamagedError:
    reason = f"the row at position {position} is missing"
    return StoreDamagedError("table credit_grant", reason)


def _changes(
    grants: Iterable[Grant], applications: Iterable[Application]
) -> defaultdict[Occurrence, defaultdict[int, int]]:
    """Return what each grant gets back, and where; draws count negative."""
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
    return changes


def _is_available(grant: Grant, place: Occurrence) -> bool:
    """Whether what is left of a grant is available at a place."""
    if grant.pool is not None:
        return False
    created, effective, *ends = turns_of(grant)
    return max(created, effective) <= place < min(ends, default=Occurrence(2**63, 0))
