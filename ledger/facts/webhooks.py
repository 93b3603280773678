"""Facts about webhook endpoints: where events are sent to, and which.

No secret is in the log, which is kept for ever and read by many. Times are microseconds
since 1970 UTC.
Source of the words: https://docs.stripe.com/api/webhook_endpoints
"""

import enum

import msgspec


class SignatureScheme(enum.Enum):
    """How deliveries are signed: as Stripe does, or as Standard Webhooks says."""

    STRIPE = "stripe"
    STANDARD = "standard"


class EndpointStatus(enum.Enum):
    """Whether events are sent to an endpoint."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class WebhookEndpointCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="webhook_endpoint.created",
):
    """Events of some types are sent to a URL from now on; ``*`` is every type."""

    endpoint_id: str
    url: str
    enabled_events: tuple[str, ...]
    description: str | None
    metadata: dict[str, str]
    signature: SignatureScheme


class WebhookEndpointUpdated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="webhook_endpoint.updated",
):
    """An endpoint was changed: everything as it is now."""

    endpoint_id: str
    url: str
    enabled_events: tuple[str, ...]
    description: str | None
    metadata: dict[str, str]
    status: EndpointStatus


class WebhookEndpointSecretRotated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="webhook_endpoint.secret_rotated",
):
    """An endpoint was given another secret; earlier ones sign until `overlap_ends`."""

    endpoint_id: str
    overlap_ends: int


class WebhookEndpointDeleted(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="webhook_endpoint.deleted",
):
    """Nothing is sent to an endpoint any more."""

    endpoint_id: str
