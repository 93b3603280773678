"""Subscriptions as callers get them back: frozen, with Stripe's field names.

Times are aware datetimes in UTC. What only a payment would need is there, and None.
Source: https://docs.stripe.com/api/subscriptions/object
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from metering.bodies import ResourceObject
from metering.prices.requests import BillingSchemeName, IntervalName, UsageTypeName
from metering.prices.resources import Price, TransformQuantity
from metering.subscriptions.requests import (
    BillingModeName,
    CollectionMethodName,
    StatusName,
)


class AutomaticTax(ResourceObject, frozen=True, kw_only=True):
    """Whether tax is worked out, which it is not."""

    disabled_reason: None = None
    enabled: bool = False
    liability: None = None


class FlexibleBilling(ResourceObject, frozen=True, kw_only=True):
    """How a subscription of the flexible mode is billed."""

    proration_discounts: Literal["included"] = "included"


class SubscriptionBillingMode(ResourceObject, frozen=True, kw_only=True):
    """Whether the prices of a subscription may have different intervals."""

    flexible: FlexibleBilling | None
    type: BillingModeName


class CancellationDetails(ResourceObject, frozen=True, kw_only=True):
    """Why a subscription ends."""

    comment: str | None
    feedback: str | None
    reason: Literal["cancellation_requested"] | None


class InvoiceIssuer(ResourceObject, frozen=True, kw_only=True):
    """Who writes invoices."""

    type: Literal["self"] = "self"


class SubscriptionInvoiceSettings(ResourceObject, frozen=True, kw_only=True):
    """What the subscription's invoices begin with."""

    account_tax_ids: None = None
    issuer: InvoiceIssuer = InvoiceIssuer()


class PaymentSettings(ResourceObject, frozen=True, kw_only=True):
    """How invoices are paid, which they are not here."""

    payment_method_options: None = None
    payment_method_types: None = None
    save_default_payment_method: Literal["off"] = "off"


class TrialEndBehavior(ResourceObject, frozen=True, kw_only=True):
    """What follows a trial where no way to pay is known."""

    missing_payment_method: Literal["create_invoice"] = "create_invoice"


class TrialSettings(ResourceObject, frozen=True, kw_only=True):
    """What follows a trial."""

    end_behavior: TrialEndBehavior = TrialEndBehavior()


class Plan(ResourceObject, frozen=True, kw_only=True):
    """The price of an item in the words that Stripe had before prices."""

    id: str
    object: Literal["plan"] = "plan"
    active: bool
    amount: int | None
    amount_decimal: Decimal | None
    billing_scheme: BillingSchemeName
    created: datetime
    currency: str
    interval: IntervalName
    interval_count: int
    livemode: bool
    metadata: dict[str, str]
    meter: str | None
    nickname: str | None
    product: str
    tiers_mode: Literal["graduated", "volume"] | None
    transform_usage: TransformQuantity | None
    trial_period_days: int | None
    usage_type: UsageTypeName


class ItemPriceSince(ResourceObject, frozen=True, kw_only=True):
    """What an item cost from an instant on.

    Attributes:
        quantity: None where a meter says it.
    """

    price: str
    quantity: int | None
    since: datetime


class SubscriptionItem(ResourceObject, frozen=True, kw_only=True):
    """A price that a customer pays.

    Attributes:
        ended_at: when it was taken out of the subscription; None where it is in it.
        price_history: its prices, the earliest first.
        quantity: None where a meter says it.
    """

    beyond_stripe: ClassVar = frozenset({"ended_at", "price_history"})
    absent_where_none: ClassVar = frozenset({"quantity"})

    id: str
    object: Literal["subscription_item"] = "subscription_item"
    billed_until: None = None
    billing_thresholds: None = None
    created: datetime
    current_period_end: datetime
    current_period_start: datetime
    current_trial: None = None
    discounts: tuple[Any, ...] = ()
    ended_at: datetime | None
    metadata: dict[str, str]
    plan: Plan
    price: Price
    price_history: tuple[ItemPriceSince, ...]
    quantity: int | None
    subscription: str
    tax_rates: tuple[Any, ...] = ()


class SubscriptionItemsOf(ResourceObject, frozen=True, kw_only=True):
    """The items of a subscription, all of them."""

    object: Literal["list"] = "list"
    data: tuple[SubscriptionItem, ...]
    has_more: bool = False
    total_count: int
    url: str


class Subscription(ResourceObject, frozen=True, kw_only=True):
    """Which prices a customer pays.

    Attributes:
        canceled_at: when its end was asked for.
        ended_at: when it ended; None where it goes on.
    """

    id: str
    object: Literal["subscription"] = "subscription"
    application: None = None
    application_fee_percent: None = None
    automatic_tax: AutomaticTax = AutomaticTax()
    billing_cycle_anchor: datetime
    billing_cycle_anchor_config: None = None
    billing_mode: SubscriptionBillingMode
    billing_schedules: tuple[Any, ...] = ()
    billing_thresholds: None = None
    cancel_at: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    cancellation_details: CancellationDetails
    collection_method: CollectionMethodName
    created: datetime
    currency: str
    customer: str
    customer_account: None = None
    days_until_due: int | None
    default_payment_method: None = None
    default_source: None = None
    default_tax_rates: tuple[Any, ...] = ()
    description: str | None
    discounts: tuple[Any, ...] = ()
    ended_at: datetime | None
    invoice_settings: SubscriptionInvoiceSettings = SubscriptionInvoiceSettings()
    items: SubscriptionItemsOf
    latest_invoice: None = None
    livemode: bool
    managed_payments: None = None
    metadata: dict[str, str]
    next_pending_invoice_item_invoice: None = None
    on_behalf_of: None = None
    pause_collection: None = None
    payment_settings: PaymentSettings = PaymentSettings()
    pending_invoice_item_interval: None = None
    pending_setup_intent: None = None
    pending_update: None = None
    presentment_details: None = None
    schedule: None = None
    start_date: datetime
    status: StatusName
    status_details: None = None
    test_clock: str | None = None
    transfer_data: None = None
    trial_end: datetime | None
    trial_settings: TrialSettings = TrialSettings()
    trial_start: datetime | None
