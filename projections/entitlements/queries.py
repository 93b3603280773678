"""Queries of features and entitlements, as one database transaction sees them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Select,
    bindparam,
    func,
    select,
    union,
)

from ledger.database.bulk import is_among
from ledger.database.rows import RowsByKey, without_null
from ledger.facts.entitlements import EntitlementsUpdated
from ledger.schema import log_correction
from projections.entitlements.tables import (
    ATTACHMENTS,
    FEATURES,
    IS_ATTACHED,
    UPDATES,
    entitlement_update,
    feature,
    product_feature,
)
from projections.kernels.entitlements import (
    Attachment,
    EntitlementTimeline,
    FeatureDefinition,
    by_a_clock,
    entitlement_timeline,
    updates_due,
)
from projections.kernels.subscriptions.definitions import SubscriptionDefinition
from projections.kernels.test_clocks import FrozenTime
from projections.prices.tables import price
from projections.rows import Page
from projections.subscriptions.queries import SubscriptionQueries
from projections.subscriptions.tables import subscription, subscription_item
from projections.test_clocks.clocked import ClockedCustomers
from projections.test_clocks.tables import test_clock

_FEATURES = select(feature)
_FEATURE = _FEATURES.where(feature.c.feature_id == bindparam("feature_id"))
_WITH_LOOKUP_KEY = _FEATURES.where(
    feature.c.lookup_key == bindparam("lookup_key")
).order_by(feature.c.position)
_ATTACHMENTS = select(product_feature)
_ATTACHMENT = _ATTACHMENTS.where(
    product_feature.c.product_feature_id == bindparam("product_feature_id")
)
_ATTACHED = _ATTACHMENTS.where(
    IS_ATTACHED,
    product_feature.c.product_id == bindparam("product_id"),
    product_feature.c.feature_id == bindparam("feature_id"),
)
_FEW_ATTACHMENTS = _ATTACHMENTS.where(
    product_feature.c.product_id.in_(bindparam("ids", expanding=True))
).order_by(product_feature.c.product_id, product_feature.c.position)
_FEW_PRODUCTS: Select[Any] = select(price.c.price_id, price.c.product_id).where(
    price.c.price_id.in_(bindparam("ids", expanding=True))
)
_CUSTOMER_AT = select(subscription.c.customer).where(
    subscription.c.position == bindparam("position")
)
_FIRST = select(func.min(subscription.c.position)).where(
    subscription.c.customer == bindparam("customer")
)
_FEATURE_AT = _FEATURES.where(feature.c.position == bindparam("position"))
_OF_CHANGED = (
    select(subscription.c.customer)
    .where(subscription.c.changed > bindparam("after"))
    .distinct()
)
_SUBSCRIBED = (
    select(subscription.c.customer)
    .join(
        subscription_item,
        subscription_item.c.subscription_id == subscription.c.subscription_id,
    )
    .join(price, price.c.price_id == subscription_item.c.price_id)
    .distinct()
)
_OF_PRODUCTS_CHANGED = _SUBSCRIBED.where(
    price.c.product_id.in_(
        select(product_feature.c.product_id).where(
            product_feature.c.changed > bindparam("after")
        )
    )
)
# Of all who have such a product, or were told of something.
_CONCERNED = union(
    _SUBSCRIBED.join(
        product_feature, product_feature.c.product_id == price.c.product_id
    ),
    select(entitlement_update.c.customer),
)
_NEWEST = select(
    select(func.max(feature.c.position)).scalar_subquery(),
    select(func.max(product_feature.c.changed)).scalar_subquery(),
    select(func.max(subscription.c.changed)).scalar_subquery(),
    select(func.max(log_correction.c.position)).scalar_subquery(),
    select(func.max(test_clock.c.changed)).scalar_subquery(),
)


class NewestFacts(NamedTuple):
    """The positions of the last facts that matter; None where there are none.

    Attributes:
        feature: created a feature.
        attachment: about a feature on a product.
        subscription: about a subscription.
        correction: of the log's time, after which facts count as of other instants.
        clock: about a test clock, or who lives by it.
    """

    feature: int | None
    attachment: int | None
    subscription: int | None
    correction: int | None
    clock: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFilter:
    """Which features are listed; None is no condition."""

    lookup_key: str | None = None
    active: bool | None = None


class EntitlementLook(NamedTuple):
    """What was found of a customer: what nobody noticed, and when it changes next."""

    customer: str
    updates: Sequence[EntitlementsUpdated]
    next_change: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerEntitlements:
    """What a customer is entitled to.

    Attributes:
        first_position: of its first subscription; None where it has none.
        timeline: all that it was, is and will be entitled to.
    """

    first_position: int | None
    timeline: EntitlementTimeline


class EntitlementQueries:
    """Queries of features and entitlements in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def feature(self, feature_id: str) -> FeatureDefinition | None:
        """Return a feature by its id, active or not."""
        row = self.connection.execute(_FEATURE, {"feature_id": feature_id}).first()
        return None if row is None else FEATURES.read(row)

    def feature_at(self, position: int) -> FeatureDefinition | None:
        """Return the feature that the fact at a position created."""
        row = self.connection.execute(_FEATURE_AT, {"position": position}).first()
        return None if row is None else FEATURES.read(row)

    def with_lookup_key(self, lookup_key: str) -> list[FeatureDefinition]:
        """Return the features with a lookup key, oldest first; one at most is active."""
        rows = self.connection.execute(_WITH_LOOKUP_KEY, {"lookup_key": lookup_key})
        return [*map(FEATURES.read, rows)]

    def features_used(self, ids: Collection[str]) -> RowsByKey[str, FeatureDefinition]:
        """Return features that others name, by id; to look up a missing one is damage."""
        wanted = _FEATURES.where(
            is_among(self.connection, feature.c.feature_id, sorted(ids))
        )
        found = map(FEATURES.read, self.connection.execute(wanted))
        return RowsByKey(feature, [(each.feature_id, each) for each in found])

    def features(self, wanted: FeatureFilter, page: Page) -> list[FeatureDefinition]:
        """Return a page of features, newest first."""
        statement = _FEATURES
        if wanted.lookup_key is not None:
            statement = statement.where(feature.c.lookup_key == wanted.lookup_key)
        if wanted.active is not None:
            statement = statement.where(feature.c.active == int(wanted.active))
        rows = page.read(self.connection, feature, statement)
        return [*map(FEATURES.read, rows)]

    def attachment(self, product_feature_id: str) -> Attachment | None:
        """Return a feature on a product by its id, detached or not."""
        given = {"product_feature_id": product_feature_id}
        row = self.connection.execute(_ATTACHMENT, given).first()
        return None if row is None else ATTACHMENTS.read(row)

    def attached(self, product_id: str, feature_id: str) -> Attachment | None:
        """Return a feature as it hangs on a product now."""
        given = {"product_id": product_id, "feature_id": feature_id}
        row = self.connection.execute(_ATTACHED, given).first()
        return None if row is None else ATTACHMENTS.read(row)

    def attachments(self, product_id: str, page: Page) -> list[Attachment]:
        """Return a page of the features that hang on a product, newest first."""
        wanted = _ATTACHMENTS.where(
            IS_ATTACHED, product_feature.c.product_id == product_id
        )
        rows = page.read(self.connection, product_feature, wanted)
        return [*map(ATTACHMENTS.read, rows)]

    def newest(self) -> NewestFacts:
        """Return where the last facts are on which entitlements depend."""
        return NewestFacts(*self.connection.execute(_NEWEST).one())

    def of_customer(
        self, customer: str, clocked: ClockedCustomers
    ) -> CustomerEntitlements:
        """Return what a customer was, is and will be entitled to, by its own time."""
        found = SubscriptionQueries(self.connection).of_customer(customer)
        [(_, entitlements)] = self._entitlements({customer: found}, clocked)
        return entitlements

    def of_customers(
        self, customers: Sequence[str], clocked: ClockedCustomers
    ) -> Iterator[tuple[str, CustomerEntitlements]]:
        """Yield the same of many customers, in few statements."""
        found: dict[str, list[SubscriptionDefinition]] = {
            each: [] for each in customers
        }
        for each in SubscriptionQueries(self.connection).of_customers(customers):
            found[each.customer].append(each)
        return self._entitlements(found, clocked)

    def looks(
        self, customers: Sequence[str], now: int, clocked: ClockedCustomers
    ) -> list[EntitlementLook]:
        """Look what customers got and lost by an instant, and when they will next.

        Args:
            customers: who live by one time.
            now: the instant.
            clocked: who lives by a test clock.
        """
        looks: list[EntitlementLook] = []
        if self.newest().attachment is None:
            return looks
        last = self.last_updates(customers)
        for customer, found in self.of_customers(customers, clocked):
            timeline = found.timeline
            updates = [*updates_due(customer, timeline, last.get(customer), now)]
            next_change = next(iter(timeline.changes(now)), None)
            looks.append(EntitlementLook(customer, updates, next_change))
        return looks

    def last_updates(self, customers: Sequence[str]) -> dict[str, EntitlementsUpdated]:
        """Return the last changes of customers' features that were noticed."""
        is_among_them = is_among(
            self.connection, entitlement_update.c.customer, customers
        )
        newest = (
            select(func.max(entitlement_update.c.position))
            .where(is_among_them)
            .group_by(entitlement_update.c.customer)
        )
        rows = self.connection.execute(
            select(entitlement_update).where(entitlement_update.c.position.in_(newest))
        )
        return {row.customer: UPDATES.read(row) for row in rows}

    def first_position(self, customer: str) -> int | None:
        """Return the position of a customer's first subscription."""
        found: int | None = self.connection.execute(
            _FIRST, {"customer": customer}
        ).scalar()
        return found

    def customer_at(self, position: int) -> str | None:
        """Return whose subscription the fact at a position created."""
        given = {"position": position}
        found: str | None = self.connection.execute(_CUSTOMER_AT, given).scalar()
        return found

    def affected_after(self, position: int, newest: NewestFacts) -> list[str]:
        """Return the customers whose entitlements facts behind a position may change.

        Args:
            position: of the log.
            newest: the last facts, in the same database transaction.
        """
        found: set[str] = set()
        given = {"after": position}
        if (newest.subscription or 0) > position:
            found |= self._customers(_OF_CHANGED, given)
        if (newest.attachment or 0) > position:
            found |= self._customers(_OF_PRODUCTS_CHANGED, given)
        return sorted(found)

    def concerned(self) -> list[str]:
        """Return the customers who are entitled to something, or may come to be or were."""
        return sorted(self._customers(_CONCERNED, {}))

    def _customers(
        self, wanted: Select[Any] | CompoundSelect[Any], given: Mapping[str, Any]
    ) -> set[str]:
        """Return the customers that a statement finds, which all tables say."""
        rows = self.connection.execute(wanted, given)
        return {without_null(row, subscription.c.customer)[0] for row in rows}

    def _entitlements(
        self,
        found: Mapping[str, Sequence[SubscriptionDefinition]],
        clocked: ClockedCustomers,
    ) -> Iterator[tuple[str, CustomerEntitlements]]:
        """Yield what customers are entitled to, by their subscriptions."""
        price_ids = {
            at.price_id
            for subscriptions in found.values()
            for each in subscriptions
            for item in each.items
            for at in item.prices
        }
        products, hung = self._hung_on(price_ids)
        for customer, subscriptions in found.items():
            time = clocked.times.get(customer)
            its = hung if time is None else _by_a_clock(hung, time)
            first = subscriptions[0].position if subscriptions else None
            timeline = entitlement_timeline(subscriptions, products, its)
            yield (
                customer,
                CustomerEntitlements(first_position=first, timeline=timeline),
            )

    def _hung_on(
        self, price_ids: Collection[str]
    ) -> tuple[RowsByKey[str, str], Mapping[str, Sequence[Attachment]]]:
        """Return the product of each price, and what ever hung on each product."""
        rows = self.connection.execute(_FEW_PRODUCTS, {"ids": sorted(price_ids)})
        columns = price.c.price_id, price.c.product_id
        found = (tuple(without_null(row, *columns)) for row in rows)
        products: RowsByKey[str, str] = RowsByKey(price, found)
        ids = sorted(set(products.values()))
        hung: dict[str, list[Attachment]] = {}
        for row in self.connection.execute(_FEW_ATTACHMENTS, {"ids": ids}):
            hung.setdefault(row.product_id, []).append(ATTACHMENTS.read(row))
        return products, hung


def _by_a_clock(
    hung: Mapping[str, Sequence[Attachment]], time: FrozenTime
) -> Mapping[str, Sequence[Attachment]]:
    """Return what hung on products in the time of a test clock's customer."""
    return {
        product_id: [by_a_clock(each, time) for each in attachments]
        for product_id, attachments in hung.items()
    }
