"""What customers are entitled to, kept as a person would who watches each subscription.

It is told what hangs on each product from when on, and looks at subscriptions as they are
shown. Of each item it writes down what hung on its product when it last saw a period begin
or the price change, as of that instant.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import metering

_ENTITLING = ("trialing", "active", "past_due")


@dataclass
class SeenItem:
    """An item as it was last looked at, and the features that it entitles to."""

    price: str
    period_start: datetime
    features: set[str]


@dataclass
class EntitlementsOracle:
    """What each customer has, as far as it was watched.

    Attributes:
        at_once: whether a change of a product is seen at once.
        hung: what hangs on each product, after each change of it.
        items: by their ids, of subscriptions that entitle.
        has: what each customer has.
        told: what each customer had, each time that it changed.
    """

    at_once: bool
    hung: dict[str, list[tuple[datetime, frozenset[str]]]]
    items: dict[str, SeenItem] = field(default_factory=dict)
    has: dict[str, set[str]] = field(default_factory=dict)
    told: dict[str, list[set[str]]] = field(default_factory=dict)

    def now_hung(self, product: str) -> frozenset[str]:
        """Look up what hangs on a product now."""
        return self.hung[product][-1][1]

    def changed(self, now: datetime, product: str, features: Iterable[str]) -> None:
        """Write down what hangs on a product from now on."""
        self.hung[product].append((now, frozenset(features)))

    def look(self, subscriptions: Iterable[metering.Subscription]) -> None:
        """Look at all subscriptions as they are now."""
        seen: dict[str, SeenItem] = {}
        has: dict[str, set[str]] = {each: set() for each in self.has}
        for subscription in subscriptions:
            mine = has.setdefault(subscription.customer, set())
            if subscription.status in _ENTITLING:
                for item in subscription.items.data:
                    seen[item.id] = self._seen(item)
                    mine |= seen[item.id].features
        for customer, features in has.items():
            if features != self.has.get(customer, set()):
                self.told.setdefault(customer, []).append(features)
        self.items, self.has = seen, has

    def _seen(self, item: metering.SubscriptionItem) -> SeenItem:
        known = self.items.get(item.id)
        product, start = item.price.product, item.current_period_start
        is_new = known is None or known.price != item.price.id
        if self.at_once or is_new:
            features = set(self.now_hung(product))
        elif known is not None and known.period_start == start:
            features = known.features
        else:
            features = set(self._hung_at(product, start))
        return SeenItem(price=item.price.id, period_start=start, features=features)

    def _hung_at(self, product: str, instant: datetime) -> frozenset[str]:
        return [hung for since, hung in self.hung[product] if since <= instant][-1]
