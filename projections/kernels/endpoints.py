"""Webhook endpoints: what the facts about one add up to."""

from dataclasses import dataclass, replace

from msgspec.structs import asdict

from ledger.facts.webhooks import (
    EndpointStatus,
    SignatureScheme,
    WebhookEndpointCreated,
    WebhookEndpointUpdated,
)

EVERY_EVENT = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A webhook endpoint at some position of the log.

    Attributes:
        position: of the fact that created it.
        changed: position of its last change.
        created: microseconds since 1970 UTC.
    """

    position: int
    endpoint_id: str
    url: str
    enabled_events: tuple[str, ...]
    description: str | None
    metadata: dict[str, str]
    signature: SignatureScheme
    status: EndpointStatus
    changed: int
    created: int

    @property
    def is_enabled(self) -> bool:
        """Whether events are sent to it."""
        return self.status is EndpointStatus.ENABLED

    def wants(self, event_type: str) -> bool:
        """Whether events of a type are sent to it."""
        return EVERY_EVENT in self.enabled_events or self.names(event_type)

    def names(self, event_type: str) -> bool:
        """Whether it asks for events of a type by name."""
        return event_type in self.enabled_events


def created(fact: WebhookEndpointCreated, position: int, recorded_at: int) -> Endpoint:
    """Return an endpoint as it was created."""
    return Endpoint(
        **asdict(fact),
        position=position,
        status=EndpointStatus.ENABLED,
        changed=position,
        created=recorded_at,
    )


def updated(
    endpoint: Endpoint, fact: WebhookEndpointUpdated, position: int
) -> Endpoint:
    """Return an endpoint as it is after an update."""
    return replace(endpoint, **asdict(fact), changed=position)
