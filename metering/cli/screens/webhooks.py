"""Screens of ``metering webhooks``: endpoints, events, deliveries and their attempts."""

from collections.abc import Sequence

import metering
from metering.cli.screens.screen import (
    Column,
    show,
    show_command,
    show_pairs,
    show_table,
)
from metering.cli.screens.text import moment, number, second


def show_endpoints(endpoints: Sequence[metering.WebhookEndpoint]) -> None:
    """Show endpoints below each other."""
    titles = ["id", "status", "events", "signature", "url"]
    show_table(
        [Column(title=title, is_whole=title == "url") for title in titles],
        [
            [
                endpoint.id,
                endpoint.status,
                _types(endpoint),
                endpoint.signature,
                endpoint.url,
            ]
            for endpoint in endpoints
        ],
    )


def show_endpoint(endpoint: metering.WebhookEndpoint) -> None:
    """Show one endpoint."""
    pairs = [
        ("id", endpoint.id),
        ("url", endpoint.url),
        ("events", _types(endpoint)),
        ("signature", endpoint.signature),
        ("status", endpoint.status),
    ]
    if endpoint.description is not None:
        pairs.append(("description", endpoint.description))
    pairs += [(key, text) for key, text in endpoint.metadata.items()]
    show_pairs(pairs)


def show_secret(endpoint: metering.WebhookEndpoint) -> None:
    """Show the secret of an endpoint, in one piece."""
    assert endpoint.secret is not None, "it was just made"
    show()
    show("The secret that signs what is sent; it is not shown again:")
    show_command(endpoint.secret)


def show_deliveries(deliveries: Sequence[metering.WebhookDelivery]) -> None:
    """Show deliveries below each other, each with how its last attempt went."""
    show_table(
        [
            Column(title="event"),
            Column(title="type"),
            Column(title="status"),
            Column(title="attempts", is_number=True),
            Column(title="last answer"),
            Column(title="took", is_number=True),
            Column(title="next attempt (UTC)"),
        ],
        [
            [
                delivery.event,
                delivery.type,
                delivery.status,
                number(len(delivery.attempts)),
                _answer(delivery),
                _took(delivery),
                ""
                if delivery.next_attempt_at is None
                else second(delivery.next_attempt_at),
            ]
            for delivery in deliveries
        ],
    )


def show_events(events: Sequence[metering.Event]) -> None:
    """Show events below each other."""
    titles = ["created (UTC)", "type", "about", "id"]
    show_table(
        [Column(title=title, is_whole=title == "id") for title in titles],
        [[moment(each.created), each.type, _about(each), each.id] for each in events],
    )


def _types(endpoint: metering.WebhookEndpoint) -> str:
    types = ", ".join(endpoint.enabled_events)
    return "all" if "*" in endpoint.enabled_events else types


def _answer(delivery: metering.WebhookDelivery) -> str:
    if not delivery.attempts:
        return ""
    last = delivery.attempts[-1]
    return last.error or str(last.status_code)


def _took(delivery: metering.WebhookDelivery) -> str:
    if not delivery.attempts:
        return ""
    return f"{number(delivery.attempts[-1].duration_ms)} ms"


def _about(event: metering.Event) -> str:
    match event.data.object:
        case metering.AlertTriggered() as triggered:
            return f"{triggered.alert.title}: {triggered.customer}"
        case metering.Meter() as meter:
            return meter.event_name
        case other:
            return other.id
