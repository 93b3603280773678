"""Requests about events and webhook endpoints, and the objects passed in them.

Source: https://docs.stripe.com/api/webhook_endpoints/create and its neighbours.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.times import CreatedBounds, Time

LONGEST_DESCRIPTION = 5_000
TYPES_MAX = 20
OVERLAP = timedelta(hours=24)
OVERLAP_MAX = timedelta(days=30)

Description = Annotated[str, Meta(min_length=1, max_length=LONGEST_DESCRIPTION)]
EnabledEvents = Annotated[Sequence[str], Meta(min_length=1)]

EventType = Literal[
    "billing.alert.triggered",
    "billing.credit_balance_transaction.created",
    "billing.credit_grant.created",
    "billing.credit_grant.updated",
    "billing.meter.created",
    "billing.meter.deactivated",
    "billing.meter.reactivated",
    "billing.meter.updated",
    "metering.statement.finalized",
    "metering.statement.voided",
    "customer.created",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
    "customer.updated",
    "entitlements.active_entitlement_summary.updated",
    "metering.audit.failed",
    "metering.credit_hold.created",
    "metering.credit_hold.expired",
    "metering.credit_hold.released",
    "metering.credit_hold.settled",
    "metering.credit_pool.archived",
    "metering.credit_pool.created",
    "metering.credit_pool.member_added",
    "metering.credit_pool.member_removed",
    "metering.credit_pool.updated",
    "metering.credit_schedule.canceled",
    "metering.credit_schedule.created",
    "metering.credit_schedule.paused",
    "metering.credit_schedule.resumed",
    "metering.credit_schedule.updated",
    "metering.spend_limit.warned",
    "price.created",
    "price.updated",
    "product.created",
    "product.deleted",
    "product.updated",
    "reporting.report_run.failed",
    "reporting.report_run.succeeded",
    "test_helpers.test_clock.advancing",
    "test_helpers.test_clock.created",
    "test_helpers.test_clock.deleted",
    "test_helpers.test_clock.internal_failure",
    "test_helpers.test_clock.ready",
]

SignatureName = Literal["stripe", "standard"]
"""How events are signed: as by Stripe, or as in Standard Webhooks."""


class WebhookEndpointCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint is created with.

    Attributes:
        url: where to send events.
        enabled_events: types of the events to send, such as billing.alert.triggered; *
            is all.
        description: for people.
        metadata: pairs of your own.
        signature: how events are signed: as by Stripe, or as in Standard Webhooks.
    """

    url: str
    enabled_events: EnabledEvents
    description: Description | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    signature: SignatureName = "stripe"


class WebhookEndpointUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of an endpoint can be changed.

    Attributes:
        url: where to send events.
        enabled_events: types of the events to send, such as billing.alert.triggered; *
            is all.
        description: for people.
        metadata: pairs that are added or replaced; an empty value removes its key.
        disabled: whether to stop sending events.
    """

    url: str | UnsetType = UNSET
    enabled_events: EnabledEvents | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    disabled: bool | UnsetType = UNSET


class EventList(PageRequest, frozen=True, kw_only=True):
    """Which events are listed.

    Attributes:
        created: only those that happened then, or within these bounds.
        delivery_success: only those that reached every endpoint, or that did not.
        type: only those of this type, in which * stands for anything.
        types: only those of these types.
    """

    created: Time | CreatedBounds | None = None
    delivery_success: bool | None = None
    type: str | None = None
    types: Annotated[Sequence[str], Meta(min_length=1, max_length=TYPES_MAX)] | None = (
        None
    )
