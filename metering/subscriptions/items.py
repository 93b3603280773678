"""Subscription items: which there are, and what may be done to single ones."""

from collections.abc import Mapping, Sequence

from msgspec import UNSET, UnsetType

from ledger.appending.writing import Writing
from ledger.facts.subscriptions import SubscriptionItemCreated, SubscriptionUpdated
from metering.arguments.ids import found_by_id
from metering.arguments.metadata import merge_metadata
from metering.arguments.pages import LIMIT, ListObject, listed, within_page
from metering.arguments.schema import checked
from metering.arguments.times import Time
from metering.errors import ResourceMissingError
from metering.store.engine import Engine
from metering.subscriptions.changing import Change
from metering.subscriptions.item_requests import (
    SubscriptionItemCreate,
    SubscriptionItemDelete,
    SubscriptionItemList,
    SubscriptionItemUpdate,
)
from metering.subscriptions.item_terms import (
    ItemParams,
    check_together,
    new_terms,
    payable_price,
)
from metering.subscriptions.requests import (
    PaymentBehaviorName,
    ProrationBehaviorName,
    SubscriptionItemChangeParams,
    SubscriptionUpdate,
)
from metering.subscriptions.resources import SubscriptionItem
from metering.subscriptions.shown import item_resource
from metering.subscriptions.writing import living_subscription, subscription_of
from metering.usage_records.recording import record_usage
from metering.usage_records.requests import (
    ActionName,
    NamedUsageRecord,
    UsageRecordSummaryList,
)
from metering.usage_records.resources import UsageRecord, UsageRecordSummary
from metering.usage_records.summaries import usage_record_summaries
from projections.kernels.subscriptions.changes import item_terms
from projections.kernels.subscriptions.definitions import (
    ItemDefinition,
    SubscriptionDefinition,
)
from projections.prices.queries import PriceQueries
from projections.subscriptions.queries import SubscriptionQueries


