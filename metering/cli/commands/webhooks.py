"""``metering webhooks``: who is told of events, and how that went."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

import typer
from msgspec import UNSET

import metering
from metering.cli.commands.credits_options import MetadataOption, given_metadata
from metering.cli.options import (
    DEFAULT_STORE,
    AllowPrivateOption,
    JsonOption,
    StoreOption,
    refuse_options_of_the_group,
)
from metering.cli.pages import every
from metering.cli.screens.documents import print_document
from metering.cli.screens.screen import show
from metering.cli.screens.text import counted
from metering.cli.screens.webhooks import (
    show_deliveries,
    show_endpoint,
    show_endpoints,
    show_events,
    show_secret,
)
from metering.cli.stores import open_store
from metering.webhooks.resources import EventType

_EndpointArgument = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its id.")]
_DescriptionOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="For people.")
]
_LimitOption = Annotated[
    int, typer.Option(min=1, max=100, metavar="N", help="How many to show at most.")
]

webhooks_app = typer.Typer(rich_markup_mode=None)


@webhooks_app.callback(invoke_without_command=True)
def webhooks_of_a_store(
    ctx: typer.Context, *, store: StoreOption = DEFAULT_STORE, json: JsonOption = False
) -> None:
    """List who is told of events; or change that, and see how deliveries went.

    Without a command it does what list does. Deliveries are made by metering worker.
    """
    if ctx.invoked_subcommand is not None:
        refuse_options_of_the_group(ctx)
        return
    list_endpoints(store=store, json=json)


@webhooks_app.command("list")
def list_endpoints(
    *, store: StoreOption = DEFAULT_STORE, json: JsonOption = False
) -> None:
    """List the endpoints, newest first."""
    with open_store(store) as m:

        def fetch(most: int, after: str | None) -> Sequence[metering.WebhookEndpoint]:
            return m.webhook_endpoints.list(limit=most, starting_after=after)

        endpoints = list(every(fetch))
    if json:
        print_document(endpoints)
    elif endpoints:
        show_endpoints(endpoints)
    else:
        show("No endpoints; make one with webhooks create.")


@webhooks_app.command()
def create(  # noqa: PLR0913  # a command's options are its arguments
    *,
    url: Annotated[str, typer.Option(metavar="URL", help="Where events are sent to.")],
    event: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE",
            help="Only events of this type, such as billing.alert.triggered; may be"
            " repeated.",
        ),
    ] = None,
    description: _DescriptionOption = None,
    metadata: MetadataOption = None,
    signature: Annotated[
        Literal["stripe", "standard"],
        typer.Option(help="How: as Stripe does, or by Standard Webhooks."),
    ] = "stripe",
    allow_private: AllowPrivateOption = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Tell a URL of events from now on; shows the secret that signs them, this once."""
    with open_store(store, allow_private_webhooks=allow_private) as m:
        endpoint = m.webhook_endpoints.create(
            url=url,
            enabled_events=event or ["*"],
            description=description,
            metadata=given_metadata(metadata),
            signature=signature,
        )
    _show_with_secret(endpoint, json=json)


@webhooks_app.command()
def update(  # noqa: PLR0913  # a command's options are its arguments
    endpoint: _EndpointArgument,
    *,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where events are sent to.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE", help="Only events of this type, * for all; may be repeated."
        ),
    ] = None,
    description: _DescriptionOption = None,
    metadata: MetadataOption = None,
    disabled: Annotated[
        bool | None,
        typer.Option("--disable/--enable", help="Whether to send nothing for now."),
    ] = None,
    allow_private: AllowPrivateOption = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Change what is given of an endpoint, and nothing else."""
    with open_store(store, allow_private_webhooks=allow_private) as m:
        changed = m.webhook_endpoints.update(
            endpoint,
            url=UNSET if url is None else url,
            enabled_events=UNSET if event is None else event,
            description=UNSET if description is None else description,
            metadata=UNSET if metadata is None else given_metadata(metadata),
            disabled=UNSET if disabled is None else disabled,
        )
    if json:
        print_document(changed)
    else:
        show_endpoint(changed)


@webhooks_app.command()
def rotate(
    endpoint: _EndpointArgument,
    *,
    overlap: Annotated[
        int,
        typer.Option(
            min=0, max=720, metavar="HOURS", help="How long the old one signs as well."
        ),
    ] = 24,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Give an endpoint another secret, and show it, this once."""
    with open_store(store) as m:
        rotated = m.webhook_endpoints.rotate_secret(
            endpoint, overlap=timedelta(hours=overlap)
        )
    _show_with_secret(rotated, json=json)


@webhooks_app.command()
def delete(
    endpoint: _EndpointArgument,
    *,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Send nothing to an endpoint any more, and forget it and its deliveries."""
    with open_store(store) as m:
        m.webhook_endpoints.delete(endpoint)
    show(f"Deleted {endpoint}")


@webhooks_app.command()
def deliveries(
    endpoint: _EndpointArgument,
    *,
    limit: _LimitOption = 20,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show what was sent to an endpoint or is to be, newest first, with each attempt."""
    with open_store(store) as m:
        found = m.webhook_endpoints.deliveries(endpoint, limit=limit)
    if json:
        print_document(found)
    elif found:
        show_deliveries(found)
    else:
        show("Nothing was to be sent.")


@webhooks_app.command()
def events(
    *,
    of_type: Annotated[
        EventType | None, typer.Option("--type", help="Only those of this type.")
    ] = None,
    limit: _LimitOption = 20,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show what happened, as endpoints are told of it, newest first."""
    with open_store(store) as m:
        m.catch_up()
        found = m.events.list(type=of_type, limit=limit)
    if json:
        print_document(found)
    elif found:
        show_events(found)
    else:
        show("Nothing happened.")


@webhooks_app.command()
def deliver(
    *,
    allow_private: AllowPrivateOption = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Make every attempt that is due, once; metering worker goes on doing so."""
    with open_store(store, allow_private_webhooks=allow_private) as m:
        receipt = m.deliver()
    if json:
        print_document(receipt)
        return
    failed = counted(receipt.failed, "failed attempt")
    show(f"{counted(receipt.delivered, 'event')} delivered, {failed}")


def _show_with_secret(endpoint: metering.WebhookEndpoint, *, json: bool) -> None:
    if json:
        print_document(endpoint)
        return
    show_endpoint(endpoint)
    show_secret(endpoint)
