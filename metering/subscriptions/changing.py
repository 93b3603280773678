"""What a subscription becomes by a request to change it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UnsetType
from msgspec.structs import replace

from ledger.facts.subscriptions import (
    CollectionMethod,
    ItemTerms,
    Phase,
    PhaseKind,
    SubscriptionResumed,
    SubscriptionUpdated,
)
from metering.arguments.metadata import merge_metadata
from metering.arguments.refusals import missing
from metering.errors import InvalidRequestError, ResourceMissingError
from metering.prices.writing import price_of
from metering.subscriptions.beginning import SECOND, future
from metering.subscriptions.ending import cancellation_of, planned_end
from metering.subscriptions.item_terms import (
    ItemParams,
    check_swap,
    check_together,
    new_terms,
    payable_price,
)
from metering.subscriptions.requests import (
    SubscriptionItemChangeParams,
    SubscriptionResume,
    SubscriptionUpdate,
)
from projections.kernels.subscriptions.changes import (
    item_terms,
    phases_begun,
    phases_from,
    subscription_changed,
)
from projections.kernels.subscriptions.definitions import SubscriptionDefinition
from projections.kernels.subscriptions.schedule import SubscriptionStatus, status_at
from projections.prices.queries import PriceQueries

_OF_THE_PAST = {"cancellation_details", "metadata"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A request to change a subscription.

    Attributes:
        known: the subscription.
        asked: the request.
        seen: the prices.
        now: the present instant.
        new_id: makes the id of a resource, given its prefix.
    """

    known: SubscriptionDefinition
    asked: SubscriptionUpdate
    seen: PriceQueries
    now: int
    new_id: Callable[[str], str]

    def updated(self, params: ItemParams | None = None) -> SubscriptionUpdated | None:
        """Return the fact of the change; None where it changes nothing.

        Args:
            params: where the parameters of the one item are; None is in a list.

        Raises:
            ResourceMissingError: there is no such item or price.
            InvalidRequestError: the change is not possible.
        """
        known, asked = self.known, self.asked
        status = status_at(known, self.now)
        if status is SubscriptionStatus.CANCELED:
            _check_past(asked)
        before = unchanged(known, self.now)
        changes: dict[str, Any] = self._of_the_record()
        if asked.items:
            changes["items"] = self._items(before.items, params)
        changes |= self._phases(status)
        wanted = replace(before, **changes)
        if status is not SubscriptionStatus.CANCELED:
            cancel_at, is_at_period_end = planned_end(
                subscription_changed(known, wanted, 0, self.now),
                asked.cancel_at,
                asked.cancel_at_period_end,
                self.now,
            )
            wanted = replace(
                wanted, cancel_at=cancel_at, cancel_at_period_end=is_at_period_end
            )
        return None if wanted == before else wanted

    def _of_the_record(self) -> dict[str, Any]:
        """Return what changes of that which is only kept."""
        known, asked = self.known, self.asked
        changes: dict[str, Any] = {}
        method = known.collection_method
        if not isinstance(asked.collection_method, UnsetType):
            method = CollectionMethod(asked.collection_method)
            changes["collection_method"] = method
        days = (
            None
            if isinstance(asked.days_until_due, UnsetType)
            else asked.days_until_due
        )
        check_days_until_due(days, method)
        if method is CollectionMethod.CHARGE_AUTOMATICALLY:
            changes["days_until_due"] = None
        elif not isinstance(asked.days_until_due, UnsetType):
            changes["days_until_due"] = days
        if not isinstance(asked.description, UnsetType):
            changes["description"] = asked.description
        if not isinstance(asked.metadata, UnsetType):
            changes["metadata"] = merge_metadata(known.metadata, asked.metadata)
        if asked.cancellation_details is not None:
            details = asked.cancellation_details
            changes["cancellation"] = cancellation_of(details, known.cancellation)
        return changes

    def _items(
        self, before: Sequence[ItemTerms], params: ItemParams | None
    ) -> tuple[ItemTerms, ...]:
        items = {each.item_id: each for each in before}
        for number, given in enumerate(self.asked.items):
            self._change_item(items, given, params or ItemParams.of_list(number))
        changed = tuple(items.values())
        check_together(changed, self.known.billing_mode)
        return changed

    def _change_item(
        self,
        items: dict[str, ItemTerms],
        given: SubscriptionItemChangeParams,
        params: ItemParams,
    ) -> None:
        item_id = given.get("id")
        if item_id is None:
            added = self._added(given, params)
            items[added.item_id] = added
            return
        if item_id not in items:
            raise ResourceMissingError("subscription_item", item_id, param=params("id"))
        if given.get("deleted"):
            del items[item_id]
        else:
            items[item_id] = self._swapped(items[item_id], given, params)

    def _added(
        self, given: SubscriptionItemChangeParams, params: ItemParams
    ) -> ItemTerms:
        price_id = given.get("price")
        if price_id is None:
            raise missing(params("price"))
        price = payable_price(self.seen, price_id, self.known.currency, params)
        metadata = merge_metadata({}, given.get("metadata"))
        item_id, quantity = self.new_id("si"), given.get("quantity")
        return new_terms(price, item_id, quantity, metadata, params)

    def _swapped(
        self, terms: ItemTerms, given: SubscriptionItemChangeParams, params: ItemParams
    ) -> ItemTerms:
        """Return an item with the price and the quantity that it is to have."""
        price_id = given.get("price") or terms.price_id
        before = price_of(self.seen, terms.price_id)
        price, quantity = before, given.get("quantity")
        if price_id != terms.price_id:
            price = payable_price(self.seen, price_id, self.known.currency, params)
            check_swap(before, price, params)
        if quantity is None:
            quantity = terms.quantity
        metadata = merge_metadata(terms.metadata, given.get("metadata") or {})
        return new_terms(price, terms.item_id, quantity, metadata, params)

    def _phases(self, status: SubscriptionStatus) -> dict[str, Any]:
        """Return what changes of when it is billed."""
        asked, now = self.asked, self.now
        resets = asked.billing_cycle_anchor == "now"
        if asked.trial_end is None and not resets:
            return {}
        if status is SubscriptionStatus.PAUSED:
            raise InvalidRequestError(
                f"Subscription {self.known.subscription_id} is paused; resume it first",
                param="billing_cycle_anchor" if resets else "trial_end",
            )
        current = now - now % SECOND
        is_trialing = status is SubscriptionStatus.TRIALING
        begun = phases_begun(self.known, now)
        if asked.trial_end is None or asked.trial_end == "now":
            if not is_trialing and not resets:
                return {}
            anchor = phases_from(now, current, None)
            ended = {"trial_end": current} if is_trialing else {}
            return {"phases": (*begun, *anchor), **ended}
        if resets:
            raise InvalidRequestError(
                "Invalid billing_cycle_anchor: a trial sets it to its end; leave one"
                " of the two out",
                param="billing_cycle_anchor",
            )
        trial_end = future(asked.trial_end, "trial_end", now)
        billed = Phase(trial_end, PhaseKind.ACTIVE, trial_end)
        if is_trialing:
            return {"phases": (*begun, billed), "trial_end": trial_end}
        trial = Phase(now, PhaseKind.TRIAL, trial_end)
        return {
            "phases": (*begun, trial, billed),
            "trial_start": now,
            "trial_end": trial_end,
        }


