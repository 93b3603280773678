"""Webhook endpoints: what the facts about one add up to."""

from dataclasses import dataclass, replace

from ledger.facts.webhooks import (
    EndpointStatus,
    SignatureScheme,
    WebhookEndpointCreated,
    WebhookEndpointUpdated,
)

EVERY_EVENT = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A webhook endpoint as it is.

    Attributes:
        position: that of the fact that created it.
        changed: position since which it is as it is.
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
        """Tell whether events of a type are sent to it."""
        return EVERY_EVENT in self.enabled_events or self.names(event_type)

    def names(self, event_type: str) -> bool:
        """Tell whether it asks for events of a type by their name."""
        return event_type in self.enabled_events


def created(fact: WebhookEndpointCreated, position: int, recorded_at: int) -> Endpoint:
    """Tell what an endpoint is once it is created."""
    return Endpoint(
        position=position,
        endpoint_id=fact.endpoint_id,
        url=fact.url,
        enabled_events=fact.enabled_events,
        description=fact.description,
        metadata=fact.metadata,
        signature=fact.signature,
        status=EndpointStatus.ENABLED,
        changed=position,
        created=recorded_at,
    )


def updated(
    endpoint: Endpoint, fact: WebhookEndpointUpdated, position: int
) -> Endpoint:
    """Tell what an endpoint is after an update."""
    return replace(
        endpoint,
        url=fact.url,
        enabled_events=fact.enabled_events,
        description=fact.description,
        metadata=fact.metadata,
        status=fact.status,
        changed=position,
    )
