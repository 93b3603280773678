"""Bodies: resources as Stripe writes them in JSON, field by field.

Times are whole seconds, numbers have all their digits, and equal resources give equal
bytes. What the library tells beyond Stripe is left out, so that what Stripe has too has
the fields of Stripe's and no others.
"""

from datetime import datetime
from typing import Any

import msgspec

from metering.alerts.resources import Alert, AlertTriggered, UsageThreshold
from metering.arguments.clock import microseconds
from metering.meters.resources import MeterEventSummary
from metering.usage.resources import MeterEvent
from metering.webhooks.resources import EventData, WebhookEndpoint

Body = dict[str, Any]

_BEYOND_STRIPE: dict[type[msgspec.Struct], frozenset[str]] = {
    MeterEvent: frozenset({"position", "duplicate", "cancelled"}),
    MeterEventSummary: frozenset({"position"}),
    AlertTriggered: frozenset({"position", "event_position", "timestamp"}),
    WebhookEndpoint: frozenset({"signature"}),
}
# Only alerts that Stripe has not have the first three.
_ABSENT_WHERE_NONE: dict[type[msgspec.Struct], frozenset[str]] = {
    Alert: frozenset({"credit_balance_threshold"}),
    UsageThreshold: frozenset({"timezone"}),
    AlertTriggered: frozenset({"window_start"}),
    WebhookEndpoint: frozenset({"secret"}),
    EventData: frozenset({"previous_attributes"}),
}
_NONE: frozenset[str] = frozenset()
_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def body_of(resource: msgspec.Struct) -> Body:
    """Write a resource, ready to be encoded."""
    kind = type(resource)
    beyond = _BEYOND_STRIPE.get(kind, _NONE)
    absent = _ABSENT_WHERE_NONE.get(kind, _NONE)
    body = {}
    for name in resource.__struct_fields__:
        if name in beyond:
            continue
        value = getattr(resource, name)
        if value is None and name in absent:
            continue
        body[name] = _plain(value)
    return body


def encoded(body: Body) -> bytes:
    """Encode a body."""
    return _ENCODER.encode(body)


def _plain(value: object) -> object:
    match value:
        case msgspec.Struct():
            return body_of(value)
        case datetime():
            return microseconds(value) // 1_000_000
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value
