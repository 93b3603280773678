"""Candidates: the periods of subscriptions that a billing run finds, by when they end.

Items whose periods end at one instant are stated together. The id of a statement follows
from its subscription, that instant, and how many statements of it became void, so that a
run that is repeated makes the same.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from metering.statements.subscribed import ItemPeriod
from projections.kernels.periods import Period
from projections.kernels.subscriptions.definitions import SubscriptionDefinition
from projections.kernels.subscriptions.schedule import cycles
from projections.statements.queries import StatedPeriod
from projections.subscriptions.queries import SubscriptionQueries

_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Candidate:
    """Periods of a subscription that end at one instant.

    Attributes:
        subscription: whose.
        period_end: the instant, microseconds since 1970 UTC.
        items: those with such a period, in the order of their creation.
    """

    subscription: SubscriptionDefinition
    period_end: int
    items: Sequence[ItemPeriod]

    @property
    def key(self) -> tuple[str, int]:
        """What names it among all of a store."""
        return self.subscription.subscription_id, self.period_end

    def statement_id(self, prefix: str, voided: int) -> str:
        """Return the id of its statement.

        Args:
            prefix: of the ids of statements.
            voided: how many statements of it became void.
        """
        subscription_id, period_end = self.key
        named = f"{subscription_id}\n{period_end}\n{voided}"
        return f"{prefix}_{hashlib.sha256(named.encode()).hexdigest()[:_DIGITS]}"


class StatedPeriods:
    """The periods of subscriptions that have statements.

    Args:
        found: of any subscriptions.
    """

    def __init__(self, found: Iterable[StatedPeriod]) -> None:
        self._standing: set[tuple[str, int]] = set()
        self._voided = Counter[tuple[str, int]]()
        for subscription_id, period_end, is_void in found:
            if is_void:
                self._voided[subscription_id, period_end] += 1
            else:
                self._standing.add((subscription_id, period_end))

    def __contains__(self, candidate: Candidate) -> bool:
        """Whether a statement of it stands."""
        return candidate.key in self._standing

    def voided(self, candidate: Candidate) -> int:
        """Count its statements that became void."""
        return self._voided[candidate.key]


def candidates(
    seen: SubscriptionQueries,
    after: int,
    until: int,
    customers: Sequence[str] | None,
) -> list[Candidate]:
    """Find the periods that end in ``(after, until]``.

    Returns:
        Those that end first at first, and then in the order of their subscriptions.
    """
    found = []
    for subscription in seen.whose_periods_end(after, until, customers):
        ending: dict[int, list[ItemPeriod]] = {}
        for billed in _ended(subscription, after, until):
            ending.setdefault(billed.period.end, []).append(billed)
        found += [Candidate(subscription, end, items) for end, items in ending.items()]
    # Stable, so that subscriptions stay in their order.
    return sorted(found, key=lambda each: each.period_end)


def _ended(
    subscription: SubscriptionDefinition, after: int, until: int
) -> Iterator[ItemPeriod]:
    """Yield the periods of the items of a subscription that end in a time."""
    # Most items of one subscription have the same periods.
    known: dict[object, list[tuple[Period, bool]]] = {}
    for item in subscription.items:
        alike = item.ended, *((each.since, each.terms) for each in item.prices)
        if alike not in known:
            known[alike] = [
                (period, cycle.repetition is None)
                for cycle in cycles(subscription, item)
                for period in cycle.periods_ended(after, until)
            ]
        for period, is_trial in known[alike]:
            yield ItemPeriod(item, period, is_trial)
