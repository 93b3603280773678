"""Facts about subscriptions: which prices a customer pays, from when and how often.

Instants are microseconds since 1970 UTC. What follows from them and the time needs no
fact: that a trial is over, that a period began, that a subscription ended as planned. Of
two of them it is recorded that they were noticed, so that somebody is told once.
Source of the words: https://docs.stripe.com/api/subscriptions
"""

import enum

import msgspec

from ledger.facts.prices import BillingInterval


class PhaseKind(enum.Enum):
    """What time of a subscription is billed by."""

    TRIAL = "trial"
    ACTIVE = "active"
    PAUSED = "paused"


class CollectionMethod(enum.Enum):
    """How an invoice is paid."""

    CHARGE_AUTOMATICALLY = "charge_automatically"
    SEND_INVOICE = "send_invoice"


class BillingMode(enum.Enum):
    """Whether all prices of a subscription have the same interval."""

    CLASSIC = "classic"
    FLEXIBLE = "flexible"


class Phase(msgspec.Struct, frozen=True, array_like=True):
    """A time of a subscription, until the next phase.

    A trial is one period, a pause is none. Otherwise periods begin at the anchor and at
    each interval of a price after it; the time before the anchor is one period.
    """

    since: int
    kind: PhaseKind
    anchor: int


class ItemTerms(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a subscription as it is from now on.

    The intervals are those of the price, which never change; `quantity` is None where a
    meter says it.
    """

    item_id: str
    price_id: str
    quantity: int | None
    interval: BillingInterval
    interval_count: int
    metadata: dict[str, str]


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a customer wished to end a subscription."""

    comment: str | None
    feedback: str | None


class SubscriptionCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="subscription.created",
):
    """A customer pays prices from now on, or from earlier on.

    The first of `phases` begins where the subscription starts. `cancel_at` is when it
    ends of itself.
    """

    subscription_id: str
    customer: str
    currency: str
    billing_mode: BillingMode
    phases: tuple[Phase, ...]
    trial_end: int | None
    cancel_at: int | None
    cancel_at_period_end: bool
    collection_method: CollectionMethod
    days_until_due: int | None
    description: str | None
    metadata: dict[str, str]
    items: tuple[ItemTerms, ...]


class SubscriptionUpdated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="subscription.updated",
):
    """A subscription was changed: everything that can change, as it is now.

    An item that is not among `items` ends now. What differs of one holds from now on.
    """

    subscription_id: str
    phases: tuple[Phase, ...]
    trial_start: int | None
    trial_end: int | None
    cancel_at: int | None
    cancel_at_period_end: bool
    cancellation: Cancellation
    collection_method: CollectionMethod
    days_until_due: int | None
    description: str | None
    metadata: dict[str, str]
    items: tuple[ItemTerms, ...]


class SubscriptionItemCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="subscription_item.created",
):
    """A subscription has one more item from now on."""

    subscription_id: str
    item: ItemTerms


class SubscriptionPaused(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="subscription.paused",
):
    """A subscription is not billed from now on; the periods that run end."""

    subscription_id: str


class SubscriptionResumed(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="subscription.resumed",
):
    """A subscription is billed again from now on, in these phases."""

    subscription_id: str
    phases: tuple[Phase, ...]


class SubscriptionCanceled(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="subscription.canceled",
):
    """A subscription ended now."""

    subscription_id: str
    cancellation: Cancellation


class SubscriptionTrialEnded(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="subscription.trial_ended",
):
    """It was noticed that time ended a trial."""

    subscription_id: str


class SubscriptionEnded(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="subscription.ended",
):
    """It was noticed that a subscription ended as planned."""

    subscription_id: str


SubscriptionChange = (
    SubscriptionUpdated
    | SubscriptionItemCreated
    | SubscriptionPaused
    | SubscriptionResumed
    | SubscriptionCanceled
    | SubscriptionTrialEnded
    | SubscriptionEnded
)
SubscriptionFact = SubscriptionCreated | SubscriptionChange
