"""Resources as Stripe writes them in JSON: times in whole seconds, exact numbers.

Equal resources give equal bytes.
"""

from datetime import datetime

import msgspec

from metering.clock import microseconds
from metering.webhooks.resources import Event

_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def event_body(event: Event) -> bytes:
    """Write an event as it is sent."""
    return _ENCODER.encode(_plain(event))


def _plain(value: object) -> object:
    match value:
        case Event():
            plain = _fields(value)
            if value.data.previous_attributes is None:
                plain["data"] = {"object": _plain(value.data.object)}
            return plain
        case msgspec.Struct():
            return _fields(value)
        case datetime():
            return microseconds(value) // 1_000_000
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value


def _fields(value: msgspec.Struct) -> dict[str, object]:
    return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
