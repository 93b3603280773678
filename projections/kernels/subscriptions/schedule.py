"""What follows from a subscription at an instant: its status, and its items' periods.

Nothing of it is stored. Instants are microseconds since 1970 UTC, times half-open.
"""

import enum
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from ledger.facts.subscriptions import PhaseKind
from projections.kernels.periods import Cycle, Period, Repetition
from projections.kernels.subscriptions.definitions import (
    ItemDefinition,
    ItemPrice,
    SubscriptionDefinition,
)

_SECOND = 1_000_000


class SubscriptionStatus(enum.Enum):
    """What a subscription is at an instant."""

    TRIALING = "trialing"
    ACTIVE = "active"
    PAUSED = "paused"
    CANCELED = "canceled"


class PricedSpan(msgspec.Struct, frozen=True, array_like=True):
    """A part of a period in which an item cost one price: ``[start, end)``."""

    price_id: str
    quantity: int | None
    start: int
    end: int


def status_at(subscription: SubscriptionDefinition, instant: int) -> SubscriptionStatus:
    """Return what a subscription is at an instant."""
    if subscription.is_ended(instant):
        return SubscriptionStatus.CANCELED
    kind = subscription.phases[0].kind
    for phase in subscription.phases:
        if phase.since <= instant:
            kind = phase.kind
    match kind:
        case PhaseKind.TRIAL:
            return SubscriptionStatus.TRIALING
        case PhaseKind.ACTIVE:
            return SubscriptionStatus.ACTIVE
        case PhaseKind.PAUSED:
            return SubscriptionStatus.PAUSED


def current_period(
    subscription: SubscriptionDefinition, item: ItemDefinition, instant: int
) -> Period:
    """Return the period of an item at an instant, or the last one until then.

    It ends where the item or the subscription does. An item that was never billed has an
    empty one.
    """
    found = Period(item.start, item.start)
    for cycle in cycles(subscription, item):
        if cycle.start > instant:
            break
        end = instant + 1 if cycle.end is None else min(instant + 1, cycle.end)
        found = cycle.period_at(end - 1)
    return found


def periods_ended(
    subscription: SubscriptionDefinition,
    item: ItemDefinition,
    after: int,
    until: int,
) -> list[tuple[Period, bool]]:
    """Return the periods of an item that end in ``(after, until]``, in order.

    They do not overlap, and no pause lies in one. Neighbours touch, but for pauses. With
    each goes whether it is a trial.
    """
    return [
        (period, cycle.repetition is None)
        for cycle in cycles(subscription, item)
        for period in cycle.periods_ended(after, until)
    ]


def priced_spans(item: ItemDefinition, period: Period) -> list[PricedSpan]:
    """Divide a period where the price or the quantity of its item changed."""
    spans = []
    prices = item.prices
    next_since = [each.since for each in prices[1:]] + [period.end]
    for price, until in zip(prices, next_since, strict=True):
        start, end = max(price.since, period.start), min(until, period.end)
        if start < end:
            spans.append(PricedSpan(price.price_id, price.quantity, start, end))
    return spans


def cycles(
    subscription: SubscriptionDefinition, item: ItemDefinition
) -> Iterator[Cycle]:
    """Yield the times in which an item is billed, in order; pauses lie between them."""
    for phase, phase_end in subscription.phases_with_ends():
        start = max(phase.since, item.start)
        ends = (phase_end, item.ended, subscription.ends_at)
        end = min((each for each in ends if each is not None), default=None)
        if phase.kind is PhaseKind.PAUSED or (end is not None and end <= start):
            continue
        if phase.kind is PhaseKind.TRIAL:
            yield Cycle(start, end, None)
        else:
            yield from _billed(item.prices, phase.anchor, start, end)


def _billed(
    prices: Sequence[ItemPrice], anchor: int, start: int, end: int | None
) -> Iterator[Cycle]:
    """Divide a phase where the interval of an item's price changed."""
    terms = prices[0].terms
    for before, price in pairwise(prices):
        if price.since <= start:
            terms = price.terms
        elif price.terms != before.terms and (end is None or price.since < end):
            yield Cycle(start, price.since, Repetition(anchor, *terms))
            # Periods of another length begin where the price does.
            start, terms = price.since, price.terms
            anchor = start - start % _SECOND
    yield Cycle(start, end, Repetition(anchor, *terms))
