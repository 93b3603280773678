"""Requests about subscriptions, and the objects that callers pass in them.

Stripe's parameters on payments and prorations are taken, and change nothing: no payment
is made here, and no amount is prorated.
Source: https://docs.stripe.com/api/subscriptions/create and its neighbours.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from metering.arguments.currencies import Currency
from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.strings import CustomerId, Id, OthersId
from metering.arguments.times import CreatedBounds, Time
from projections.kernels.subscriptions.definitions import ITEMS_MAX

QUANTITY_MAX = 1_000_000_000

BillingModeName = Literal["classic", "flexible"]
CancelAtName = Literal["min_period_end", "max_period_end"]
CollectionMethodName = Literal["charge_automatically", "send_invoice"]
AnchorName = Literal["now", "unchanged"]
FeedbackName = Literal[
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
]
PaymentBehaviorName = Literal[
    "allow_incomplete",
    "default_incomplete",
    "error_if_incomplete",
    "pending_if_incomplete",
]
ProrationBehaviorName = Literal["always_invoice", "create_prorations", "none"]
StatusName = Literal["trialing", "active", "paused", "canceled"]
ListedStatusName = Literal[
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
]
Quantity = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
TrialDays = Annotated[int, Meta(ge=1, le=730)]
DaysUntilDue = Annotated[int, Meta(ge=0, le=3_650)]
SubscriptionDescription = Annotated[str, Meta(min_length=1, max_length=500)]
Comment = Annotated[str, Meta(max_length=5_000)]


class BillingModeParams(TypedDict):
    """Whether the prices of a subscription may have different intervals.

    Attributes:
        type: classic has one interval for all of them.
    """

    type: BillingModeName


class SubscriptionItemParams(TypedDict):
    """An item that a subscription begins with.

    Attributes:
        price: id of an active, recurring price.
        quantity: of a licensed price, 1 if left out; a meter says that of a metered one.
        metadata: pairs of your own.
    """

    price: Id
    quantity: NotRequired[Quantity | None]
    metadata: NotRequired[Metadata | None]


class SubscriptionItemChangeParams(TypedDict, total=False):
    """What becomes of an item, or a new item.

    Attributes:
        id: of the item; a new one if left out.
        price: id of the price from now on.
        quantity: from now on.
        metadata: pairs that are added or replaced; an empty value removes its key.
        deleted: whether the item ends now.
        clear_usage: changes nothing; usage is kept.
    """

    id: Id | None
    price: Id | None
    quantity: Quantity | None
    metadata: Metadata | None
    deleted: bool | None
    clear_usage: bool | None


Items = Annotated[
    Sequence[SubscriptionItemParams], Meta(min_length=1, max_length=ITEMS_MAX)
]
ItemChanges = Annotated[
    Sequence[SubscriptionItemChangeParams], Meta(max_length=2 * ITEMS_MAX)
]


class CancellationDetailsParams(TypedDict, total=False):
    """Why a customer ends a subscription.

    Attributes:
        comment: in the customer's words.
        feedback: which reason the customer chose.
    """

    comment: Comment | None
    feedback: FeedbackName | None


class ResumedAnchorParams(TypedDict):
    """Where periods begin when a subscription is resumed.

    Attributes:
        type: now, or where they began before.
    """

    type: AnchorName


class SubscriptionCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What a subscription is created with.

    Attributes:
        customer: who pays.
        items: 1 to 20 prices.
        currency: ISO 4217 code; that of the first price if left out.
        billing_mode: whether prices may have different intervals; flexible if left out.
        backdate_start_date: from when on it is billed, in the past.
        billing_cycle_anchor: where periods begin, in the future and at most one away.
        trial_end: until when nothing is billed; now is no trial.
        trial_period_days: the same, in days from now.
        trial_from_plan: whether to take the longest trial of the prices.
        cancel_at: when it ends, or the end of the first or last of its current periods.
        cancel_at_period_end: whether it ends with the first of its current periods.
        collection_method: how invoices are paid.
        days_until_due: how long a customer has for it, where invoices are sent.
        description: for the customer.
        metadata: pairs of your own.
        payment_behavior: changes nothing.
        proration_behavior: changes nothing.
    """

    customer: CustomerId
    items: Items
    currency: Currency | None = None
    billing_mode: BillingModeParams | None = None
    backdate_start_date: Time | None = None
    billing_cycle_anchor: Time | None = None
    trial_end: Time | Literal["now"] | None = None
    trial_period_days: TrialDays | None = None
    trial_from_plan: bool = False
    cancel_at: Time | CancelAtName | None = None
    cancel_at_period_end: bool = False
    collection_method: CollectionMethodName = "charge_automatically"
    days_until_due: DaysUntilDue | None = None
    description: SubscriptionDescription | None = None
    metadata: Metadata | UnsetType | None = UNSET
    payment_behavior: PaymentBehaviorName | None = None
    proration_behavior: ProrationBehaviorName | None = None


class SubscriptionUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a subscription can be changed, from now on.

    Attributes:
        items: what becomes of items, and new ones; others stay as they are.
        billing_cycle_anchor: now, where periods are to begin anew.
        trial_end: until when nothing is billed; now ends the trial.
        cancel_at: when it ends, or the end of the first or last of its current periods.
        cancel_at_period_end: whether it ends with the first of its current periods.
        cancellation_details: why it ends.
        collection_method: how invoices are paid.
        days_until_due: how long a customer has for it, where invoices are sent.
        description: for the customer.
        metadata: pairs that are added or replaced; an empty value removes its key.
        payment_behavior: changes nothing.
        proration_behavior: changes nothing.
    """

    items: ItemChanges = ()
    billing_cycle_anchor: AnchorName = "unchanged"
    trial_end: Time | Literal["now"] | None = None
    cancel_at: Time | CancelAtName | UnsetType | None = UNSET
    cancel_at_period_end: bool | UnsetType = UNSET
    cancellation_details: CancellationDetailsParams | None = None
    collection_method: CollectionMethodName | UnsetType = UNSET
    days_until_due: DaysUntilDue | UnsetType | None = UNSET
    description: SubscriptionDescription | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    payment_behavior: PaymentBehaviorName | None = None
    proration_behavior: ProrationBehaviorName | None = None


class SubscriptionCancel(msgspec.Struct, frozen=True, kw_only=True):
    """How a subscription is ended now.

    Attributes:
        cancellation_details: why it ends.
        invoice_now: changes nothing; a statement says what is due.
        prorate: changes nothing.
    """

    cancellation_details: CancellationDetailsParams | None = None
    invoice_now: bool | None = None
    prorate: bool | None = None


class SubscriptionPause(msgspec.Struct, frozen=True, kw_only=True):
    """How a subscription is paused.

    Attributes:
        type: what is paused: all of it.
    """

    type: Literal["subscription"] = "subscription"


class SubscriptionResume(msgspec.Struct, frozen=True, kw_only=True):
    """How a subscription is resumed.

    Attributes:
        billing_cycle_anchor: where periods begin; now if left out.
        payment_behavior: changes nothing.
        proration_behavior: changes nothing.
    """

    billing_cycle_anchor: ResumedAnchorParams | None = None
    payment_behavior: (
        Literal["resume_on_payment_attempt", "resume_on_payment_success"] | None
    ) = None
    proration_behavior: ProrationBehaviorName | None = None


class SubscriptionList(PageRequest, frozen=True, kw_only=True):
    """Which subscriptions are listed.

    Attributes:
        customer: only those of this customer.
        price: only those with an item of this price.
        status: only those with this status; all of them, those that ended, or all that
            did not if left out.
        collection_method: only those whose invoices are paid so.
        created: only those created then, or within these bounds.
        test_clock: only those of customers that live by this test clock; if left out,
            and no customer is given, those of customers of none.
    """

    customer: CustomerId | None = None
    price: OthersId | None = None
    status: ListedStatusName | None = None
    collection_method: CollectionMethodName | None = None
    created: Time | CreatedBounds | None = None
    test_clock: Id | None = None
