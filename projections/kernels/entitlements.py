"""Entitlements: which features a customer has, and since when, by its subscriptions.

An item of a subscription sees what hangs on its product when it is created or gets another
price, and when each of its periods begins. What is attached or detached in between counts
from then on, or at once where that was said. A feature is had while an item that saw it is
billed or on trial. So all of it, also what is to come, follows from facts.

Instants are microseconds since 1970 UTC, times half-open.
Source: https://docs.stripe.com/billing/entitlements
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

import msgspec
from msgspec.structs import asdict

from ledger.facts.entitlements import (
    EntitlementsUpdated,
    FeatureAttached,
    FeatureCreated,
    FeatureDetached,
    FeatureUpdated,
)
from projections.kernels.periods import Cycle, united
from projections.kernels.subscriptions.definitions import (
    ItemDefinition,
    SubscriptionDefinition,
)
from projections.kernels.subscriptions.schedule import cycles
from projections.kernels.test_clocks import FrozenTime

_NEVER = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDefinition:
    """A feature at some position of the log.

    Attributes:
        position: of the fact that created it.
        active: whether it can be attached; what hangs on products stays.
    """

    position: int
    feature_id: str
    lookup_key: str
    name: str
    active: bool
    metadata: dict[str, str]


class CatalogueChange(NamedTuple):
    """When a feature was attached to a product, or detached.

    Attributes:
        instant: of the fact.
        position: of the fact.
        at_once: whether it counts for subscriptions that there are from then on, and not
            from their next period on.
    """

    instant: int
    position: int
    at_once: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A feature on a product; `detached_at` is None while it is there."""

    position: int
    product_feature_id: str
    product_id: str
    feature_id: str
    at_once: bool
    created: int
    detached_at: int | None = None
    detached_position: int | None = None
    is_detached_at_once: bool | None = None

    @property
    def attached(self) -> CatalogueChange:
        """When it began to hang there."""
        return CatalogueChange(self.created, self.position, self.at_once)

    @property
    def detached(self) -> CatalogueChange | None:
        """When it ended."""
        if self.detached_at is None:
            return None
        at_once = bool(self.is_detached_at_once)
        return CatalogueChange(self.detached_at, self.detached_position or 0, at_once)


class Span(NamedTuple):
    """A time in which a feature is had, ``[start, end)``; without an end it goes on."""

    start: int
    end: int | None


class EntitlementTimeline(msgspec.Struct, frozen=True):
    """All that a customer was, is and will be entitled to, as its facts are.

    Attributes:
        spans: by feature, in order; they do not touch each other.
    """

    spans: Mapping[str, Sequence[Span]]

    def had_at(self, instant: int) -> frozenset[str]:
        """Return the features that it has at an instant."""
        return frozenset(
            feature_id for feature_id in self.spans if self.has(feature_id, instant)
        )

    def has(self, feature_id: str, instant: int) -> bool:
        """Whether it has a feature at an instant."""
        return any(
            start <= instant and (end is None or instant < end)
            for start, end in self.spans.get(feature_id, ())
        )

    def next_change(self, feature_id: str, after: int) -> int | None:
        """Return when it gets a feature or loses it next; None is never."""
        edges = [at for span in self.spans.get(feature_id, ()) for at in span]
        return min((at for at in edges if at is not None and at > after), default=None)

    def changes(self, after: int) -> list[int]:
        """Return all instants behind one at which it gets or loses something, in order."""
        edges = {at for spans in self.spans.values() for span in spans for at in span}
        return sorted(at for at in edges if at is not None and at > after)


def feature_created(fact: FeatureCreated, position: int) -> FeatureDefinition:
    """Return a feature as it was created."""
    return FeatureDefinition(**asdict(fact), position=position, active=True)


def feature_updated(
    feature: FeatureDefinition, fact: FeatureUpdated
) -> FeatureDefinition:
    """Return a feature as it is after a change."""
    return replace(feature, **asdict(fact))


def attached(fact: FeatureAttached, position: int, recorded_at: int) -> Attachment:
    """Return a feature on a product as it was attached."""
    return Attachment(**asdict(fact), position=position, created=recorded_at)


def detached(
    attachment: Attachment, fact: FeatureDetached, position: int, recorded_at: int
) -> Attachment:
    """Return a feature on a product as it was detached."""
    return replace(
        attachment,
        detached_at=recorded_at,
        detached_position=position,
        is_detached_at_once=fact.at_once,
    )


