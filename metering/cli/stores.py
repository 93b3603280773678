"""Which store a command works on, and which meter of it."""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import typer

import metering
from metering.cli.errors import NoStoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where segments and what is derived from them lie, if not beside the store."""

    segments: str | None = None
    cache: str | None = None


PLACES: ContextVar[Places] = ContextVar("PLACES")
"""What was said before the command."""


def create_store(store: str, *, livemode: bool = False) -> metering.Metering:
    """Open a store, and make it if there is none."""
    return _connect(store, creates=True, livemode=livemode)


def open_store(
    store: str,
    *,
    allow_private_webhooks: bool = False,
    livemode: bool = False,
    cancel_window: timedelta | None = None,
) -> metering.Metering:
    """Open a store that exists.

    Args:
        store: a directory or a URL.
        allow_private_webhooks: see `metering.connect`.
        livemode: see `metering.connect`.
        cancel_window: see `metering.connect`.

    Raises:
        NoStoreError: there is none.
    """
    try:
        return _connect(
            store,
            creates=False,
            allow_private_webhooks=allow_private_webhooks,
            livemode=livemode,
            cancel_window=cancel_window,
        )
    except metering.StoreMissingError as error:
        raise NoStoreError(shown_name(store)) from error


def shown_name(store: str) -> str:
    """Name a store without its password."""
    if "://" not in store:
        return store
    address = urlsplit(store)
    has_password = address.password is not None or "password" in address.query
    return "the database" if has_password else store


def find_meter(m: metering.Metering, name: str) -> metering.Meter:
    """Find a meter by its id or event name.

    Raises:
        ResourceMissingError: there is none.
    """
    for meter in m.meters.list():
        if name in (meter.id, meter.event_name):
            return meter
    raise metering.ResourceMissingError("billing meter", name, param="meter")


def _connect(
    store: str,
    *,
    creates: bool,
    allow_private_webhooks: bool = False,
    livemode: bool = False,
    cancel_window: timedelta | None = None,
) -> metering.Metering:
    # An empty path would be this very directory.
    if not store:
        raise typer.BadParameter("give a directory or a URL", param_hint="--store")
    places = PLACES.get(Places())
    if places.cache == "":
        raise typer.BadParameter("give a directory", param_hint="--cache")
    return metering.connect(
        store,
        create=creates,
        segments=places.segments,
        cache=places.cache,
        allow_private_webhooks=allow_private_webhooks,
        livemode=livemode,
        cancel_window=cancel_window,
    )
