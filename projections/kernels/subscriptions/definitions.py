"""Subscriptions and their items, as they are at a position of the log.

What follows from one at an instant is in `schedule`. Instants are microseconds since 1970
UTC, times half-open.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from ledger.facts.prices import BillingInterval
from ledger.facts.subscriptions import (
    BillingMode,
    Cancellation,
    CollectionMethod,
    Phase,
    PhaseKind,
)

ITEMS_MAX = 20
"""How many items a subscription has at once."""


class ItemPrice(msgspec.Struct, frozen=True, array_like=True):
    """What an item costs from an instant on.

    Attributes:
        price_id: of the price.
        quantity: None where a meter says it.
        since: from when on.
        interval: of the price.
        interval_count: of the price.
        position: of the fact that said so.
    """

    price_id: str
    quantity: int | None
    since: int
    interval: BillingInterval
    interval_count: int
    position: int

    @property
    def terms(self) -> tuple[BillingInterval, int]:
        """How often it is billed."""
        return self.interval, self.interval_count


class ItemDefinition(msgspec.Struct, frozen=True, array_like=True):
    """An item of a subscription.

    Attributes:
        item_id: it keeps this when its price is replaced.
        created: when it was recorded.
        ended: from when on it is none of the subscription's; None is never.
        prices: at least one, the earliest first; the first holds since it began.
        metadata: pairs of the caller's.
    """

    item_id: str
    created: int
    ended: int | None
    prices: tuple[ItemPrice, ...]
    metadata: dict[str, str]

    @property
    def start(self) -> int:
        """From when on it is billed, before `created` where it was backdated."""
        return self.prices[0].since

    @property
    def price(self) -> ItemPrice:
        """What it costs now."""
        return self.prices[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionDefinition:
    """A subscription at some position of the log.

    Attributes:
        position: of the fact that created it.
        start: from when on it is billed, before `created` where it was backdated.
        phases: at least one, the earliest first; some may lie ahead.
        cancel_at: when it ends of itself; None is never.
        canceled_at: when its end was asked for.
        ended: when it was ended before `cancel_at`; None where it was not.
        items: in the order of their creation, those among them that ended.
        created: when it was recorded.
        trial_end_noticed: the end of a trial that was noticed.
        end_noticed: the planned end that was noticed.
    """

    position: int
    subscription_id: str
    customer: str
    currency: str
    billing_mode: BillingMode
    start: int
    phases: tuple[Phase, ...]
    trial_start: int | None
    trial_end: int | None
    cancel_at: int | None
    cancel_at_period_end: bool
    canceled_at: int | None
    cancellation: Cancellation
    ended: int | None
    collection_method: CollectionMethod
    days_until_due: int | None
    description: str | None
    metadata: dict[str, str]
    items: tuple[ItemDefinition, ...]
    created: int
    trial_end_noticed: int | None = None
    end_noticed: int | None = None

    @property
    def anchor(self) -> int:
        """Where its periods begin, now or when it is resumed."""
        return self.phases[-1].anchor

    @property
    def ends_at(self) -> int | None:
        """When it ended or will end; None is never."""
        return self.cancel_at if self.ended is None else self.ended

    @property
    def trial_end_due(self) -> int | None:
        """When the end of its trial is to be noticed, which time brings about."""
        end, ends_at = self.trial_end, self.ends_at
        is_paused = self.phases[-1].kind is PhaseKind.PAUSED
        is_reached = ends_at is None or (end is not None and end < ends_at)
        if self.ended is not None or is_paused or not is_reached:
            return None
        return None if end == self.trial_end_noticed else end

    @property
    def end_due(self) -> int | None:
        """When its planned end is to be noticed."""
        is_noticed = self.cancel_at == self.end_noticed
        return None if self.ended is not None or is_noticed else self.cancel_at

    def item(self, item_id: str) -> ItemDefinition:
        """Return one of its items, in it or taken out of it."""
        return next(each for each in self.items if each.item_id == item_id)

    def items_at(self, instant: int) -> tuple[ItemDefinition, ...]:
        """Return the items that had not ended by an instant."""
        return tuple(
            each for each in self.items if each.ended is None or instant < each.ended
        )

    def is_ended(self, instant: int) -> bool:
        """Whether it has ended by an instant."""
        return self.ends_at is not None and self.ends_at <= instant

    def phases_with_ends(self) -> Iterator[tuple[Phase, int | None]]:
        """Yield each phase, and when the next one begins."""
        ends = [each.since for each in self.phases[1:]]
        yield from zip(self.phases, [*ends, None], strict=True)
