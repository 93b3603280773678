"""``metering webhooks``: which endpoints receive events, and how deliveries went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer
from msgspec import UNSET

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.cli.options import (
    FieldOption,
    MetadataOption,
    argument,
    given_metadata,
    option,
)
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.screen import Cell, Column
from metering.cli.screens.text import counted, moment, number
from metering.webhooks.requests import (
    OVERLAP,
    OVERLAP_MAX,
    EventType,
    SignatureName,
    WebhookEndpointCreate,
)

_ALLOW_PRIVATE = ["allow_private_webhooks"]
_HOUR = timedelta(hours=1)

_EndpointArgument = Annotated[str, argument("ENDPOINT", "Its id.")]
_UrlOption = FieldOption(WebhookEndpointCreate)
_DescriptionOption = Annotated[
    str | None, FieldOption(WebhookEndpointCreate, metavar="TEXT")
]
_TypesOption = Annotated[
    list[str] | None, FieldOption(WebhookEndpointCreate, "enabled_events", "TYPE")
]


def _details(
    _: metering.Metering, endpoint: metering.WebhookEndpoint
) -> list[tuple[str, Cell]]:
    return [
        ("id", endpoint.id),
        ("url", endpoint.url),
        ("events", _types(endpoint)),
        ("signature", endpoint.signature),
        ("status", endpoint.status),
        ("description", endpoint.description),
    ]


WEBHOOKS = Resource(
    details=_details, argument=_EndpointArgument, calls=lambda m: m.webhook_endpoints
)


@WEBHOOKS.lists
def webhooks(m: metering.Metering) -> Listing[metering.WebhookEndpoint]:
    """List webhook endpoints, newest first; or change them, and see how deliveries went.

    metering worker makes the deliveries.
    """
    none = "No endpoints; make one with webhooks create."
    return Listing(
        m.webhook_endpoints.list(limit=LIMIT_MAX).auto_paging_iter(),
        _endpoint_columns,
        none=none,
    )


@WEBHOOKS.command(settings=_ALLOW_PRIVATE)
def create(  # a command's options are its arguments
    m: metering.Metering,
    *,
    url: Annotated[str, _UrlOption],
    event: _TypesOption = None,
    description: _DescriptionOption,
    metadata: MetadataOption,
    signature: Annotated[SignatureName, FieldOption(WebhookEndpointCreate)],
) -> metering.WebhookEndpoint:
    """Send events to a URL from now on. The secret that signs them is shown this once."""
    return m.webhook_endpoints.create(
        url=url,
        enabled_events=event or ["*"],
        description=description,
        metadata=given_metadata(metadata),
        signature=signature,
    )


WEBHOOKS.actions(retrieve="Show an endpoint.")


@WEBHOOKS.command(settings=_ALLOW_PRIVATE)
def update(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    endpoint: _EndpointArgument,
    *,
    url: Annotated[str | None, _UrlOption] = None,
    event: _TypesOption = None,
    description: _DescriptionOption,
    metadata: MetadataOption,
    disabled: Annotated[
        bool | None,
        typer.Option("--disable/--enable", help="Stop sending events, or start again."),
    ] = None,
) -> metering.WebhookEndpoint:
    """Change an endpoint; what is left out stays as it is."""
    return m.webhook_endpoints.update(
        endpoint,
        url=UNSET if url is None else url,
        enabled_events=UNSET if event is None else event,
        description=UNSET if description is None else description,
        metadata=UNSET if metadata is None else given_metadata(metadata),
        disabled=UNSET if disabled is None else disabled,
    )


@WEBHOOKS.command()
def rotate(
    m: metering.Metering,
    endpoint: _EndpointArgument,
    *,
    overlap: Annotated[
        int,
        option(
            "HOURS",
            "How long the old secret signs as well.",
            min=0,
            max=OVERLAP_MAX // _HOUR,
        ),
    ] = OVERLAP // _HOUR,
) -> metering.WebhookEndpoint:
    """Give an endpoint another secret, which is shown this once."""
    return m.webhook_endpoints.rotate_secret(endpoint, overlap=overlap * _HOUR)


@WEBHOOKS.command()
def encrypt(m: metering.Metering) -> Done:
    """Encrypt all secrets under the first key of METERING_SECRET_KEY.

    New secrets are encrypted where it is set. To replace a key, put the new one before it,
    encrypt, and leave the old one out.
    """
    encrypted = m.webhook_endpoints.encrypt_secrets()
    said = f"Encrypted {counted(encrypted, 'secret')}; the others were already"
    return Done({"encrypted": encrypted}, said)


@WEBHOOKS.command()
def delete(m: metering.Metering, endpoint: _EndpointArgument) -> Done:
    """Delete an endpoint with its deliveries."""
    m.webhook_endpoints.delete(endpoint)
    return Done({"id": endpoint, "deleted": True}, f"Deleted {endpoint}")


@WEBHOOKS.command(lists=True)
def deliveries(
    m: metering.Metering, endpoint: _EndpointArgument
) -> Listing[metering.WebhookDelivery]:
    """List the last 100 deliveries to an endpoint, newest first, with each attempt."""
    found = m.webhook_endpoints.deliveries(endpoint, limit=LIMIT_MAX)
    return Listing(found, _delivery_columns, none="Nothing was to be sent.")


@WEBHOOKS.command(lists=True)
def events(
    m: metering.Metering,
    *,
    of_type: Annotated[
        EventType | None, typer.Option("--type", help="Only those of this type.")
    ] = None,
) -> Listing[metering.Event]:
    """List what happened, as endpoints receive it, newest first."""
    m.catch_up()
    found = m.events.list(type=of_type, limit=LIMIT_MAX).auto_paging_iter()
    return Listing(found, _event_columns, none="Nothing happened.")


@WEBHOOKS.command(settings=_ALLOW_PRIVATE)
def deliver(m: metering.Metering) -> Done:
    """Make every attempt that is due, once. metering worker does it continually."""
    receipt = m.deliver()
    failed = counted(receipt.failed, "failed attempt")
    return Done(receipt, f"{counted(receipt.delivered, 'event')} delivered, {failed}")


def _endpoint_columns(
    _: Sequence[metering.WebhookEndpoint],
) -> list[Column[metering.WebhookEndpoint]]:
    return [
        Column("id", lambda endpoint: endpoint.id),
        Column("status", lambda endpoint: endpoint.status),
        Column("events", _types),
        Column("signature", lambda endpoint: endpoint.signature),
        Column("url", lambda endpoint: endpoint.url, is_whole=True),
    ]


def _delivery_columns(
    _: Sequence[metering.WebhookDelivery],
) -> list[Column[metering.WebhookDelivery]]:
    return [
        Column("event", lambda delivery: delivery.event),
        Column("type", lambda delivery: delivery.type),
        Column("status", lambda delivery: delivery.status),
        Column("attempts", lambda delivery: len(delivery.attempts)),
        Column("last answer", _last_answer),
        Column("took", _took, is_number=True),
        Column("next attempt (UTC)", lambda delivery: delivery.next_attempt_at),
    ]


def _event_columns(_: Sequence[metering.Event]) -> list[Column[metering.Event]]:
    return [
        Column("created (UTC)", lambda event: moment(event.created)),
        Column("type", lambda event: event.type),
        Column("about", _about),
        Column("id", lambda event: event.id, is_whole=True),
    ]


def _types(endpoint: metering.WebhookEndpoint) -> str:
    types = endpoint.enabled_events
    return "all" if "*" in types else ", ".join(types)


def _last_answer(delivery: metering.WebhookDelivery) -> Cell:
    if not delivery.attempts:
        return None
    last = delivery.attempts[-1]
    return last.error or str(last.status_code)


def _took(delivery: metering.WebhookDelivery) -> Cell:
    if not delivery.attempts:
        return None
    return f"{number(delivery.attempts[-1].duration_ms)} ms"


def _about(event: metering.Event) -> str:
    match event.data.object:
        case metering.AlertTriggered() as triggered:
            return f"{triggered.alert.title}: {triggered.customer}"
        case metering.SpendLimitWarning() as warning:
            return (
                f"{warning.percentage} % of {warning.spend_limit}: {warning.customer}"
            )
        case metering.Meter() as meter:
            return meter.event_name
        case metering.ActiveEntitlementSummary() as summary:
            return summary.customer
        case metering.CreditPoolMember() as member:
            return f"{member.pool}: {member.customer}"
        case other:
            # Only what is recorded has an event, and so an id.
            return other.id or ""


group = WEBHOOKS.group
