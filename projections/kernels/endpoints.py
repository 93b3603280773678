"""Webhook endpoints: what the facts about one add up to."""

from dataclasses import dataclass

from ledger.webhooks import EndpointStatus, SignatureScheme

EVERY_EVENT = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A webhook endpoint as it is.

    Attributes:
        position: that of the fact that created it.
        since: it is sent what comes after this position.
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
    since: int
    created: int

    @property
    def is_enabled(self) -> bool:
        """Whether events are sent to it."""
        return self.status is EndpointStatus.ENABLED

    def wants(self, event_type: str) -> bool:
        """Tell whether events of a type are sent to it."""
        return EVERY_EVENT in self.enabled_events or event_type in self.enabled_events