def by_a_clock(attachment: Attachment, time: FrozenTime) -> Attachment:
    """Return a feature on a product in the time of a test clock's customer.

    What came before the customer did is there from the beginning. What is changed while
    the clock shows an instant comes behind what time does at that instant.
    """

    def shown_at(position: int) -> int:
        instant = time.at(position)
        return -_NEVER if instant is None else instant + 1

    ended = attachment.detached_position
    return replace(
        attachment,
        created=shown_at(attachment.position),
        detached_at=None if ended is None else shown_at(ended),
    )


def entitlement_timeline(
    subscriptions: Iterable[SubscriptionDefinition],
    products: Mapping[str, str],
    on_product: Mapping[str, Sequence[Attachment]],
) -> EntitlementTimeline:
    """Return what a customer is entitled to, at any instant.

    Args:
        subscriptions: all of the customer.
        products: the product of each price of theirs.
        on_product: what hangs on these products, or did.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for subscription in subscriptions:
        for item in subscription.items:
            for place in _places(subscription, item):
                for attachment in on_product.get(products[place.price_id], ()):
                    span = place.span_of(attachment)
                    if span is not None:
                        found.setdefault(attachment.feature_id, []).append(span)
    return EntitlementTimeline(
        {
            feature_id: tuple(
                Span(start, None if end == _NEVER else end)
                for start, end in united(sorted(spans))
            )
            for feature_id, spans in found.items()
        }
    )


def updates_due(
    customer: str,
    timeline: EntitlementTimeline,
    last: EntitlementsUpdated | None,
    now: int,
) -> Iterator[EntitlementsUpdated]:
    """Yield the changes of a customer's features by an instant that nobody noticed.

    When each happened follows from the timeline, and not from when this is asked.

    Args:
        customer: the customer.
        timeline: of it.
        last: the last change that was noticed.
        now: the present instant.
    """
    known: tuple[str, ...] = ()
    instants = timeline.changes(-_NEVER)
    if last is not None:
        # What was recorded at that very instant may have changed it again. By a time
        # that was wrong, it may lie ahead.
        since = min(last.at, now)
        known, instants = last.features, [since, *timeline.changes(since)]
    for at in instants:
        had = tuple(sorted(timeline.had_at(at)))
        if at <= now and had != known:
            yield EntitlementsUpdated(
                customer=customer, at=at, features=had, former=known
            )
            known = had


class _PricedTime(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which an item is billed for one price, and a period begins with it.

    Attributes:
        end: `_NEVER` where it goes on.
        made_at: the position of the fact that it began with; None where time did it, or
            the subscription was changed otherwise.
        cycle: says where other periods begin.
    """

    price_id: str
    start: int
    end: int
    made_at: int | None
    cycle: Cycle

    def span_of(self, attachment: Attachment) -> tuple[int, int] | None:
        """Return when a feature on the product is had here; None is never.

        The end is `_NEVER` where it is had for ever.
        """
        start, end = self._seen(attachment.attached), self.end
        if attachment.detached is not None:
            end = self._seen(attachment.detached)
        return (start, end) if start < end else None

    def _seen(self, change: CatalogueChange) -> int:
        """Return from when on a change of the catalogue counts here, or the end."""
        # Of facts at one instant, the log's order says which saw which.
        if self.made_at is None:
            is_there = change.instant <= self.start
        else:
            is_there = change.position < self.made_at
        if is_there:
            return self.start
        if change.at_once:
            return min(change.instant, self.end)
        repetition = self.cycle.repetition
        if repetition is None:
            return self.end
        number = repetition.number_of(change.instant)
        following = repetition.at(number) if number >= 0 else self.start
        if following < change.instant or following <= self.start:
            following = repetition.at(number + 1)
        return min(following, self.end)


def _places(
    subscription: SubscriptionDefinition, item: ItemDefinition
) -> Iterator[_PricedTime]:
    """Divide the time in which an item is billed where it got another price."""
    by_price = groupby(item.prices, lambda each: each.price_id)
    begun = [next(group) for _, group in by_price]
    ends = [each.since for each in begun[1:]]
    for cycle in cycles(subscription, item):
        cycle_end = _NEVER if cycle.end is None else cycle.end
        for price, until in zip(begun, [*ends, _NEVER], strict=True):
            # One that was backdated entitles to nothing before it was there.
            since = max(price.since, item.created)
            start = max(cycle.start, since)
            end = min(cycle_end, until)
            if start < end:
                yield _PricedTime(
                    price_id=price.price_id,
                    start=start,
                    end=end,
                    made_at=price.position if start == since else None,
                    cycle=cycle,
                )