class SubscriptionItems:
    """The items of all subscriptions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(  # the attributes of an item have names
        self,
        *,
        subscription: str,
        price: str,
        quantity: int | None = None,
        metadata: Mapping[str, str] | None = None,
        payment_behavior: PaymentBehaviorName | None = None,
        proration_behavior: ProrationBehaviorName | None = None,
    ) -> SubscriptionItem:
        """Add an item to a subscription, from now on.

        Args:
            subscription: id of the subscription.
            price: id of an active, recurring price in its currency.
            quantity: of a licensed price, 1 if left out; a meter says that of a metered
                one.
            metadata: up to 50 strings of the caller's own.
            payment_behavior: changes nothing, since no payment is made.
            proration_behavior: changes nothing, since no amount is prorated.

        Raises:
            ResourceMissingError: there is no such subscription or price, or the
                subscription has ended.
            InvalidRequestError: an argument is malformed, the price cannot be used, or
                the subscription cannot have it beside its others.
        """
        asked = checked(
            SubscriptionItemCreate,
            subscription=subscription,
            price=price,
            quantity=quantity,
            metadata=metadata,
            payment_behavior=payment_behavior,
            proration_behavior=proration_behavior,
        )
        params, item_id = ItemParams(), self._engine.new_id("si")
        with self._engine.writing() as writing:
            known = living_subscription(
                self._engine, writing, asked.subscription, "subscription"
            )
            prices = PriceQueries(writing.connection)
            wanted = payable_price(prices, asked.price, known.currency, params)
            pairs = merge_metadata({}, asked.metadata or None)
            item = new_terms(wanted, item_id, asked.quantity, pairs, params)
            others = [item_terms(each) for each in known.items_at(writing.now)]
            check_together([*others, item], known.billing_mode)
            created = SubscriptionItemCreated(
                subscription_id=known.subscription_id, item=item
            )
            writing.record([created])
        return self.retrieve(item_id)

    def update(  # the attributes of an item have names
        self,
        item_id: str,
        *,
        price: str | None = None,
        quantity: int | None = None,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
        payment_behavior: PaymentBehaviorName | None = None,
        proration_behavior: ProrationBehaviorName | None = None,
    ) -> SubscriptionItem:
        """Change an item from now on; what it cost until now stays known.

        Args:
            item_id: of the item, which keeps it.
            price: id of an active price of the same meter, in the same currency.
            quantity: of a licensed price.
            metadata: is merged into its own: an empty string removes its key, and None or
                ``""`` removes every pair.
            payment_behavior: changes nothing, since no payment is made.
            proration_behavior: changes nothing, since no amount is prorated.

        Raises:
            ResourceMissingError: there is no such item or price, or the item has ended.
            InvalidRequestError: an argument is malformed, or the price cannot be used.
        """
        asked = checked(
            SubscriptionItemUpdate,
            price=price,
            quantity=quantity,
            metadata=metadata,
            payment_behavior=payment_behavior,
            proration_behavior=proration_behavior,
        )
        with self._engine.writing() as writing:
            known, item = self._living(writing, item_id)
            pairs: Mapping[str, str | None] = {}
            if not isinstance(asked.metadata, UnsetType):
                removed = dict.fromkeys(item.metadata)
                pairs = removed if asked.metadata is None else asked.metadata
            change: SubscriptionItemChangeParams = {
                "id": item_id,
                "price": asked.price,
                "quantity": asked.quantity,
                "metadata": pairs,
            }
            updated = self._changed(writing, known, change)
            if updated is not None:
                writing.record([updated])
        return self.retrieve(item_id)

    def delete(
        self,
        item_id: str,
        *,
        clear_usage: bool | None = None,
        proration_behavior: ProrationBehaviorName | None = None,
    ) -> None:
        """End an item now; it was billed until then.

        Args:
            item_id: of the item.
            clear_usage: changes nothing; usage is kept.
            proration_behavior: changes nothing, since no amount is prorated.

        Raises:
            ResourceMissingError: there is no such item, or it has ended.
            InvalidRequestError: it is the last one of its subscription.
        """
        checked(
            SubscriptionItemDelete,
            clear_usage=clear_usage,
            proration_behavior=proration_behavior,
        )
        with self._engine.writing() as writing:
            known, _ = self._living(writing, item_id)
            change: SubscriptionItemChangeParams = {"id": item_id, "deleted": True}
            updated = self._changed(writing, known, change)
            assert updated is not None, "an item less is a change"
            writing.record([updated])

    def create_usage_record(
        self,
        item_id: str,
        *,
        quantity: int,
        action: ActionName = "increment",
        timestamp: Time | None = None,
        identifier: str | None = None,
    ) -> UsageRecord:
        """Record usage of an item whose price has `aggregate_usage` in place of a meter.

        Args:
            item_id: of the item.
            quantity: a whole number, 0 or more.
            action: ``"increment"`` adds to the quantity of the second, ``"set"`` replaces
                what was recorded of it before.
            timestamp: to the second, from the start of the item's current period to 5
                minutes from now; ``"now"`` or None is now. In the first 5 minutes of a
                period, the one before takes records too where they are summed.
            identifier: 1 to 100 characters: under it the record counts once, however
                often it is sent; made up where absent.

        Raises:
            ResourceMissingError: there is no such item, or it has ended.
            InvalidRequestError: an argument is malformed, the price is licensed or has a
                meter, the time is not to be billed, or the subscription has ended or is
                paused then.
            IdentifierConflictError: the identifier has a record of other content.
            StoreError: nothing was recorded; send it again.
        """
        return record_usage(
            self._engine,
            item_id,
            checked(
                NamedUsageRecord,
                quantity=quantity,
                action=action,
                timestamp=timestamp,
                identifier=identifier,
            ),
        )

    def list_usage_record_summaries(
        self,
        item_id: str,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[UsageRecordSummary]:
        """Return what the usage records of an item come to in each period, newest first.

        Args:
            item_id: of the item.
            limit: 1 to 100.
            starting_after: id of the summary before the first one to list.
            ending_before: id of the summary behind the last one to list.

        Raises:
            ResourceMissingError: there never was such an item, or a cursor is the id of
                none of its summaries.
            InvalidRequestError: an argument is malformed, both cursors are given, or the
                price is licensed or has a meter.
        """
        asked = checked(
            UsageRecordSummaryList,
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return usage_record_summaries(self._engine, item_id, asked)

    def retrieve(self, item_id: str) -> SubscriptionItem:
        """Return an item by its id, in its subscription or taken out of it.

        Raises:
            ResourceMissingError: there never was such an item.
        """
        with self._engine.log.read() as connection:
            seen = SubscriptionQueries(connection)
            known = found_by_id(seen.of_item, item_id, "subscription_item")
            now = self._engine.present(seen, known.customer)
            [shown] = self._shown(seen, known, [known.item(item_id)], now)
        return shown

    def list(
        self,
        subscription: str,
        *,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[SubscriptionItem]:
        """Return the items that a subscription has, or had when it ended, newest first.

        Args:
            subscription: id of the subscription.
            limit: 1 to 100.
            starting_after: id of the item before the first one to list.
            ending_before: id of the item behind the last one to list.

        Raises:
            ResourceMissingError: there is no such subscription, or a cursor is the id of
                none of its items.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                SubscriptionItemList,
                subscription=subscription,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: SubscriptionItemList) -> ListObject[SubscriptionItem]:
        with self._engine.log.read() as connection:
            seen = SubscriptionQueries(connection)
            known = subscription_of(seen, asked.subscription, "subscription")
            now = self._engine.present(seen, known.customer)
            items = known.items_at(now)[::-1]
            ids = [each.item_id for each in items]
            wanted = within_page(asked, items, ids, "subscription_item")
            shown = self._shown(seen, known, wanted, now)
        return listed(asked, shown, self._page)

    def _shown(
        self,
        seen: SubscriptionQueries,
        known: SubscriptionDefinition,
        items: Sequence[ItemDefinition],
        now: int,
    ) -> Sequence[SubscriptionItem]:
        prices = PriceQueries(seen.connection).prices_used(
            each.price.price_id for each in items
        )
        livemode = self._engine.settings.livemode
        return [
            item_resource(known, each, prices, now, livemode=livemode) for each in items
        ]

    def _living(
        self, writing: Writing, item_id: object
    ) -> tuple[SubscriptionDefinition, ItemDefinition]:
        seen = SubscriptionQueries(writing.connection)
        known = found_by_id(seen.of_item, item_id, "subscription_item")
        item = known.item(str(item_id))
        self._engine.follow(writing, known.customer)
        if known.is_ended(writing.now) or item not in known.items_at(writing.now):
            raise ResourceMissingError("subscription_item", item_id)
        return known, item

    def _changed(
        self,
        writing: Writing,
        known: SubscriptionDefinition,
        change: SubscriptionItemChangeParams,
    ) -> SubscriptionUpdated | None:
        wanted = Change(
            known=known,
            asked=SubscriptionUpdate(items=[change]),
            seen=PriceQueries(writing.connection),
            now=writing.now,
            new_id=self._engine.new_id,
        )
        return wanted.updated(ItemParams())
