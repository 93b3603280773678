"""Subscriptions: which there are, and what may be done to them.

What a subscription is, and which period its items are in, follows from what was said of
it and from the time: no process need run for it.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import UNSET, UnsetType

from ledger.commits import read_head
from ledger.facts.subscriptions import (
    SubscriptionCanceled,
    SubscriptionPaused,
)
from metering.arguments.pages import LIMIT, ListObject, listed
from metering.arguments.schema import checked
from metering.arguments.times import CreatedBounds, Time
from metering.errors import InvalidRequestError, ResourceMissingError
from metering.store.engine import Engine
from metering.subscriptions.changing import Change, resumed
from metering.subscriptions.creating import subscription_asked
from metering.subscriptions.ending import cancellation_of
from metering.subscriptions.listing import subscriptions_asked_for
from metering.subscriptions.requests import (
    AnchorName,
    BillingModeParams,
    CancelAtName,
    CancellationDetailsParams,
    CollectionMethodName,
    ListedStatusName,
    PaymentBehaviorName,
    ProrationBehaviorName,
    ResumedAnchorParams,
    SubscriptionCancel,
    SubscriptionCreate,
    SubscriptionItemChangeParams,
    SubscriptionItemParams,
    SubscriptionList,
    SubscriptionPause,
    SubscriptionResume,
    SubscriptionUpdate,
)
from metering.subscriptions.resources import Subscription
from metering.subscriptions.writing import (
    living_subscription,
    shown_subscriptions,
    subscription_of,
)
from projections.customers.queries import CustomerQueries
from projections.kernels.subscriptions.schedule import SubscriptionStatus, status_at
from projections.prices.queries import PriceQueries
from projections.subscriptions.queries import SubscriptionQueries


class Subscriptions:
    """The subscriptions of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(  # noqa: PLR0913  # the attributes of a subscription have names
        self,
        *,
        customer: str,
        items: Sequence[SubscriptionItemParams],
        currency: str | None = None,
        billing_mode: BillingModeParams | None = None,
        backdate_start_date: Time | None = None,
        billing_cycle_anchor: Time | None = None,
        trial_end: Time | Literal["now"] | None = None,
        trial_period_days: int | None = None,
        trial_from_plan: bool = False,
        cancel_at: Time | CancelAtName | None = None,
        cancel_at_period_end: bool = False,
        collection_method: CollectionMethodName = "charge_automatically",
        days_until_due: int | None = None,
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
        payment_behavior: PaymentBehaviorName | None = None,
        proration_behavior: ProrationBehaviorName | None = None,
    ) -> Subscription:
        """Create a subscription, which is active at once, or on trial.

        Times count to the second. Each item has periods of its price's interval.

        Args:
            customer: any string that is not empty; it need not name one of `Customers`.
            items: 1 to 20, ``{"price": …}`` of an active meter's price, or ``{"price": …,
                "quantity": 3}``.
            currency: in which it is paid; that of the first price if left out.
            billing_mode: ``{"type": "classic"}`` has one interval for all its prices.
            backdate_start_date: from when on it is billed, in the past.
            billing_cycle_anchor: where periods begin, in the future and at most one
                period away; until then there is one shorter period.
            trial_end: until when it is on trial, which is one period that costs nothing.
            trial_period_days: the same, in days from now.
            trial_from_plan: whether to take the longest trial that its prices have.
            cancel_at: when it ends, or ``"min_period_end"`` or ``"max_period_end"`` for
                the end of the first or the last of its current periods.
            cancel_at_period_end: whether it ends with the first of its current periods.
            collection_method: how invoices are paid.
            days_until_due: how long a customer has for it, where invoices are sent.
            description: up to 500 characters, for the customer.
            metadata: up to 50 strings of the caller's own.
            payment_behavior: changes nothing, since no payment is made.
            proration_behavior: changes nothing, since no amount is prorated.

        Raises:
            ResourceMissingError: there is no such price, or the customer was deleted.
            InvalidRequestError: an argument is malformed or does not fit another, or a
                price is inactive, paid once, or not in the currency.
        """
        asked = checked(
            SubscriptionCreate,
            customer=customer,
            items=items,
            currency=currency,
            billing_mode=billing_mode,
            backdate_start_date=backdate_start_date,
            billing_cycle_anchor=billing_cycle_anchor,
            trial_end=trial_end,
            trial_period_days=trial_period_days,
            trial_from_plan=trial_from_plan,
            cancel_at=cancel_at,
            cancel_at_period_end=cancel_at_period_end,
            collection_method=collection_method,
            days_until_due=days_until_due,
            description=description,
            metadata=metadata,
            payment_behavior=payment_behavior,
            proration_behavior=proration_behavior,
        )
        with self._engine.writing_of(asked.customer) as writing:
            known = CustomerQueries(writing.connection).customer(asked.customer)
            if known is not None and known.is_deleted:
                raise ResourceMissingError("customer", customer, param="customer")
            seen = PriceQueries(writing.connection)
            created = subscription_asked(asked, self._engine.new_id, seen, writing.now)
            writing.record([created])
        return self.retrieve(created.subscription_id)

    def update(  # noqa: PLR0913  # the attributes of a subscription have names
        self,
        subscription_id: str,
        *,
        items: Sequence[SubscriptionItemChangeParams] = (),
        billing_cycle_anchor: AnchorName = "unchanged",
        trial_end: Time | Literal["now"] | None = None,
        cancel_at: Time | CancelAtName | UnsetType | None = UNSET,
        cancel_at_period_end: bool | UnsetType = UNSET,
        cancellation_details: CancellationDetailsParams | None = None,
        collection_method: CollectionMethodName | UnsetType = UNSET,
        days_until_due: int | UnsetType | None = UNSET,
        description: str | UnsetType | None = UNSET,
        metadata: Mapping[str, str | None] | UnsetType | None = UNSET,
        payment_behavior: PaymentBehaviorName | None = None,
        proration_behavior: ProrationBehaviorName | None = None,
    ) -> Subscription:
        """Change a subscription from now on.

        What is left out stays as it is, and None or ``""`` takes a value away.

        Args:
            subscription_id: of the subscription.
            items: ``{"id": …, "price": …}`` replaces the price of an item from now on,
                ``{"id": …, "deleted": True}`` ends it, and without an id there is a new
                one. Other items stay as they are.
            billing_cycle_anchor: ``"now"`` ends the current periods and begins others.
            trial_end: until when it is on trial; ``"now"`` ends the trial.
            cancel_at: when it ends; None takes that back.
            cancel_at_period_end: whether it ends with the first of its current periods;
                False takes that back.
            cancellation_details: ``{"comment": …, "feedback": …}``.
            collection_method: how invoices are paid.
            days_until_due: how long a customer has for it, where invoices are sent.
            description: for the customer.
            metadata: is merged into its own: an empty string removes its key, and None or
                ``""`` removes every pair.
            payment_behavior: changes nothing, since no payment is made.
            proration_behavior: changes nothing, since no amount is prorated.

        Raises:
            ResourceMissingError: there is no such subscription, item or price.
            InvalidRequestError: an argument is malformed or does not fit another, a
                price cannot be used or measures something else, or more is asked of a
                canceled subscription than its metadata and its cancellation details.
        """
        asked = checked(
            SubscriptionUpdate,
            items=items,
            billing_cycle_anchor=billing_cycle_anchor,
            trial_end=trial_end,
            cancel_at=cancel_at,
            cancel_at_period_end=cancel_at_period_end,
            cancellation_details=cancellation_details,
            collection_method=collection_method,
            days_until_due=days_until_due,
            description=description,
            metadata=metadata,
            payment_behavior=payment_behavior,
            proration_behavior=proration_behavior,
        )
        with self._engine.writing() as writing:
            seen = SubscriptionQueries(writing.connection)
            known = subscription_of(seen, subscription_id)
            self._engine.follow(writing, known.customer)
            change = Change(
                known=known,
                asked=asked,
                seen=PriceQueries(writing.connection),
                now=writing.now,
                new_id=self._engine.new_id,
            )
            updated = change.updated()
            if updated is not None:
                writing.record([updated])
        return self.retrieve(subscription_id)

    def cancel(
        self,
        subscription_id: str,
        *,
        cancellation_details: CancellationDetailsParams | None = None,
        invoice_now: bool | None = None,
        prorate: bool | None = None,
    ) -> Subscription:
        """End a subscription now; `update` ends it with its period.

        Args:
            subscription_id: of the subscription.
            cancellation_details: ``{"comment": …, "feedback": …}``.
            invoice_now: changes nothing; a statement says what is due.
            prorate: changes nothing, since no amount is prorated.

        Raises:
            ResourceMissingError: there is no such subscription, or it has ended.
            InvalidRequestError: an argument is malformed.
        """
        asked = checked(
            SubscriptionCancel,
            cancellation_details=cancellation_details,
            invoice_now=invoice_now,
            prorate=prorate,
        )
        with self._engine.writing() as writing:
            known = living_subscription(self._engine, writing, subscription_id)
            details = cancellation_of(asked.cancellation_details, known.cancellation)
            canceled = SubscriptionCanceled(
                subscription_id=subscription_id, cancellation=details
            )
            writing.record([canceled])
        return self.retrieve(subscription_id)

    def pause(
        self,
        subscription_id: str,
        *,
        type: Literal["subscription"] = "subscription",  # noqa: A002  # Stripe's name
    ) -> Subscription:
        """Bill nothing from now on; the current periods end.

        Args:
            subscription_id: of the subscription.
            type: what is paused.

        Raises:
            ResourceMissingError: there is no such subscription, or it has ended.
            InvalidRequestError: it is paused.
        """
        checked(SubscriptionPause, type=type)
        with self._engine.writing() as writing:
            known = living_subscription(self._engine, writing, subscription_id)
            if status_at(known, writing.now) is SubscriptionStatus.PAUSED:
                raise InvalidRequestError(
                    f"Subscription {subscription_id} is paused already", param="id"
                )
            writing.record([SubscriptionPaused(subscription_id=subscription_id)])
        return self.retrieve(subscription_id)

    def resume(
        self,
        subscription_id: str,
        *,
        billing_cycle_anchor: ResumedAnchorParams | None = None,
        payment_behavior: Literal[
            "resume_on_payment_attempt", "resume_on_payment_success"
        ]
        | None = None,
        proration_behavior: ProrationBehaviorName | None = None,
    ) -> Subscription:
        """Bill a paused subscription from now on.

        Args:
            subscription_id: of the subscription.
            billing_cycle_anchor: ``{"type": "unchanged"}`` ends the next periods where
                they would have ended without the pause; else they begin anew.
            payment_behavior: changes nothing, since no payment is made.
            proration_behavior: changes nothing, since no amount is prorated.

        Raises:
            ResourceMissingError: there is no such subscription, or it has ended.
            InvalidRequestError: it is not paused, or an argument is malformed.
        """
        asked = checked(
            SubscriptionResume,
            billing_cycle_anchor=billing_cycle_anchor,
            payment_behavior=payment_behavior,
            proration_behavior=proration_behavior,
        )
        with self._engine.writing() as writing:
            known = living_subscription(self._engine, writing, subscription_id)
            writing.record([resumed(known, asked, writing.now)])
        return self.retrieve(subscription_id)

    def retrieve(self, subscription_id: str) -> Subscription:
        """Return a subscription by its id, ended or not.

        Raises:
            ResourceMissingError: there is no such subscription.
        """
        with self._engine.log.read() as connection:
            head, seen = read_head(connection), SubscriptionQueries(connection)
            found = subscription_of(seen, subscription_id)
            now = self._engine.present(seen, found.customer, head=head)
            [shown] = shown_subscriptions(self._engine, seen, [found], now, head)
        return shown

    def list(  # noqa: PLR0913  # Stripe's filters have names
        self,
        customer: str | None = None,
        *,
        price: str | None = None,
        status: ListedStatusName | None = None,
        collection_method: CollectionMethodName | None = None,
        created: Time | CreatedBounds | None = None,
        test_clock: str | None = None,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[Subscription]:
        """Return subscriptions that have not ended, newest first.

        Those of customers of test clocks are left out unless the clock or the customer is
        named.

        Args:
            customer: whose they are; None is everyone's.
            price: only those with an item of this price.
            status: only those with it; ``"all"`` is every one, ``"ended"`` those that
                were canceled.
            collection_method: only those whose invoices are paid so.
            created: at a time, or within bounds: ``{"gte": …, "lt": …}``.
            test_clock: id of a test clock, the subscriptions of whose customers are
                listed.
            limit: 1 to 100.
            starting_after: id of the subscription before the first one to list.
            ending_before: id of the subscription behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no subscription.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                SubscriptionList,
                customer=customer,
                price=price,
                status=status,
                collection_method=collection_method,
                created=created,
                test_clock=test_clock,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: SubscriptionList) -> ListObject[Subscription]:
        return listed(asked, subscriptions_asked_for(self._engine, asked), self._page)
