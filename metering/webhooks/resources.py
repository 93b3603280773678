"""Resources of webhooks: what callers get back. Frozen values with Stripe's field names.

Source: https://docs.stripe.com/api/events and https://docs.stripe.com/api/webhook_endpoints
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal

from ledger.records.deliveries import Delivery, DeliveryAttempt, DeliveryState
from metering.alerts.resources import AlertTriggered
from metering.arguments.clock import at_microseconds, at_or_none
from metering.audits.resources import AuditFailure
from metering.bodies import ResourceObject
from metering.credits.resources import CreditBalanceTransaction, CreditGrant
from metering.customers.resources import Customer
from metering.entitlements.resources import ActiveEntitlementSummary
from metering.holds.resources import CreditHold
from metering.limits.resources import SpendLimitWarning
from metering.meters.resources import Meter
from metering.pools.resources import CreditPool, CreditPoolMember
from metering.prices.resources import Price, Product
from metering.reporting.resources import ReportRun
from metering.schedules.resources import CreditSchedule
from metering.statements.resources import Statement
from metering.subscriptions.resources import Subscription
from metering.test_clocks.resources import TestClock
from metering.webhooks.requests import EventType, SignatureName

API_VERSION = "2026-10-28.endive"
"""Whose shapes events have."""


EventObject = (
    ActiveEntitlementSummary
    | AlertTriggered
    | AuditFailure
    | CreditBalanceTransaction
    | CreditGrant
    | CreditHold
    | CreditPool
    | CreditPoolMember
    | CreditSchedule
    | Customer
    | Meter
    | Price
    | Product
    | ReportRun
    | SpendLimitWarning
    | Statement
    | Subscription
    | TestClock
)
"""What an event can be about."""


class EventData(ResourceObject, frozen=True, kw_only=True):
    """What an event is about.

    Attributes:
        object: the resource as it was after the event.
        previous_attributes: the attributes that an update changed, with their values
            before; None for other events.
    """

    absent_where_none: ClassVar = frozenset({"previous_attributes"})

    object: EventObject
    previous_attributes: dict[str, Any] | None = None


class Event(ResourceObject, frozen=True, kw_only=True):
    """Something that happened.

    Attributes:
        id: the same each time it is sent or retrieved.
        created: when it was recorded.
        pending_webhooks: how many endpoints it is still to be delivered to; in a
            delivery, how many it was enqueued for.
    """

    id: str
    object: Literal["event"] = "event"
    api_version: str = API_VERSION
    created: datetime
    data: EventData
    livemode: bool
    pending_webhooks: int
    request: None = None
    type: EventType


class WebhookEndpoint(ResourceObject, frozen=True, kw_only=True):
    """Where events are sent.

    Attributes:
        enabled_events: the types that are sent; ``*`` is every type but those of thin
            events.
        secret: signs deliveries; None but where the endpoint is created and where its
            secret is rotated.
        signature: the scheme, Stripe's or Standard Webhooks.
    """

    beyond_stripe: ClassVar = frozenset({"signature"})
    absent_where_none: ClassVar = frozenset({"secret"})
    hidden: ClassVar = frozenset({"secret"})

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    api_version: str = API_VERSION
    application: None = None
    created: datetime
    description: str | None
    enabled_events: tuple[str, ...]
    livemode: bool
    metadata: dict[str, str]
    secret: str | None = None
    signature: SignatureName
    status: Literal["enabled", "disabled"]
    url: str


class WebhookAttempt(ResourceObject, frozen=True, kw_only=True):
    """One attempt to deliver an event.

    Attributes:
        status_code: of the answer; None where there was none.
        error: what went wrong, such as ``timeout``; None where an answer came.
    """

    attempted_at: datetime
    duration_ms: int
    status_code: int | None
    error: str | None


class WebhookDelivery(ResourceObject, frozen=True, kw_only=True):
    """An event on its way to an endpoint, with the attempts so far.

    Attributes:
        event: its id.
        status: ``failed`` is not tried again.
        next_attempt_at: None where no attempt is due.
    """

    event: str
    type: str
    status: Literal["pending", "delivered", "failed"]
    created: datetime
    delivered_at: datetime | None
    next_attempt_at: datetime | None
    attempts: tuple[WebhookAttempt, ...]


class DeliveryReceipt(ResourceObject, frozen=True, kw_only=True):
    """The result of one round of deliveries.

    Attributes:
        enqueued: deliveries added, one for each event and endpoint.
        delivered: attempts answered with a 2xx.
        failed: other attempts; they are repeated when they are due.
    """

    enqueued: int
    delivered: int
    failed: int


def delivery_resource(
    delivery: Delivery, attempts: Sequence[DeliveryAttempt]
) -> WebhookDelivery:
    """Return a delivery as a resource, with its attempts."""
    is_pending = delivery.state is DeliveryState.PENDING
    at, next_at = delivery.delivered_at, delivery.next_attempt_at
    return WebhookDelivery(
        event=delivery.event_id,
        type=delivery.event_type,
        status=delivery.state.value,
        created=at_microseconds(delivery.enqueued_at),
        delivered_at=at_or_none(at),
        next_attempt_at=at_microseconds(next_at) if is_pending else None,
        attempts=tuple(
            WebhookAttempt(
                attempted_at=at_microseconds(each.attempted_at),
                duration_ms=each.duration_ms,
                status_code=each.status_code,
                error=each.error,
            )
            for each in attempts
        ),
    )