def resumed(
    known: SubscriptionDefinition, asked: SubscriptionResume, now: int
) -> SubscriptionResumed:
    """Return the fact that has a paused subscription billed again.

    Raises:
        InvalidRequestError: it is not paused.
    """
    subscription_id = known.subscription_id
    if status_at(known, now) is not SubscriptionStatus.PAUSED:
        raise InvalidRequestError(
            f"Subscription {subscription_id} is not paused", param="id"
        )
    given, trial_end = asked.billing_cycle_anchor, known.trial_end
    is_kept = given is not None and given["type"] == "unchanged"
    anchor = known.anchor if is_kept else now - now % SECOND
    if trial_end is not None and trial_end > now:
        anchor = trial_end
    phases = (*phases_begun(known, now), *phases_from(now, anchor, trial_end))
    return SubscriptionResumed(subscription_id=subscription_id, phases=phases)


def unchanged(known: SubscriptionDefinition, now: int) -> SubscriptionUpdated:
    """Return the fact that would leave a subscription as it is."""
    fields = {name: getattr(known, name) for name in _KEPT}
    items = tuple(item_terms(each) for each in known.items_at(now))
    return SubscriptionUpdated(**fields, items=items)


def check_days_until_due(days: int | None, method: CollectionMethod) -> None:
    """Refuse days until an invoice is due where no invoice is sent.

    Raises:
        InvalidRequestError: as said.
    """
    if days is not None and method is not CollectionMethod.SEND_INVOICE:
        raise InvalidRequestError(
            "Invalid days_until_due: must be left out unless collection_method is"
            " send_invoice",
            param="days_until_due",
        )


_KEPT = tuple(name for name in SubscriptionUpdated.__struct_fields__ if name != "items")


def _check_past(asked: SubscriptionUpdate) -> None:
    """Check that what is asked of a canceled subscription can be changed.

    Raises:
        InvalidRequestError: it cannot.
    """
    asked, usual = replace(asked, items=tuple(asked.items)), SubscriptionUpdate()
    for name in asked.__struct_fields__:
        is_given = getattr(asked, name) != getattr(usual, name)
        if is_given and name not in _OF_THE_PAST:
            raise InvalidRequestError(
                "A canceled subscription can only update its cancellation_details and"
                " metadata.",
                param=name,
            )
