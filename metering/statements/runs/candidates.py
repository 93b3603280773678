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
from projections.kernels.subscriptions.definitions import (
    ItemDefinition,
    SubscriptionDefinition,
)
from projections.kernels.subscriptions.schedule import periods_ended
from projections.statements.queries import StatedPeriod
from projections.subscriptions.queries import SubscriptionQueries

_DIGITS = 24
_KNOWN_AT_MOST = 10_000


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

    @property
    def customer(self) -> str:
        """Who has the subscription."""
        return self.subscription.customer

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
) -> Iterator[Candidate]:
    """Yield the periods that end in ``(after, until]``, in the order of subscriptions."""
    ended = _EndedPeriods(after, until)
    for subscription in seen.living_between(after, until, customers):
        ending: dict[int, list[ItemPeriod]] = {}
        for item in subscription.items:
            for period, is_trial in ended.of(subscription, item):
                billed = ItemPeriod(item, period, is_trial)
                ending.setdefault(period.end, []).append(billed)
        for end, items in ending.items():
            yield Candidate(subscription, end, items)


class _EndedPeriods:
    """The periods that end in a time, and whether each is a trial.

    Many items have the same: those of one subscription, and of those that began together.
    """

    def __init__(self, after: int, until: int) -> None:
        self._after, self._until = after, until
        self._known: dict[object, Sequence[tuple[Period, bool]]] = {}

    def of(
        self, subscription: SubscriptionDefinition, item: ItemDefinition
    ) -> Sequence[tuple[Period, bool]]:
        """Return the periods of an item."""
        prices = tuple((each.since, *each.terms) for each in item.prices)
        alike = subscription.phases, subscription.ends_at, item.ended, prices
        found = self._known.get(alike)
        if found is None:
            if len(self._known) >= _KNOWN_AT_MOST:
                self._known.clear()
            found = periods_ended(subscription, item, self._after, self._until)
            self._known[alike] = found
        return found
