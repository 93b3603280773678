"""The closed union of facts, and its one encoding: a JSON array of tagged objects."""

from collections.abc import Sequence

import msgspec

from ledger.facts.adjustments import MeterEventCancelled
from ledger.facts.alerts import (
    AlertActivated,
    AlertArchived,
    AlertDeactivated,
    CreditAlertCreated,
    CreditAlertTriggered,
    UsageAlertCreated,
    UsageAlertTriggered,
)
from ledger.facts.credits import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantLapsed,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
)
from ledger.facts.log_time import LogTimeCorrected
from ledger.facts.meters import (
    MeterCreated,
    MeterDeactivated,
    MeterReactivated,
    MeterUpdated,
)
from ledger.facts.prices import (
    PriceCreated,
    PriceUpdated,
    ProductCreated,
    ProductUpdated,
)
from ledger.facts.webhooks import (
    WebhookEndpointCreated,
    WebhookEndpointDeleted,
    WebhookEndpointSecretRotated,
    WebhookEndpointUpdated,
)

Fact = (
    MeterCreated
    | MeterUpdated
    | MeterDeactivated
    | MeterReactivated
    | MeterEventCancelled
    | CreditGrantCreated
    | CreditGrantUpdated
    | CreditGrantExpired
    | CreditGrantVoided
    | CreditGrantLapsed
    | CreditsApplied
    | CreditsReinstated
    | UsageAlertCreated
    | AlertActivated
    | AlertDeactivated
    | AlertArchived
    | UsageAlertTriggered
    | CreditAlertCreated
    | CreditAlertTriggered
    | WebhookEndpointCreated
    | WebhookEndpointUpdated
    | WebhookEndpointSecretRotated
    | WebhookEndpointDeleted
    | LogTimeCorrected
    | ProductCreated
    | ProductUpdated
    | PriceCreated
    | PriceUpdated
)

_ENCODER = msgspec.json.Encoder(decimal_format="string", order="deterministic")
_DECODER = msgspec.json.Decoder(tuple[Fact, ...])


def encode_facts(facts: Sequence[Fact]) -> bytes:
    """Encode facts in their order; equal facts give equal bytes."""
    return _ENCODER.encode(list(facts))


def decode_facts(body: bytes) -> tuple[Fact, ...]:
    """Decode what `encode_facts` wrote.

    Raises:
        msgspec.DecodeError: the bytes are not a list of known facts.
    """
    return _DECODER.decode(body)
