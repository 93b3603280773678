"""Own the ordinary endpoint, at a receiver on this machine, that these tests vary."""

import json
from typing import Any

import metering
from tests.webhook_receiver import Receiver


def add_endpoint(
    store: metering.Metering, receiver: Receiver, path: str = "/", **more: Any
) -> metering.WebhookEndpoint:
    """Add an endpoint that wants every event, unless more is said of it."""
    return store.webhook_endpoints.create(
        **{"url": receiver.url + path, "enabled_events": ["*"], **more}
    )


def bodies(receiver: Receiver, path: str | None = None) -> list[Any]:
    """Everything that was received, or what was at a path, read as JSON."""
    received = receiver.received if path is None else receiver.at(path)
    return [json.loads(each.body) for each in received]
